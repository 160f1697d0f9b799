package augment

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/kernel"
)

// stored says where values lie in more.bin.
type stored struct {
	Low, High      float64
	Offset, Values int
}

// moreGolden is a file of scripts/golden/augment_more.py.
type moreGolden struct {
	Pictures []string
	Sizes    []struct {
		Name    string
		Picture int
		Train   bool
		Size    int
		Crop    [2]float64
		Drawn   []float64
		SHA256  string
	}
	Colours []struct {
		Names   []string
		Picture int
		Size    int
		Kernel  int
		Params  Params
		stored
	}
	Dihedrals []struct {
		K      int
		Matrix [9]float64
		stored
	}
	Erasing []struct {
		Size, Count int
		Drawn       []float64
		Rows        []string
	}
	Operations []struct {
		Name      string
		Magnitude float64
		Picture   int
		Low       bool
		Shift     int
		Source    string
		Changed   bool
		SHA256    string
	}
	Tables map[string][]struct {
		Name       string
		Signed     bool
		Magnitudes []float64
	}
	Mixes []struct {
		Kind    string
		N, Size int
		Partner []int
		Weight  []float32
		Lambda  float64
		Centre  []int
		stored
	}

	values []uint16
	pics   []*data.Picture
}

func readMore(t *testing.T) *moreGolden {
	t.Helper()
	g := new(moreGolden)
	text, err := os.ReadFile("testdata/more.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, g); err != nil {
		t.Fatal(err)
	}
	packed, err := os.ReadFile("testdata/more.bin")
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
	g.values = make([]uint16, len(raw)/2)
	for i := range g.values {
		g.values[i] = binary.LittleEndian.Uint16(raw[2*i:])
	}
	for _, name := range g.Pictures {
		g.pics = append(g.pics, readPNG(t, name))
	}
	return g
}

func (g *moreGolden) read(s stored) []float64 {
	out := make([]float64, s.Values)
	for i := range out {
		out[i] = s.Low + float64(g.values[s.Offset/2+i])/65535*(s.High-s.Low)
	}
	return out
}

// replay gives what fastai drew.
type replay struct {
	t     *testing.T
	drawn []float64
}

func (r *replay) next() float64 {
	if len(r.drawn) == 0 {
		r.t.Fatal("more numbers drawn than fastai drew")
	}
	v := r.drawn[0]
	r.drawn = r.drawn[1:]
	return v
}

func (r *replay) uniform(low, high float64) float64 {
	v := r.next()
	if v < low-1e-12 || v > high+1e-12 {
		r.t.Errorf("fastai drew %g, ours would be in [%g, %g]", v, low, high)
	}
	return v
}

func (r *replay) integer(low, high int) int { return int(r.uniform(float64(low), float64(high))) }

func mustList(t testing.TB, l List) *Pipeline {
	t.Helper()
	p, err := NewFromList(l, Exact)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustWorker(t testing.TB, p *Pipeline) *Worker {
	t.Helper()
	w, err := p.NewWorker()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func TestSizesAreFastais(t *testing.T) {
	g := readMore(t)
	for _, c := range g.Sizes {
		kind, pad, _ := strings.Cut(c.Name, " ")
		var tr Transform
		switch kind {
		case "pad":
			tr = Resize{Size: c.Size, Method: MethodPad, Pad: pad}
		case "squish":
			tr = Resize{Size: c.Size, Method: MethodSquish}
		case "center":
			tr = CenterCrop{Size: c.Size, Pad: pad}
		default:
			tr = RandomResizedCrop{Size: c.Size, MinScale: 0.08, MaxScale: 1, MinRatio: 3. / 4, MaxRatio: 4. / 3}
		}
		w := mustWorker(t, mustList(t, List{tr}))
		prm := Neutral()
		prm.Train, prm.CropX, prm.CropY = c.Train, c.Crop[0], c.Crop[1]
		pic := g.pics[c.Picture]
		var last cut
		var err error
		if rrc, ok := tr.(RandomResizedCrop); ok && c.Train {
			r := &replay{t, c.Drawn}
			last = cut{r: rrc.rectangle(pic.Width, pic.Height, r), to: square(c.Size)}
			if len(r.drawn) > 0 {
				t.Errorf("%s: fastai drew %d numbers more", c.Name, len(r.drawn))
			}
		} else if pic, last, err = w.sized(pic, prm); err != nil {
			t.Fatal(err)
		}
		item, err := w.carryOut(pic, last)
		if err != nil {
			t.Fatal(err)
		}
		if item.Width != c.Size || item.Height != c.Size || rgbSum(item.Pix) != c.SHA256 {
			t.Errorf("%s of %s to %d (train %v): %v differs from fastai's", c.Name, g.Pictures[c.Picture], c.Size, c.Train, item)
		}
	}
}

func TestColoursAreTheReferences(t *testing.T) {
	g := readMore(t)
	named := map[string]Transform{
		"brightness": Brightness{Max: 0.2, P: 1}, "contrast": Contrast{Max: 0.2, P: 1}, "saturation": Saturation{Max: 0.2, P: 1},
		"hue": Hue{Max: 0.1, P: 1}, "grayscale": Grayscale{P: 1},
	}
	for _, c := range g.Colours {
		l := List{Resize{Size: c.Size}}
		for _, name := range c.Names {
			tr := named[name]
			if name == "blur" {
				tr = Blur{Kernel: c.Kernel, MinSigma: 0.1, MaxSigma: 2, P: 1}
			}
			l = append(l, tr)
		}
		prm := c.Params
		prm.CropX, prm.CropY, prm.Zoom = 0.5, 0.5, 1
		p := mustList(t, l)
		var got []float32
		for form := kernel.Scalar; form <= kernel.Best(); form++ {
			got = apply(t, p, form, g.pics[c.Picture], prm, NHWC)
			db := psnr(thin(got, c.Size, 1), g.read(c.stored))
			t.Logf("%v, %v: %.1f dB", c.Names, form, db)
			if db < 70 {
				t.Errorf("%v of %s, %v: %.1f dB, want 70", c.Names, g.Pictures[c.Picture], form, db)
			}
		}
		// A colour that does nothing leaves the picture alone.
		still := apply(t, p, kernel.Best(), g.pics[c.Picture], Neutral(), NHWC)
		plain := apply(t, mustList(t, l[:1]), kernel.Best(), g.pics[c.Picture], Neutral(), NHWC)
		if cmp.Equal(got, plain) || !cmp.Equal(still, plain) {
			t.Errorf("%v: neutral parameters change the picture, or the others do not", c.Names)
		}
	}
}

func TestDihedralIsFastais(t *testing.T) {
	g := readMore(t)
	p := mustList(t, List{Resize{Size: 30}, Dihedral{P: 1}})
	for _, c := range g.Dihedrals {
		prm := Neutral()
		prm.Dihedral = c.K
		m := p.Homography(prm)
		if d := cmp.Diff(c.Matrix[:6], m[:6]); d != "" {
			t.Errorf("matrix %d: %s", c.K, d)
		}
		got := apply(t, p, kernel.Best(), g.pics[0], prm, NHWC)
		if db := psnr(thin(got, 30, 1), g.read(c.stored)); db < 70 {
			t.Errorf("symmetry %d: %.1f dB", c.K, db)
		}
	}
}

func TestErasingIsFastais(t *testing.T) {
	for _, c := range readMore(t).Erasing {
		tr := RandomErasing{P: 1, MinArea: 0.05, MaxArea: 0.4, MinAspect: 0.3, Count: c.Count}
		r := &replay{t, c.Drawn}
		prm := Params{Erase: tr.rectangles(r, c.Size), Seed: 5}
		if len(r.drawn) > 0 {
			t.Errorf("fastai drew %d numbers more", len(r.drawn))
		}
		planes := make([]float32, 3*c.Size*c.Size)
		for i := range planes {
			planes[i] = 9
		}
		eraseAll(planes, c.Size, prm)
		var got []string
		for y := range c.Size {
			var b strings.Builder
			for x := range c.Size {
				if planes[y*c.Size+x] != 9 {
					b.WriteByte('x')
				} else {
					b.WriteByte('.')
				}
			}
			got = append(got, b.String())
		}
		if d := cmp.Diff(c.Rows, got); d != "" {
			t.Errorf("size %d, %d rectangles: %s", c.Size, c.Count, d)
		}
	}
}

func TestErasingIsNormalNoise(t *testing.T) {
	p := mustList(t, List{Resize{Size: 64}, Normalize{Mean: []float32{.5, .5, .5}, Std: []float32{.2, .2, .2}}, RandomErasing{P: 1, MinArea: 1, MaxArea: 1, MinAspect: 1, Count: 1}})
	pic := newNoise(1).pics[0]
	got := apply(t, p, kernel.Best(), pic, p.Draw(1, 1, 1), NCHW)
	mean, square := 0.0, 0.0
	for _, v := range got {
		mean += float64(v) / float64(len(got))
		square += float64(v) * float64(v) / float64(len(got))
	}
	if math.Abs(mean) > 0.05 || math.Abs(square-1) > 0.06 {
		t.Errorf("an erased picture has mean %.3f and mean square %.3f, want 0 and 1", mean, square)
	}
}

func TestOperationsAreTorchvisions(t *testing.T) {
	g := readMore(t)
	for _, c := range g.Operations {
		in := g.pics[c.Picture]
		if c.Low {
			low := newPicture(in.Width, in.Height)
			for i, v := range in.Pix {
				low.Pix[i] = v/4 + uint8(c.Shift)
				if i%4 == 2 {
					low.Pix[i] = 77
				}
			}
			in = low
		}
		if rgbSum(in.Pix) != c.Source {
			t.Fatalf("%s: the source differs", c.Name)
		}
		out := newPicture(in.Width, in.Height)
		if !operate(out, in, Op{c.Name, c.Magnitude}) {
			out = in
		}
		if rgbSum(out.Pix) != c.SHA256 {
			t.Errorf("%s %g of %s differs from torchvision's", c.Name, c.Magnitude, g.Pictures[c.Picture])
		}
	}
}

func TestMagnitudesAreTorchvisions(t *testing.T) {
	g := readMore(t)
	for label, ours := range map[string][]space{"rand": randSpace(224, 31), "trivial": trivialSpace(31)} {
		theirs := g.Tables[label]
		if len(theirs) != len(ours) {
			t.Fatalf("%s: %d operations, torchvision has %d", label, len(ours), len(theirs))
		}
		for i, s := range ours {
			if s.name != theirs[i].Name || s.signed != theirs[i].Signed || (s.magnitude == nil) != (theirs[i].Magnitudes == nil) {
				t.Errorf("%s %d: %s signed %v, torchvision: %+v", label, i, s.name, s.signed, theirs[i])
				continue
			}
			for bin, want := range theirs[i].Magnitudes {
				if got := s.magnitude(bin); math.Abs(got-want) > 1e-4 {
					t.Errorf("%s %s: magnitude %d is %g, torchvision's %g", label, s.name, bin, got, want)
				}
			}
		}
	}
}

func TestMixingIsFastais(t *testing.T) {
	g := readMore(t)
	for _, c := range g.Mixes {
		m := &mixture{partner: c.Partner, weight: c.Weight}
		if c.Kind == "cutmix" {
			m.cut = true
			var own float32
			m.box, own = cutBox(c.Size, c.Lambda, c.Centre[0], c.Centre[1])
			if math.Abs(float64(own-c.Weight[0])) > 1e-6 {
				t.Errorf("cutmix: weight %g, fastai's %g", own, c.Weight[0])
			}
		}
		want := g.read(c.stored)
		for _, layout := range []Layout{NCHW, NHWC} {
			images := make([]float32, c.N*3*c.Size*c.Size)
			for i := range images {
				images[i] = float32(i%251) / 251
			}
			each := 3 * c.Size * c.Size
			if layout == NHWC {
				for i := range c.N {
					copy(images[i*each:], toNHWC(images[i*each:(i+1)*each], c.Size))
				}
			}
			m.apply(images, c.Size, layout)
			for i := range c.N {
				got := images[i*each : (i+1)*each]
				if layout == NCHW {
					got = toNHWC(got, c.Size)
				}
				for k, v := range got {
					if math.Abs(float64(v)-want[i*each+k]) > 2e-5 {
						t.Fatalf("%s, layout %d: sample %d value %d is %g, fastai's %g", c.Kind, layout, i, k, v, want[i*each+k])
					}
				}
			}
		}
	}
}

func toNHWC(v []float32, size int) []float32 {
	out := make([]float32, len(v))
	for i := range out {
		out[i] = v[i%3*size*size+i/3]
	}
	return out
}

func TestBeta(t *testing.T) {
	d := drawer{rand.New(rand.NewPCG(1, 1))}
	for _, alpha := range []float64{0.01, 0.4, 1, 5} {
		mean, square := 0.0, 0.0
		const n = 20000
		for range n {
			v := d.beta(alpha)
			if !(v >= 0 && v <= 1) {
				t.Fatalf("Beta(%g) gave %g", alpha, v)
			}
			mean += v / n
			square += (v - 0.5) * (v - 0.5) / n
		}
		if want := 1 / (4 * (2*alpha + 1)); math.Abs(mean-0.5) > 0.015 || math.Abs(square-want) > 0.03*want+0.001 {
			t.Errorf("Beta(%g): mean %.4f, variance %.5f, want 0.5 and %.5f", alpha, mean, square, want)
		}
	}
}
