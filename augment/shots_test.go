package augment

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/kernel"
)

// album is a Source and a Block of the same pictures.
type album struct {
	pictures []*data.Picture
	offsets  []int64
	block    []byte
	missing  int // the index of one that is not there; -1: none
}

func newAlbum(sizes [][2]int) *album {
	a := &album{missing: -1}
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range sizes {
		p := oddPicture(r, s[0], s[1])
		a.pictures, a.offsets = append(a.pictures, p), append(a.offsets, int64(len(a.block)))
		a.block = append(a.block, p.Pix...)
	}
	a.block = append(a.block, make([]byte, BlockPad)...)
	return a
}

func (a *album) Picture(i int) (*data.Picture, error) {
	if i == a.missing {
		return nil, errors.New("it is missing")
	}
	return a.pictures[i], nil
}

func (a *album) Place(i int) (int64, int, int, error) {
	p, err := a.Picture(i)
	if err != nil {
		return 0, 0, 0, err
	}
	return a.offsets[i], p.Width, p.Height, nil
}

// TestGatheredBatchesEqualLoaded: what the GPU's arithmetic makes of a block of
// pictures is what the loader makes of them one by one, batch by batch.
func TestGatheredBatchesEqualLoaded(t *testing.T) {
	sizes := [][2]int{{40, 40}, {61, 40}, {40, 77}, {53, 41}, {48, 48}, {40, 41}, {99, 43}, {44, 44}, {45, 60}}
	article := ArticleConfig()
	article.Size, article.ItemSize, article.Pixels = 32, 46, Fast
	article.MaxWarp, article.MaxRotate, article.MaxLighting = 0.4, 180, 0.5
	article.Mean, article.Std = []float32{0.5, 0.4, 0.3}, []float32{0.2, 0.3, 0.4}
	crops := List{CenterCrop{Size: 32}, Flip{P: 0.5}}
	for _, layout := range []Layout{NCHW, NHWC} {
		for name, list := range map[string]List{"article": article.List(), "crop": crops} {
			for _, train := range []bool{true, false} {
				for _, missing := range []int{-1, 3} {
					p, err := NewFromList(list, Fast)
					if err != nil {
						t.Fatal(err)
					}
					a := newAlbum(sizes)
					a.missing = missing
					a.compare(t, name, p, train, layout)
				}
			}
		}
	}
}

func (a *album) compare(t *testing.T, name string, p *Pipeline, train bool, layout Layout) {
	t.Helper()
	indices, labels := upTo(len(a.pictures))
	options := LoaderOptions{BatchSize: 4, Train: train, Seed: 5, Layout: layout, OnSkip: func(int, error) {}}
	loaded, err := NewLoader(p, a, indices, labels, options)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	options.Dtype, options.Block = Shots, a
	planned, err := NewLoader(p, nil, indices, labels, options)
	if err != nil {
		t.Fatal(err)
	}
	defer planned.Close()
	limit := 1.0 / 255
	if p.scale[0] != 1 {
		limit *= float64(p.scale[0])
	}
	one, other := loaded.Epoch(context.Background(), 1), planned.Epoch(context.Background(), 1)
	defer one.Close()
	defer other.Close()
	for batches := 0; ; batches++ {
		want, errWant := one.Next()
		shots, errShots := other.Next()
		if errors.Is(errWant, io.EOF) && errors.Is(errShots, io.EOF) {
			if batches == 0 {
				t.Fatalf("%s: no batches", name)
			}
			return
		}
		if errWant != nil || errShots != nil || want.N != shots.N || shots.Images != nil {
			t.Fatalf("%s: %v, %v", name, errWant, errShots)
		}
		got := make([]float32, len(want.Images))
		if err := p.Gather(unsafe.Pointer(&a.block[0]), shots, Float32, unsafe.Slice((*byte)(pointer(got)), 4*len(got))); err != nil {
			t.Fatal(err)
		}
		for i := range want.Labels {
			if want.Labels[i] != shots.Labels[i] || want.Indices[i] != shots.Indices[i] {
				t.Fatalf("%s: sample %d is picture %d, want %d", name, i, shots.Indices[i], want.Indices[i])
			}
		}
		if worst := worstDifference(got, want.Images); worst > limit {
			t.Errorf("%s, training %t: gathered and loaded differ by %g", name, train, worst)
		}
		halves(t, a, p, shots, got)
		want.Release()
		shots.Release()
	}
}

// halves checks the 16-bit results against the float32 one.
func halves(t *testing.T, a *album, p *Pipeline, shots *Batch, want []float32) {
	t.Helper()
	for dtype, digits := range map[Dtype]float64{BFloat16: 1.0 / 256, Float16: 1.0 / 2048} {
		out := make([]uint16, len(want))
		if err := p.Gather(unsafe.Pointer(&a.block[0]), shots, dtype, unsafe.Slice((*byte)(unsafe.Pointer(&out[0])), 2*len(out))); err != nil {
			t.Fatal(err)
		}
		for i, bits := range out {
			got := math.Float32frombits(uint32(bits) << 16)
			if dtype == Float16 {
				got = fromFloat16(bits)
			}
			if d := math.Abs(float64(got - want[i])); d > digits*math.Abs(float64(want[i]))+1e-7 {
				t.Fatalf("%v: value %d is %g, want %g", dtype, i, got, want[i])
			}
		}
	}
}

func fromFloat16(bits uint16) float32 {
	exponent, mantissa := int(bits>>10&31), float64(bits&1023)
	value := math.Ldexp(1+mantissa/1024, exponent-15)
	if exponent == 0 {
		value = math.Ldexp(mantissa/1024, -14)
	}
	if bits>>15 != 0 {
		value = -value
	}
	return float32(value)
}

// What one sampling cannot do is refused, with the reason.
func TestBlocksThatCannotBeShot(t *testing.T) {
	article := ArticleConfig()
	refused := map[string]List{
		"samples once": article.List(),
		"mixup":        {CenterCrop{Size: 32}, MixUp{Alpha: 0.4}},
		"beside":       {CenterCrop{Size: 32}, Hue{Max: 0.1, P: 1}},
	}
	for says, list := range refused {
		p, err := NewFromList(list, Exact)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Shoots(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
		if _, err := NewLoader(p, nil, []int{0}, []int64{0}, LoaderOptions{BatchSize: 1, Dtype: Shots, Block: newAlbum([][2]int{{40, 40}})}); err == nil {
			t.Errorf("%q: a loader was made", says)
		}
	}
	p, err := NewFromList(article.List(), Fast)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, ShotBytes)
	if err := p.Shot(0, 4000, 3000, Neutral(), out); !errors.Is(err, kernel.ErrShot) {
		t.Errorf("a large photo: %v", err)
	}
	crop, err := NewFromList(List{CenterCrop{Size: 32}}, Fast)
	if err != nil {
		t.Fatal(err)
	}
	if err := crop.Shot(0, 20, 40, Neutral(), out); err == nil || !strings.Contains(err.Error(), "smaller than its crop") {
		t.Errorf("a small picture: %v", err)
	}
}
