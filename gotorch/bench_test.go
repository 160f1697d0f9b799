package gotorch_test

import (
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// The cost of the binding: the same addition of two elements from Go and inside C++, and the bare
// call from Go into C++. make bench prints them.

func BenchmarkAddFromGo(b *testing.B) {
	s := torch.NewScope()
	defer s.Close()
	x, y := torch.Ones([]int64{2}, false), torch.Ones([]int64{2}, false)
	b.ReportAllocs()
	const round = 256
	for n := 0; n < b.N; n += round {
		torch.Scoped(func(*torch.Scope) {
			for range min(round, b.N-n) {
				torch.Add(x, y, 1)
			}
		})
	}
}

func BenchmarkAddInCpp(b *testing.B) {
	b.ReportMetric(torch.NativeAdd(b.N), "ns/op")
}

func BenchmarkCall(b *testing.B) {
	torch.NativeAdd(1)
	for b.Loop() {
		torch.NativeNop()
	}
}

func BenchmarkScope(b *testing.B) {
	for b.Loop() {
		torch.NewScope().Close()
	}
}

func BenchmarkAddOutsideAScope(b *testing.B) {
	x, y := torch.Ones([]int64{2}, false), torch.Ones([]int64{2}, false)
	defer x.Close()
	defer y.Close()
	b.ReportAllocs()
	for b.Loop() {
		z := torch.Add(x, y, 1)
		z.Close()
	}
}

// The names of the operations reach the messages without a price when nothing fails.
func TestACallAllocatesAlmostNothing(t *testing.T) {
	if torch.Leaks() != nil {
		t.Skip("this build records every tensor")
	}
	s := torch.NewScope()
	defer s.Close()
	x := torch.Ones([]int64{1, 1, 4, 4}, false)
	w := torch.Ones([]int64{1, 1, 3, 3}, false)
	one, zero := []int64{1, 1}, []int64{0, 0}
	const calls = 64
	allocs := testing.AllocsPerRun(20, func() {
		torch.Scoped(func(*torch.Scope) {
			for range calls {
				torch.Conv2d(x, w, torch.Tensor{}, one, zero, one, 1)
			}
		})
	})
	// The scope itself, its table of handles and the list it frees: nothing for each call.
	if allocs > 20 {
		t.Errorf("%v allocations for %d calls", allocs, calls)
	}
}
