package augment

import (
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func epochOf(t *testing.T, l *Loader, epoch int) (all [][]float32) {
	t.Helper()
	it := l.Epoch(t.Context(), epoch)
	defer it.Close()
	for {
		b, err := it.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, append([]float32(nil), b.Images...))
		b.Release()
	}
}

// TestGivingWay: whoever waits for a batch makes what is missing of it, the batches are the same, and an unreadable
// picture that it comes upon is left out as one that a worker finds.
func TestGivingWay(t *testing.T) {
	src := newNoise(40)
	src.bad[7] = true
	labels := make([]int64, 40)
	indices := make([]int, 40)
	for i := range indices {
		indices[i] = i
	}
	open := func(o LoaderOptions) *Loader {
		o.BatchSize, o.Train, o.Seed, o.Layout = 8, true, 3, NHWC
		l, err := NewLoader(mustPipeline(t, smallConfig()), src, indices, labels, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(l.Close)
		return l
	}
	want := epochOf(t, open(LoaderOptions{}), 1)

	// The one worker is held up inside its first picture until others have made some: only Next can have.
	held, made := make(chan struct{}), 0
	var mu sync.Mutex
	first := true
	src.delay = func(int) {
		mu.Lock()
		worker := first
		first = false
		if made++; made == 5 {
			close(held)
		}
		mu.Unlock()
		if worker {
			select {
			case <-held:
			case <-time.After(time.Minute):
				t.Error("nobody but the worker made pictures")
			}
		}
	}
	got := epochOf(t, open(LoaderOptions{Workers: 1, GiveWay: true}), 1)
	if !cmp.Equal(got, want) {
		t.Errorf("%d batches with a helper, %d without, or of other values", len(got), len(want))
	}
}

// TestCloseWhileHelping ends an epoch from elsewhere while Next makes pictures.
func TestCloseWhileHelping(t *testing.T) {
	src := newNoise(64)
	src.delay = func(int) { time.Sleep(time.Millisecond) }
	indices := make([]int, 64)
	for i := range indices {
		indices[i] = i
	}
	l, err := NewLoader(mustPipeline(t, smallConfig()), src, indices, make([]int64, 64), LoaderOptions{BatchSize: 32, Train: true, Workers: 1, GiveWay: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 10 {
		it := l.Epoch(t.Context(), 0)
		time.AfterFunc(3*time.Millisecond, it.Close)
		for {
			b, err := it.Next()
			if err != nil {
				break
			}
			b.Release()
		}
		it.Close()
	}
}
