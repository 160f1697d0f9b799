package augment

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/kernel"
	"github.com/wangkuiyi/orrery/internal/testdata"
)

// golden is a file of scripts/golden/augment_fastai.py.
type golden struct {
	Pictures []string
	Resizes  []goldenResize
	Cases    []goldenCase
	Versions map[string]string

	values []uint16
}

type goldenResize struct {
	Picture int
	Crop    [4]int
	To      [2]int
	SHA256  string
}

type goldenCase struct {
	Name       string
	Train      bool
	Item, Size int
	Pictures   []int
	Aug        struct {
		DoFlip      *bool    `json:"do_flip"`
		MaxRotate   *float64 `json:"max_rotate"`
		MinZoom     *float64 `json:"min_zoom"`
		MaxZoom     *float64 `json:"max_zoom"`
		MaxWarp     *float64 `json:"max_warp"`
		MaxLighting *float64 `json:"max_lighting"`
		PAffine     *float64 `json:"p_affine"`
		PLighting   *float64 `json:"p_lighting"`
	}
	Normalize   bool
	Params      []Params
	Resized     []string
	Area        []int
	Points      []int
	Coordinates [][][][2]float64
	Low, High   float64
	Stride      int
	Offset      int
	Values      int
}

func readGolden(t testing.TB, stem string) *golden {
	t.Helper()
	read := testdata.Golden[golden](t, filepath.Join("testdata", stem+".json"))
	g := &read
	packed, err := os.ReadFile(filepath.Join("testdata", stem+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Cases {
		for k := range c.Params {
			p := &c.Params[k]
			p.Train = c.Train
			if p.Saturation == 0 { // these cases do without
				p.Saturation = 1
			}
		}
	}
	g.values = make([]uint16, len(raw)/2)
	for i := range g.values {
		g.values[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	return g
}

// config is the pipeline's configuration of a case.
func (c *goldenCase) config() Config {
	out := DefaultConfig(c.Item, c.Size)
	set := func(to *float64, from *float64) {
		if from != nil {
			*to = *from
		}
	}
	if c.Aug.DoFlip != nil {
		out.Flip = *c.Aug.DoFlip
	}
	set(&out.MaxRotate, c.Aug.MaxRotate)
	set(&out.MinZoom, c.Aug.MinZoom)
	set(&out.MaxZoom, c.Aug.MaxZoom)
	set(&out.MaxWarp, c.Aug.MaxWarp)
	set(&out.MaxLighting, c.Aug.MaxLighting)
	set(&out.PAffine, c.Aug.PAffine)
	set(&out.PLighting, c.Aug.PLighting)
	if c.Normalize {
		out.Mean, out.Std = []float32{0.485, 0.456, 0.406}, []float32{0.229, 0.224, 0.225}
	}
	return out
}

// pixels returns fastai's finished values of picture k, [rows, columns, 3] of the kept ones.
func (g *golden) pixels(c *goldenCase, k int) []float64 {
	n := c.Values / len(c.Pictures)
	at := c.Offset/2 + k*n
	out := make([]float64, n)
	for i := range out {
		out[i] = c.Low + float64(g.values[at+i])/65535*(c.High-c.Low)
	}
	return out
}

// readPNG decodes a committed picture as the kernels want it.
func readPNG(t testing.TB, name string) *data.Picture {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	im, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b := im.Bounds()
	p := newPicture(b.Dx(), b.Dy())
	for y := range p.Height {
		for x := range p.Width {
			r, g, bl, _ := im.At(x, y).RGBA()
			copy(p.Pix[4*(y*p.Width+x):], []uint8{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8), 255})
		}
	}
	return p
}

func newPicture(w, h int) *data.Picture {
	return &data.Picture{Width: w, Height: h, Pix: make([]uint8, 4*w*h, 4*w*h+kernel.Pad)}
}

func pictures(t testing.TB, g *golden) []*data.Picture {
	var out []*data.Picture
	for _, name := range g.Pictures {
		out = append(out, readPNG(t, name))
	}
	return out
}

// psnr is the peak signal-to-noise ratio in dB of values whose range is 1.
func psnr(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += (a[i] - b[i]) * (a[i] - b[i])
	}
	return -10 * math.Log10(sum/float64(len(a)))
}

// thin keeps every stride-th row and column of a [size, size, 3] sample.
func thin(v []float32, size, stride int) []float64 {
	var out []float64
	for y := 0; y < size; y += stride {
		for x := 0; x < size; x += stride {
			for c := range 3 {
				out = append(out, float64(v[3*(y*size+x)+c]))
			}
		}
	}
	return out
}

func rgbSum(rgbx []uint8) string {
	rgb := make([]uint8, 0, len(rgbx)/4*3)
	for i := 0; i < len(rgbx); i += 4 {
		rgb = append(rgb, rgbx[i:i+3]...)
	}
	sum := sha256.Sum256(rgb)
	return hex.EncodeToString(sum[:])
}

// bicubicGolden is the file of scripts/golden/augment_bicubic.py.
type bicubicGolden struct {
	Pictures       []string
	Resizes, Items []goldenResize
	Versions       map[string]string
}

// TestBicubicResizeIsPillows also covers what fastai's Resize makes of a whole picture with that filter.
func TestBicubicResizeIsPillows(t *testing.T) {
	g := testdata.Golden[bicubicGolden](t, "testdata/bicubic.json")
	if len(g.Resizes) < 100 || len(g.Items) < 9 {
		t.Fatalf("%d resizes, %d items", len(g.Resizes), len(g.Items))
	}
	pics := pictures(t, &golden{Pictures: g.Pictures})
	eachForm(t, func(t *testing.T, form kernel.Form) {
		for _, r := range g.Resizes {
			r.check(t, pics[r.Picture], kernel.Bicubic, form)
		}
		for _, r := range g.Items {
			p, err := NewFromList(List{Resize{Size: r.To[0]}}.Filtered(Bicubic), Exact)
			if err != nil {
				t.Fatal(err)
			}
			w, err := p.newWorker(form)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			rgb := make([]byte, p.Elements())
			if err := w.ApplyAs(rgb, Uint8, pics[r.Picture], Neutral(), false, NHWC); err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(rgb); hex.EncodeToString(sum[:]) != r.SHA256 {
				t.Errorf("%s to %v differs from fastai %s", g.Pictures[r.Picture], r.To, g.Versions["fastai"])
			}
		}
	})
}

// check resizes the crop and compares.
func (r goldenResize) check(t *testing.T, p *data.Picture, filter kernel.Filter, form kernel.Form) {
	t.Helper()
	k, err := kernel.NewWorker(form)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	job := kernel.Job{CropX: r.Crop[0], CropY: r.Crop[1], CropW: r.Crop[2], CropH: r.Crop[3], ItemW: r.To[0], ItemH: r.To[1], Filter: filter}
	out := make([]uint8, 4*r.To[0]*r.To[1], 4*r.To[0]*r.To[1]+kernel.Pad)
	if err := k.Resize(p.Pix, p.Width, p.Height, &job, out); err != nil {
		t.Fatal(err)
	}
	if rgbSum(out) != r.SHA256 {
		t.Errorf("crop %v to %v differs from Pillow's", r.Crop, r.To)
	}
}

// eachForm runs f with every form of the kernels that the machine has.
func eachForm(t *testing.T, f func(t *testing.T, form kernel.Form)) {
	for form := kernel.Scalar; form <= kernel.Best(); form++ {
		t.Run(form.String(), func(t *testing.T) { f(t, form) })
	}
}

func TestResizeIsPillows(t *testing.T) {
	g := readGolden(t, "fastai")
	pics := pictures(t, g)
	eachForm(t, func(t *testing.T, form kernel.Form) {
		for _, r := range g.Resizes {
			r.check(t, pics[r.Picture], kernel.Bilinear, form)
		}
	})
}

func TestCoordinatesAreFastais(t *testing.T) {
	g := readGolden(t, "fastai")
	for _, c := range g.Cases {
		p := mustPipeline(t, c.config())
		n := c.Size
		for k, prm := range c.Params {
			m := p.Homography(prm).Mul(grid(n))
			for a, i := range c.Points {
				for b, j := range c.Points {
					x, y := m.Apply(float64(j), float64(i))
					want := c.Coordinates[k][a][b]
					if math.Abs(x-want[0]) > 3e-6 || math.Abs(y-want[1]) > 3e-6 {
						t.Errorf("%s, picture %d, pixel (%d,%d): (%.7f,%.7f), fastai has (%.7f,%.7f)", c.Name, k, j, i, x, y, want[0], want[1])
					}
				}
			}
		}
	}
}

func TestAreaStepIsFastais(t *testing.T) {
	g := readGolden(t, "fastai")
	with := 0
	for _, c := range g.Cases {
		p, err := New(c.config())
		if err != nil {
			t.Fatal(err)
		}
		area := p.AreaStep(c.Params)
		if area != (c.Area != nil) {
			t.Errorf("%s: area step %v, fastai's %v", c.Name, area, c.Area)
		}
		if area && c.Area != nil {
			with++
			if c.Area[0] != p.areaSide {
				t.Errorf("%s: area side %d, fastai's %d", c.Name, p.areaSide, c.Area[0])
			}
		}
	}
	if with == 0 || with == len(g.Cases) {
		t.Errorf("the goldens hold %d of %d cases with the area step: want both kinds", with, len(g.Cases))
	}
}

// enough is the PSNR in dB that a case must reach. Where fastai resizes twice it rounds to 8 bits in
// between, which alone is 62 to 64 dB away from what the two filters compute together.
func (c *goldenCase) enough() float64 {
	if c.Area != nil {
		return 62
	}
	return 90
}

// comparePixels runs a case and returns the worst PSNR over its pictures.
func comparePixels(t *testing.T, g *golden, c *goldenCase, pics []*data.Picture, form kernel.Form) float64 {
	t.Helper()
	cfg := c.config()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w, err := p.newWorker(form)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	area := p.AreaStep(c.Params)
	worst := math.Inf(1)
	out := make([]float32, p.Elements())
	for k, prm := range c.Params {
		pic := pics[c.Pictures[k]]
		source, last, err := w.sized(pic, prm)
		if err != nil {
			t.Fatal(err)
		}
		item, err := w.carryOut(source, last)
		if err != nil {
			t.Fatal(err)
		}
		if rgbSum(item.Pix) != c.Resized[k] {
			t.Errorf("%s, picture %d: the item differs from fastai's", c.Name, k)
		}
		if err := w.Apply(out, pic, prm, area, NHWC); err != nil {
			t.Fatal(err)
		}
		got, want := thin(out, c.Size, c.Stride), g.pixels(c, k)
		if c.Normalize { // back to a range of 1
			for i := range got {
				s, m := float64(cfg.Std[i%3]), float64(cfg.Mean[i%3])
				got[i], want[i] = got[i]*s+m, want[i]*s+m
			}
		}
		worst = min(worst, psnr(got, want))
	}
	return worst
}

func TestPixelsAreFastais(t *testing.T) {
	g := readGolden(t, "fastai")
	pics := pictures(t, g)
	eachForm(t, func(t *testing.T, form kernel.Form) {
		for _, c := range g.Cases {
			db := comparePixels(t, g, &c, pics, form)
			t.Logf("%-20s %.1f dB", c.Name, db)
			if db < c.enough() {
				t.Errorf("%s: %.1f dB against fastai, want %.0f", c.Name, db, c.enough())
			}
		}
	})
}

func TestPixelsOfRealPhotos(t *testing.T) {
	folder := testdata.Photos(t, "trashnet")
	g := readGolden(t, "photos")
	var pics []*data.Picture
	for _, name := range g.Pictures {
		b, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := data.Decode(b, data.DecodeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pics = append(pics, p)
	}
	eachForm(t, func(t *testing.T, form kernel.Form) {
		for _, c := range g.Cases {
			db := comparePixels(t, g, &c, pics, form)
			t.Logf("%-20s %.1f dB", c.Name, db)
			if db < c.enough() {
				t.Errorf("%s: %.1f dB against fastai, want %.0f", c.Name, db, c.enough())
			}
		}
	})
}
