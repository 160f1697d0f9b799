package report

import (
	"image/color"
	"testing"

	"github.com/wangkuiyi/orrery/internal/testdata"
)

// The golden comes from scripts/golden/report_colormaps.py.
func TestColorMapsAreMatplotlibs(t *testing.T) {
	golden := testdata.Golden[struct{ Maps map[string][][3]int }](t, "testdata/colormaps.json")
	if len(golden.Maps) < 7 {
		t.Fatalf("%d maps", len(golden.Maps))
	}
	for name, want := range golden.Maps {
		m, ok := FindColorMap(name)
		if !ok {
			t.Errorf("no map %s", name)
			continue
		}
		for i, w := range want {
			c := m.At(float64(i) / 255)
			for k, v := range [3]uint8{c.R, c.G, c.B} {
				if d := int(v) - w[k]; d > 1 || d < -1 {
					t.Fatalf("%s of %d/255: %v, want %v", name, i, c, w)
				}
			}
		}
	}
	gray, _ := FindColorMap("gray")
	if c := gray.At(7); c != (color.RGBA{255, 255, 255, 255}) {
		t.Errorf("a value beyond 1 is %v", c)
	}
	if inkOn(gray.At(0)).R != 255 || inkOn(gray.At(1)).R != 0 {
		t.Error("ink cannot be read on its ground")
	}
}
