package data

import (
	"context"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/internal/testdata"
)

// epochs runs through the pictures of src from one goroutine for each core and
// reports the rate. Each picture's pixels are read once, as a kernel would.
func epochs(b *testing.B, n int, borrow func(i int, scratch *Picture) (*Picture, error)) {
	b.Helper()
	var next, sum atomic.Int64
	workers := runtime.GOMAXPROCS(0)
	total := 0
	start, cpu := time.Now(), cpuSeconds()
	for b.Loop() {
		next.Store(0)
		done := make(chan error, workers)
		for range workers {
			go func() {
				scratch := &Picture{}
				for {
					i := int(next.Add(1)) - 1
					if i >= n {
						done <- nil
						return
					}
					p, err := borrow(i, scratch)
					if err != nil {
						done <- err
						return
					}
					s := 0
					for k := 0; k < len(p.Pix); k += 64 {
						s += int(p.Pix[k])
					}
					sum.Add(int64(s))
				}
			}()
		}
		for range workers {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
		total += n
	}
	b.ReportMetric(float64(total)/time.Since(start).Seconds(), "img/s")
	b.ReportMetric(float64(total)/(cpuSeconds()-cpu), "img/cpu-s")
}

// cpuSeconds returns the processor time taken so far, which other programs
// disturb less than the clock on the wall.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func benchSet(b *testing.B) *Dataset {
	b.Helper()
	d, err := Open(context.Background(), testdata.Photos(b, "trashnet"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

func BenchmarkEpochDecode(b *testing.B) {
	d := benchSet(b)
	epochs(b, len(d.Samples), d.Borrow)
}

func BenchmarkEpochCache(b *testing.B) {
	d := benchSet(b)
	c := NewCache(d, 4<<30)
	defer c.Close()
	epochs(b, len(d.Samples), c.Borrow)
}

// The first epoch of a store, which is also written.
func BenchmarkEpochStoreFirst(b *testing.B) {
	d := benchSet(b)
	dir := b.TempDir()
	for b.Loop() {
		s, err := OpenStore(d.DecodedAs(DecodeOptions{ShortSide: 256}), StoreOptions{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		start, cpu := time.Now(), cpuSeconds()
		scratch := &Picture{}
		for i := range d.Samples {
			if _, err := s.Borrow(i, scratch); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(d.Samples))/time.Since(start).Seconds(), "img/s")
		b.ReportMetric(float64(len(d.Samples))/(cpuSeconds()-cpu), "img/cpu-s")
		b.ReportMetric(float64(s.Stats().Dropped), "dropped")
		s.Close()
		if _, err := ClearStores(dir, ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEpochStore(b *testing.B) {
	d := benchSet(b)
	s, err := OpenStore(d, StoreOptions{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for n, _ := s.Plan(); n > 0; n, _ = s.Plan() {
		for i := range d.Samples {
			if _, err := s.Picture(i); err != nil {
				b.Fatal(err)
			}
		}
	}
	epochs(b, len(d.Samples), s.Borrow)
}

func BenchmarkResize(b *testing.B) {
	src := blobs(1, 512, 384)
	var dst Picture
	cpu, n := cpuSeconds(), 0
	for b.Loop() {
		if err := Resize(&dst, src, 341, 256); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric((cpuSeconds()-cpu)/float64(n)*1e6, "us-cpu")
}
