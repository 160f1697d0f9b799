package augment

import (
	"context"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/kernel"
	"github.com/wangkuiyi/orrery/internal/testdata"
)

func benchmarkPixels(b *testing.B, pixels Pixels, w, h int) {
	c := ArticleConfig()
	c.Pixels = pixels
	benchmarkPipeline(b, mustPipeline(b, c), w, h)
}

func benchmarkPipeline(b *testing.B, p *Pipeline, w, h int) {
	benchmarkForm(b, p, kernel.Best(), w, h)
}

func benchmarkForm(b *testing.B, p *Pipeline, form kernel.Form, w, h int) {
	k, err := p.newWorker(form)
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	r := rand.New(rand.NewPCG(1, 1))
	pics := make([]*data.Picture, 16)
	for i := range pics {
		pics[i] = oddPicture(r, w, h)
	}
	out := make([]float32, 64*p.Elements()) // a batch, which no cache holds
	params := make([]Params, 64)
	for i := range params {
		params[i] = p.Draw(1, 0, i)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.ResetTimer()
	before := threadTime()
	for i := range b.N {
		if err := k.Apply(out[i%64*p.Elements():][:p.Elements()], pics[i%len(pics)], params[i%len(params)], true, NHWC); err != nil {
			b.Fatal(err)
		}
	}
	// Processor time: what the picture costs, also on a busy machine.
	b.ReportMetric(float64(threadTime()-before)/float64(b.N), "cpu-ns/op")
}

func threadTime() int64 { return cpuTime(unix.RUSAGE_THREAD) }

func cpuTime(who int) int64 {
	var r unix.Rusage
	if err := unix.Getrusage(who, &r); err != nil {
		return 0
	}
	return r.Utime.Nano() + r.Stime.Nano()
}

func BenchmarkExact(b *testing.B)      { benchmarkPixels(b, Exact, 384, 512) }
func BenchmarkFast(b *testing.B)       { benchmarkPixels(b, Fast, 384, 512) }
func BenchmarkExactLarge(b *testing.B) { benchmarkPixels(b, Exact, 3000, 2000) }
func BenchmarkFastLarge(b *testing.B)  { benchmarkPixels(b, Fast, 3000, 2000) }

// BenchmarkMore runs each transform that the native pass leaves to a pass of its own, always on.
func BenchmarkMore(b *testing.B) {
	for _, t := range []Transform{
		RandAugment{Ops: 2, Magnitude: 9, Bins: 31}, Saturation{Max: 0.2, P: 1}, Hue{Max: 0.1, P: 1}, Grayscale{P: 1},
		Blur{Kernel: 5, MinSigma: 1, MaxSigma: 2, P: 1}, RandomErasing{P: 1, MinArea: 0.3, MaxArea: 0.3, MinAspect: 1, Count: 1},
	} {
		b.Run(t.Name(), func(b *testing.B) {
			benchmarkPipeline(b, mustList(b, List{RandomResizedCrop{Size: 200, MinScale: 0.3, MaxScale: 1, MinRatio: 0.75, MaxRatio: 1.33}, t}), 384, 512)
		})
	}
}

// BenchmarkLoader runs whole epochs over trashnet; one operation is one picture.
func BenchmarkLoader(b *testing.B) {
	set, err := data.Open(context.Background(), testdata.Photos(b, "trashnet"), data.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer set.Close()
	cache := data.NewCache(set, 4<<30)
	defer cache.Close()
	indices := make([]int, set.Len())
	for i := range indices {
		indices[i] = i
	}
	for _, pixels := range []Pixels{Exact, Fast} {
		for name, src := range map[string]Source{"jpeg": set, "cache": cache} {
			b.Run(pixels.String()+"/"+name, func(b *testing.B) {
				c := ArticleConfig()
				c.Pixels = pixels
				l, err := NewLoader(mustPipeline(b, c), src, indices, set.Labels(), LoaderOptions{BatchSize: 64, Workers: 2, Train: true, Layout: NHWC})
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				if src == Source(cache) {
					for _, i := range indices { // the first epoch's decoding is not what this measures
						if _, err := cache.Picture(i); err != nil {
							b.Fatal(err)
						}
					}
				}
				b.ResetTimer()
				before := cpuTime(unix.RUSAGE_SELF)
				n := 0
				for e := 0; n < b.N; e++ {
					it := l.Epoch(context.Background(), e)
					for n < b.N {
						batch, err := it.Next()
						if err == io.EOF {
							break
						}
						if err != nil {
							b.Fatal(err)
						}
						n += batch.N
						batch.Release()
					}
					it.Close()
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "img/s")
				b.ReportMetric(float64(n)*1e9/float64(cpuTime(unix.RUSAGE_SELF)-before), "img/cpu-s")
			})
		}
	}
}

// BenchmarkFastForms is the fast kernel in each form, from pictures as large as the store keeps them for it.
func BenchmarkFastForms(b *testing.B) {
	c := ArticleConfig()
	c.Pixels = Fast
	p := mustPipeline(b, c)
	for form := kernel.Scalar; form <= kernel.Best(); form++ {
		b.Run(form.String(), func(b *testing.B) { benchmarkForm(b, p, form, 256, 342) })
	}
}
