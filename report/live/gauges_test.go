package live

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGaugesOfThisMachine(t *testing.T) {
	var names []string
	for _, g := range newMeter().read() {
		names = append(names, g.Name)
		if g.Share < 0 || g.Share > 1 || g.Text == "" {
			t.Errorf("gauge %+v", g)
		}
	}
	if !slices.Contains(names, "memory") {
		t.Errorf("gauges %q lack the memory", names)
	}
	gpu := slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "GPU") })
	if _, err := exec.LookPath("nvidia-smi"); err != nil && gpu {
		t.Errorf("gauges %q of a machine without nvidia-smi", names)
	}
}

func TestGaugesOfGPUs(t *testing.T) {
	// As nvidia-smi prints two H100, the second split such that it does not tell how busy it is, and one that is lost.
	const text = "0, 37, 20480, 81559\n1, [N/A], 512, 81559\n2, [GPU is lost], [GPU is lost], [GPU is lost]\n"
	want := []gauge{{"GPU 0", 0.37, "37 %"}, {"GPU 0 memory", 20480.0 / 81559, "20.0 of 79.6 GiB"}, {"GPU 1 memory", 512.0 / 81559, "0.5 of 79.6 GiB"}}
	if diff := cmp.Diff(want, parseGPUs(text)); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"", "No devices were found\n", "0, 1\n"} {
		if got := parseGPUs(text); got != nil {
			t.Errorf("%q gave gauges %v", text, got)
		}
	}
}
