package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/internal/nvml"
)

// raplFolder is like the kernel's on a machine with one processor: a package with a
// core and memory, and the whole platform.
func raplFolder(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for folder, name := range map[string]string{"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram", "intel-rapl:1": "psys"} {
		write(t, filepath.Join(root, folder, "name"), name+"\n")
		write(t, filepath.Join(root, folder, "max_energy_range_uj"), "9999999\n")
		write(t, filepath.Join(root, folder, "energy_uj"), "8000000\n")
	}
	return root
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRAPL(t *testing.T) {
	root := raplFolder(t)
	list, err := raplCounters(root)
	if err != nil {
		t.Fatal(err)
	}
	if names := strings.Join(namesOf(list), " "); names != "package-0 dram" {
		t.Fatalf("counters %q, want package-0 dram", names)
	}
	m := &meter{counters: list}
	from, err := m.reading()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "intel-rapl:0", "energy_uj"), "9500000")  // 1.5 J
	write(t, filepath.Join(root, "intel-rapl:0:1", "energy_uj"), "500000") // 2 J to the end, which is one step before 0, and 0.5
	to, err := m.reading()
	if err != nil {
		t.Fatal(err)
	}
	near(t, "energy", m.joules(from, to), 4)
	write(t, filepath.Join(root, "intel-rapl:0", "energy_uj"), "lots")
	if _, err := m.reading(); err == nil || !strings.Contains(err.Error(), "lots") {
		t.Errorf("a counter of words: %v", err)
	}
	if _, err := raplCounters(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no RAPL") {
		t.Errorf("no counters: %v", err)
	}
}

func TestRAPLForRootAlone(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	root := raplFolder(t)
	if err := os.Chmod(filepath.Join(root, "intel-rapl:0", "energy_uj"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := raplCounters(root); err == nil || !strings.Contains(err.Error(), "root alone") {
		t.Errorf("an unreadable counter: %v", err)
	}
}

func TestEnergyOf(t *testing.T) {
	a, b := passOf(100, 500), passOf(100, 1500)
	a.joules, a.metered, b.joules, b.metered = 30, true, 50, true
	e := energyOf([]pass{a, b}, 1500, "RAPL package-0") // 0.4 J a picture, 40 W
	near(t, "1,000 images", e.Per1000Images, 400)
	near(t, "an epoch", e.PerEpoch, 600)
	near(t, "watts", e.Watts, 40)
	b.metered = false
	if e := energyOf([]pass{a, b}, 1500, ""); e != nil {
		t.Errorf("half a measurement gives %+v", e)
	}
}

// TestProbe leaves out what is used between stop and start, and counts the power of the rest for the timed steps' whole time.
func TestProbe(t *testing.T) {
	now := uint64(0)
	m := &meter{counters: []counter{{name: "c", unit: 1, wrap: 0, read: func() (uint64, error) { return now, nil }}}}
	p := newProbe(m)
	clock := time.Unix(0, 0)
	p.now = func() time.Time { return clock }
	for _, used := range []uint64{3, 4} {
		now += 100
		clock = clock.Add(time.Minute)
		p.start()
		now += used
		clock = clock.Add(time.Second)
		p.stop()
		p.stop() // again
	}
	got := pass{total: 4 * time.Second}
	p.tell(&got)
	if got.joules != 14 || !got.metered {
		t.Errorf("%v J, metered %v; want 14", got.joules, got.metered)
	}
	p = newProbe(&meter{})
	p.start()
	p.stop()
	if p.tell(&got); got.metered {
		t.Error("without counters something was metered")
	}
}

func TestGPUOf(t *testing.T) {
	alike := []nvml.GPU{{Name: "A", UUID: "GPU-11aa"}, {Name: "A", UUID: "GPU-22bb"}}
	unlike := []nvml.GPU{{Name: "A", UUID: "GPU-11aa"}, {Name: "B", UUID: "GPU-22bb"}}
	for _, test := range []struct {
		device, visible, order string
		gpus                   []nvml.GPU
		want                   int
		word                   string // of the error
	}{
		{"cuda:0", "", "", alike, 0, ""},
		{"cuda:1", "", "", alike, 1, ""},
		{"cuda:0", "1", "", alike, 1, ""},
		{"cuda:0", "GPU-22bb", "", unlike, 1, ""},
		{"cuda:1", "GPU-22,GPU-11", "", unlike, 0, ""},
		{"cuda:0", "", "", unlike, 0, "unlike"},
		{"cuda:1", "", "PCI_BUS_ID", unlike, 1, ""},
		{"cuda:2", "", "", alike, 0, "none for cuda:2"},
		{"cuda:1", "0", "", alike, 0, "not among"},
		{"cuda:0", "MIG-77", "", alike, 0, "MIG-77"},
		{"cuda:0", "", "", nil, 0, "0 GPUs"},
	} {
		env := map[string]string{"CUDA_VISIBLE_DEVICES": test.visible, "CUDA_DEVICE_ORDER": test.order}
		got, err := gpuOf(test.device, test.gpus, func(name string) string { return env[name] })
		if test.word == "" && (err != nil || got != test.want) {
			t.Errorf("%+v: %d, %v", test, got, err)
		}
		if test.word != "" && (err == nil || !strings.Contains(err.Error(), test.word)) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// TestMeterTellsWhy wants a figure or a reason, never neither.
func TestMeterTellsWhy(t *testing.T) {
	for _, device := range []string{"cpu", "cuda:0"} {
		m, notes := newMeter(device)
		if len(m.counters) == 0 && len(notes) == 0 {
			t.Errorf("%s has no counter, and no reason for that", device)
		}
		m.close()
	}
}

func TestPeakMemory(t *testing.T) {
	if got := statusBytes("Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\n", "VmHWM"); got != 2<<20 {
		t.Errorf("VmHWM is %d", got)
	}
	if got := statusBytes("Name:\tx\n", "VmHWM"); got != 0 {
		t.Errorf("no VmHWM is %d", got)
	}
	resetPeak()
	before := peakMemory()
	if before == 0 {
		t.Skip("there is no /proc")
	}
	hold := make([]byte, 64<<20)
	for i := range hold {
		hold[i] = 1
	}
	if after := peakMemory(); after-before < 32<<20 {
		t.Errorf("64 MiB more made the peak grow from %d to %d", before, after)
	}
	hold[0] = byte(time.Now().Second())
}
