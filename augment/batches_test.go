package augment

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// collect reads an epoch and keeps what keep returns.
func collect[T any](t *testing.T, l *Loader, n int, keep func(*Batch) T) []T {
	t.Helper()
	it := l.Epoch(context.Background(), n)
	defer it.Close()
	var out []T
	for {
		b, err := it.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, keep(b))
		b.Release()
	}
}

func listLoader(t *testing.T, l List, src Source, n int, o LoaderOptions) *Loader {
	t.Helper()
	indices, labels := upTo(n)
	loader, err := NewLoader(mustList(t, l), src, indices, labels, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(loader.Close)
	return loader
}

// TestElementTypes compares bfloat16 and uint8 batches with the float32 one.
func TestElementTypes(t *testing.T) {
	src := newNoise(20)
	for _, extra := range []List{nil, {Saturation{Max: 0.3, P: 1}}} { // the direct way and the other
		plain := append(smallConfig().List(), extra...)
		normal := append(plain[:len(plain):len(plain)], Normalize{[]float32{.5, .4, .3}, []float32{.2, .25, .3}})
		for _, layout := range []Layout{NCHW, NHWC} {
			o := LoaderOptions{BatchSize: 5, Workers: 2, Train: true, Layout: layout}
			floats := func(b *Batch) []float32 { return append([]float32(nil), b.Images...) }
			raw := func(b *Batch) []byte {
				if want := map[Layout][]int64{NCHW: {5, 3, 20, 20}, NHWC: {5, 20, 20, 3}}[layout]; !slices.Equal(b.Shape(), want) {
					t.Errorf("shape %v, want %v", b.Shape(), want)
				}
				if b.Images != nil {
					t.Error("Images is set for another type than float32")
				}
				return append([]byte(nil), b.Data...)
			}
			want := collect(t, listLoader(t, normal, src, 20, o), 0, floats)
			before := collect(t, listLoader(t, plain, src, 20, o), 0, floats)
			o.Dtype = BFloat16
			bf16 := collect(t, listLoader(t, normal, src, 20, o), 0, raw)
			o.Dtype = Uint8
			u8 := collect(t, listLoader(t, normal, src, 20, o), 0, raw)
			for k := range want {
				if len(bf16[k]) != 2*len(want[k]) || len(u8[k]) != len(want[k]) {
					t.Fatalf("%d and %d bytes for %d values", len(bf16[k]), len(u8[k]), len(want[k]))
				}
				for i, v := range want[k] {
					got := math.Float32frombits(uint32(binary.NativeEndian.Uint16(bf16[k][2*i:])) << 16)
					if math.Abs(float64(got-v)) > math.Abs(float64(v))/256+1e-30 {
						t.Fatalf("bfloat16 %g for %g", got, v)
					}
					if d := float64(u8[k][i]) - 255*float64(before[k][i]); math.Abs(d) > 0.501 {
						t.Fatalf("uint8 %d for %g", u8[k][i], before[k][i])
					}
				}
			}
		}
	}
}

func TestMixedBatches(t *testing.T) {
	src := newNoise(40)
	for _, mixer := range []Transform{MixUp{0.4}, CutMix{1}} {
		plain := smallConfig().List()
		type kept struct {
			images  []float32
			labels  []int64
			mix     *Mix
			indices []int
		}
		keep := func(b *Batch) kept {
			return kept{append([]float32(nil), b.Images...), b.Labels, b.Mix, b.Indices}
		}
		var want []kept
		for _, workers := range []int{1, 4} {
			o := LoaderOptions{BatchSize: 8, Workers: workers, Train: true, Seed: 9}
			before := collect(t, listLoader(t, plain, src, 40, o), 0, keep)
			got := collect(t, listLoader(t, append(plain[:len(plain):len(plain)], mixer), src, 40, o), 0, keep)
			if want == nil {
				want = got
			}
			blended := 0
			for k := range got {
				m := got[k].mix
				if before[k].mix != nil || m == nil || len(m.Labels) != 8 || len(m.Weight) != 8 {
					t.Fatalf("%s: batch %d has mix %+v", mixer.Name(), k, m)
				}
				for i, w := range m.Weight {
					if _, up := mixer.(MixUp); !(w >= 0 && w <= 1) || (up && w < 0.5) {
						t.Errorf("%s: weight %g", mixer.Name(), w)
					}
					if math.Abs(float64(w-want[k].mix.Weight[i])) != 0 || m.Labels[i] != want[k].mix.Labels[i] {
						t.Errorf("%s: %d workers mix otherwise", mixer.Name(), workers)
					}
				}
				for i, v := range got[k].images {
					if v != want[k].images[i] {
						t.Fatalf("%s: %d workers make other pixels", mixer.Name(), workers)
					}
					if v != before[k].images[i] {
						blended++
					}
				}
			}
			for k := 1; k < len(got); k++ { // of CutMix, two small rectangles may leave the same share
				if _, up := mixer.(MixUp); up && slices.Equal(got[k].mix.Weight, got[k-1].mix.Weight) {
					t.Errorf("%s: batches %d and %d are mixed alike", mixer.Name(), k-1, k)
				}
			}
			if blended == 0 {
				t.Errorf("%s changes nothing", mixer.Name())
			}
			o.Train = false
			if b := collect(t, listLoader(t, append(plain[:len(plain):len(plain)], mixer), src, 40, o), 0, keep)[0]; b.mix != nil {
				t.Errorf("%s in validation", mixer.Name())
			}
		}
	}
	indices, labels := upTo(8)
	_, err := NewLoader(mustList(t, append(smallConfig().List(), MixUp{1})), src, indices, labels, LoaderOptions{BatchSize: 4, Train: true, Dtype: Uint8})
	if err == nil || !strings.Contains(err.Error(), "mixup needs float32") {
		t.Errorf("mixup of uint8: %v", err)
	}
}

func TestWeightedDrawing(t *testing.T) {
	src := newNoise(40)
	labels := make([]int64, 40)
	indices := make([]int, 40)
	for i := range indices {
		indices[i] = i
		if i < 4 {
			labels[i] = 1 // 4 against 36
		}
	}
	weights := BalancedWeights(labels)
	weights[7] = 0
	l, err := NewLoader(mustPipeline(t, smallConfig()), src, indices, labels, LoaderOptions{BatchSize: 8, Train: true, Weights: weights})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	rare, n := 0, 0
	pixels := map[int]map[float32]bool{}
	for e := range 40 {
		collect(t, l, e, func(b *Batch) int {
			for k, i := range b.Indices {
				n++
				if labels[i] == 1 {
					rare++
				}
				if i == 7 {
					t.Error("a picture of weight 0 was drawn")
				}
				if pixels[i] == nil {
					pixels[i] = map[float32]bool{}
				}
				pixels[i][b.Images[k*1200]] = true
			}
			return 0
		})
	}
	if share := float64(rare) / float64(n); math.Abs(share-0.5) > 0.05 {
		t.Errorf("the rare class has a share of %.3f, want 0.5", share)
	}
	if len(pixels[0]) < 20 {
		t.Errorf("picture 0, drawn about %d times, looks only %d ways", rare/4, len(pixels[0]))
	}
	var want []summary
	for workers := 1; workers <= 4; workers++ {
		l, err := NewLoader(mustPipeline(t, smallConfig()), src, indices, labels, LoaderOptions{BatchSize: 8, Train: true, Weights: weights, Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		got := epoch(t, l, 0)
		l.Close()
		if want == nil {
			want = got
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d workers draw otherwise: %s", workers, d)
		}
	}
	for _, bad := range [][]float64{{1}, make([]float64, 40), append(make([]float64, 39), math.NaN()), append(make([]float64, 39), -1)} {
		if _, err := NewLoader(mustPipeline(t, smallConfig()), src, indices, labels, LoaderOptions{BatchSize: 8, Train: true, Weights: bad}); err == nil {
			t.Errorf("weights %v: no error", bad[max(0, len(bad)-2):])
		}
	}
}

func TestOwnMemory(t *testing.T) {
	src := newNoise(80)
	lent, back := 0, 0
	o := LoaderOptions{BatchSize: 8, Train: true, Alloc: func(n int) ([]byte, func(), error) {
		b, err := newBuffer(n, nil)
		if err != nil {
			return nil, nil, err
		}
		lent++
		return b.bytes, func() { back++; b.free() }, nil
	}}
	indices, labels := upTo(80)
	l, err := NewLoader(mustPipeline(t, smallConfig()), src, indices, labels, o)
	if err != nil {
		t.Fatal(err)
	}
	if got := epoch(t, l, 0); len(got) != 10 {
		t.Errorf("%d batches", len(got))
	}
	l.Close()
	// Prefetch is 2 by default, and one is in use.
	if lent == 0 || lent > 3 || back != lent {
		t.Errorf("%d buffers lent, %d came back", lent, back)
	}
	o.Alloc = func(int) ([]byte, func(), error) { return nil, nil, errors.New("no pinned memory left") }
	if l, err = NewLoader(mustPipeline(t, smallConfig()), src, indices, labels, o); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	it := l.Epoch(context.Background(), 0)
	defer it.Close()
	if _, err := it.Next(); err == nil || !strings.Contains(err.Error(), "no pinned memory left") {
		t.Errorf("Next: %v", err)
	}
}
