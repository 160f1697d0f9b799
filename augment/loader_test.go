package augment

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/wangkuiyi/orrery/data"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noise is a Source of n random pictures; those in bad fail.
type noise struct {
	pics  []*data.Picture
	bad   map[int]bool
	delay func(i int)
}

func newNoise(n int) *noise {
	r := rand.New(rand.NewPCG(1, 2))
	s := &noise{bad: map[int]bool{}}
	for range n {
		p := newPicture(20+r.IntN(60), 20+r.IntN(60))
		for i := range p.Pix {
			p.Pix[i] = uint8(r.Uint32())
		}
		s.pics = append(s.pics, p)
	}
	return s
}

func (s *noise) Picture(i int) (*data.Picture, error) {
	if s.delay != nil {
		s.delay(i)
	}
	if s.bad[i] {
		return nil, fmt.Errorf("picture %d is broken", i)
	}
	return s.pics[i], nil
}

func smallConfig() Config {
	c := ArticleConfig()
	c.ItemSize, c.Size = 46, 20
	return c
}

func mustPipeline(t testing.TB, c Config) *Pipeline {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func upTo(n int) (indices []int, labels []int64) {
	for i := range n {
		indices, labels = append(indices, i), append(labels, int64(i%7))
	}
	return
}

// summary is what one batch holds.
type summary struct {
	Indices []int
	Labels  []int64
	Sum     string
}

func epoch(t testing.TB, l *Loader, n int) []summary {
	t.Helper()
	return readAll(t, l.Epoch(context.Background(), n))
}

func readAll(t testing.TB, it *Iterator) []summary {
	t.Helper()
	defer it.Close()
	var out []summary
	for {
		b, err := it.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Images) != b.N*3*b.Size*b.Size || len(b.Labels) != b.N || len(b.Indices) != b.N {
			t.Fatalf("a batch of %d with %d values, %d labels, %d indices", b.N, len(b.Images), len(b.Labels), len(b.Indices))
		}
		sum := sha256.Sum256(unsafe.Slice((*byte)(unsafe.Pointer(&b.Images[0])), 4*len(b.Images)))
		out = append(out, summary{b.Indices, b.Labels, fmt.Sprintf("%x", sum[:8])})
		b.Release()
		b.Release()
	}
}

func newLoader(t testing.TB, src Source, n int, o LoaderOptions) *Loader {
	t.Helper()
	indices, labels := upTo(n)
	l, err := NewLoader(mustPipeline(t, smallConfig()), src, indices, labels, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func TestBatchesDoNotDependOnWorkers(t *testing.T) {
	src := newNoise(50)
	o := LoaderOptions{BatchSize: 8, Train: true, Seed: 3}
	var want [2][]summary
	for _, workers := range []int{1, 2, 7} {
		for _, prefetch := range []int{1, 3} {
			o.Workers, o.Prefetch = workers, prefetch
			l := newLoader(t, src, 50, o)
			for e := range 2 {
				got := epoch(t, l, e)
				if want[e] == nil {
					want[e] = got
				}
				if d := cmp.Diff(want[e], got); d != "" {
					t.Errorf("%d workers, prefetch %d, epoch %d: %s", workers, prefetch, e, d)
				}
			}
		}
	}
	if cmp.Equal(want[0], want[1]) {
		t.Error("two epochs are the same")
	}
	if cmp.Equal(want[0][0].Indices, want[1][0].Indices) {
		t.Error("two epochs have the same order")
	}
	if len(want[0]) != 6 {
		t.Errorf("%d batches of 8 from 50 pictures, want 6", len(want[0]))
	}
	seen := map[int]int{}
	for _, b := range want[0] {
		for k, i := range b.Indices {
			seen[i]++
			if b.Labels[k] != int64(i%7) {
				t.Errorf("picture %d has label %d", i, b.Labels[k])
			}
		}
	}
	if len(seen) != 48 {
		t.Errorf("%d different pictures in 48 places", len(seen))
	}
	o.Seed = 4
	if cmp.Equal(want[0], epoch(t, newLoader(t, src, 50, o), 0)) {
		t.Error("two seeds give the same epoch")
	}
}

func TestValidationKeepsOrderAndTheLastBatch(t *testing.T) {
	l := newLoader(t, newNoise(21), 21, LoaderOptions{BatchSize: 8, Workers: 3})
	got := epoch(t, l, 0)
	var order []int
	for _, b := range got {
		order = append(order, b.Indices...)
	}
	want, _ := upTo(21)
	if d := cmp.Diff(want, order); d != "" {
		t.Error(d)
	}
	if len(got) != 3 || l.Steps() != 3 {
		t.Errorf("%d batches, Steps %d, want 3", len(got), l.Steps())
	}
	if d := cmp.Diff(got, epoch(t, l, 1)); d != "" {
		t.Errorf("validation differs between epochs: %s", d)
	}
}

func TestUnreadablePicturesAreReplaced(t *testing.T) {
	src := newNoise(60)
	for _, i := range []int{0, 7, 8, 31, 59} {
		src.bad[i] = true
	}
	for _, train := range []bool{true, false} {
		var want []summary
		for workers := 1; workers <= 5; workers++ {
			var skipped []int
			r := rand.New(rand.NewPCG(uint64(workers), 0))
			src.delay = func(int) {} // and then with delays, so that failures come late
			if workers > 2 {
				wait := make([]time.Duration, 60)
				for i := range wait {
					wait[i] = time.Duration(r.IntN(300)) * time.Microsecond
				}
				src.delay = func(i int) { time.Sleep(wait[i]) }
			}
			l := newLoader(t, src, 60, LoaderOptions{BatchSize: 8, Workers: workers, Train: train, Prefetch: 3,
				OnSkip: func(i int, err error) {
					if err == nil {
						t.Error("OnSkip without an error")
					}
					skipped = append(skipped, i)
				}})
			first, second := epoch(t, l, 0), epoch(t, l, 0)
			if d := cmp.Diff(first, second); d != "" {
				t.Errorf("train %v, %d workers: knowing the bad pictures changes the epoch: %s", train, workers, d)
			}
			if want == nil {
				want = first
			}
			if d := cmp.Diff(want, first); d != "" {
				t.Errorf("train %v, %d workers: %s", train, workers, d)
			}
			slices.Sort(skipped)
			seen := slices.Compact(slices.Clone(skipped))
			if len(seen) != len(skipped) {
				t.Errorf("skips reported twice: %v", skipped)
			}
			if !train && !cmp.Equal(seen, []int{0, 7, 8, 31, 59}) {
				t.Errorf("skipped %v", seen)
			}
			n := 0
			for _, b := range first {
				n += b.N()
				for _, i := range b.Indices {
					if src.bad[i] {
						t.Errorf("broken picture %d in a batch", i)
					}
				}
			}
			if wantN := map[bool]int{true: 48, false: 55}[train]; n != wantN {
				t.Errorf("train %v: %d pictures in the epoch, want %d", train, n, wantN)
			}
		}
	}
}

func TestEpochFromTheMiddle(t *testing.T) {
	src := newNoise(60)
	for _, i := range []int{3, 17, 40} {
		src.bad[i] = true
	}
	for name, mixer := range map[string]List{"plain": nil, "mixup": {MixUp{0.4}}} {
		o := LoaderOptions{BatchSize: 8, Workers: 3, Train: true, Seed: 5}
		fresh := func() *Loader { return listLoader(t, append(smallConfig().List(), mixer...), src, 60, o) }
		whole := fresh()
		want := epoch(t, whole, 4)
		for from := range len(want) + 2 {
			l := fresh()
			l.options.OnSkip = func(i int, _ error) { t.Errorf("picture %d was known to be unreadable", i) }
			l.SetUnreadable(whole.Unreadable())
			got := readAll(t, l.EpochFrom(context.Background(), 4, from))
			if d := cmp.Diff(want[min(from, len(want)):], append([]summary{}, got...)); d != "" {
				t.Errorf("%s from batch %d: %s", name, from, d)
			}
		}
		if d := cmp.Diff([]int{3, 17, 40}, whole.Unreadable()); name == "plain" && d != "" {
			t.Errorf("unreadable: %s", d)
		}
	}
}

func (s summary) N() int { return len(s.Indices) }

func TestNothingReadable(t *testing.T) {
	src := newNoise(9)
	for i := range 9 {
		src.bad[i] = true
	}
	for _, train := range []bool{true, false} {
		it := newLoader(t, src, 9, LoaderOptions{BatchSize: 4, Workers: 2, Train: train}).Epoch(context.Background(), 0)
		if b, err := it.Next(); err == nil || err == io.EOF {
			t.Errorf("Next is (%v, %v): want an error that says what is wrong", b, err)
		}
	}
}

func TestCancelAndClose(t *testing.T) {
	src := newNoise(64)
	src.delay = func(int) { time.Sleep(time.Millisecond) }
	l := newLoader(t, src, 64, LoaderOptions{BatchSize: 8, Workers: 4, Train: true})
	ctx, cancel := context.WithCancel(context.Background())
	it := l.Epoch(ctx, 0)
	b, err := it.Next()
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for err == nil {
		var more *Batch
		if more, err = it.Next(); err == nil {
			more.Release()
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	if b.Images[0] != b.Images[0] || len(b.Indices) != 8 {
		t.Error("a batch in hand lost its contents")
	}
	it.Close()
	b.Release()
	for range 20 { // Close in any state, without reading
		it := l.Epoch(context.Background(), 1)
		it.Close()
		it.Close()
		if _, err := it.Next(); err == nil {
			t.Error("Next after Close gives a batch")
		}
	}
	if n := len(l.buffers.notify); n != 0 {
		t.Errorf("%d finished epochs still listen for buffers", n)
	}
	if got := epoch(t, l, 2); len(got) != 8 {
		t.Errorf("%d batches after the interruptions, want 8", len(got))
	}
}

func TestBatchInUseKeepsItsMemory(t *testing.T) {
	src := newNoise(64)
	l := newLoader(t, src, 64, LoaderOptions{BatchSize: 8, Workers: 2, Prefetch: 2, Train: true})
	it := l.Epoch(context.Background(), 0)
	defer it.Close()
	held, err := it.Next()
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(held.Images)
	for range 4 {
		b, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		if &b.Images[0] == &held.Images[0] {
			t.Fatal("a buffer was lent out twice")
		}
		b.Release()
	}
	if !slices.Equal(before, held.Images) {
		t.Error("a batch in use was overwritten")
	}
	if uintptr(unsafe.Pointer(&held.Images[0]))%64 != 0 {
		t.Error("images are not aligned to 64 bytes")
	}
	held.Release()
}

func TestLoaderRefuses(t *testing.T) {
	p := mustPipeline(t, smallConfig())
	src := newNoise(4)
	indices, labels := upTo(4)
	for name, try := range map[string]func() (*Loader, error){
		"no pictures":  func() (*Loader, error) { return NewLoader(p, src, nil, nil, LoaderOptions{BatchSize: 1}) },
		"labels":       func() (*Loader, error) { return NewLoader(p, src, indices, labels[:2], LoaderOptions{BatchSize: 1}) },
		"batch size 0": func() (*Loader, error) { return NewLoader(p, src, indices, labels, LoaderOptions{}) },
		"batch size 5 of 4": func() (*Loader, error) {
			return NewLoader(p, src, indices, labels, LoaderOptions{BatchSize: 5, Train: true})
		},
	} {
		if _, err := try(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, change := range map[string]func(*Config){
		"size 0":       func(c *Config) { c.Size = 0 },
		"item size -1": func(c *Config) { c.ItemSize = -1 },
		"zoom":         func(c *Config) { c.MinZoom = 2 },
		"lighting 1":   func(c *Config) { c.MaxLighting = 1 },
		"std 0":        func(c *Config) { c.Mean, c.Std = []float32{0, 0, 0}, []float32{1, 0, 1} },
		"two means":    func(c *Config) { c.Mean, c.Std = []float32{0, 0}, []float32{1, 1} },
	} {
		c := ArticleConfig()
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
