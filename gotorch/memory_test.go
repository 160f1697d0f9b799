package gotorch_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// rss returns the resident memory of the process in bytes.
func rss(t testing.TB) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc: ", err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(strings.TrimSpace(string(b)), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

// A loop in the older gotorch's manner keeps its memory although Go's collector never runs.
func TestGCNeedsNoCollector(t *testing.T) {
	if torch.Leaks() != nil {
		t.Skip("this build records every tensor")
	}
	w := torch.RandN([]int64{256, 256}, true)
	defer w.Close()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var early int64
	for i := range 1100 {
		torch.GC()
		w.MM(w).Relu().Sum().Backward() // over 1 MiB of tensors a round
		if i == 100 {
			early = rss(t)
		}
	}
	torch.FinishGC()
	if grown := rss(t) - early; grown > 16<<20 {
		t.Errorf("1000 rounds left %d MiB", grown>>20)
	}
}

// 100,000 rounds of operations, errors and gradients under scopes grow resident memory by less than
// 1 % after the first tenth.
func TestMemoryStaysFlat(t *testing.T) {
	rounds := 100_000
	if testing.Short() || torch.Leaks() != nil {
		rounds = 10_000
	}
	w := torch.RandN([]int64{32, 32}, true)
	defer w.Close()
	var early int64
	for i := range rounds {
		torch.Scoped(func(*torch.Scope) {
			x := torch.RandN([]int64{4, 32}, false)
			y := x.MM(w).Relu().Sum()
			if i%10 == 0 {
				y.Backward()
				w.SetGrad(torch.Tensor{})
			}
			if i%100 == 0 {
				if torch.Try(func() { x.MM(x) }) == nil {
					t.Fatal("multiplying 4x32 by 4x32 must fail")
				}
			}
		})
		if i == rounds/10 {
			debug.FreeOSMemory() // what Go's collector has not come to yet is no growth
			early = rss(t)
		}
	}
	debug.FreeOSMemory()
	late := rss(t)
	t.Logf("resident memory: %.1f MiB after %d rounds, %.1f MiB after %d", float64(early)/(1<<20), rounds/10, float64(late)/(1<<20), rounds)
	if float64(late-early) > 0.01*float64(early) {
		t.Errorf("resident memory grew from %d to %d bytes", early, late)
	}
}
