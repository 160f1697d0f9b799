package gotorch_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

func ones() torch.Tensor { return torch.Ones([]int64{2}, false) }

func TestScopeFreesItsTensors(t *testing.T) {
	s := torch.NewScope()
	x := ones()
	y := x.Add(x, 1)
	if got := s.Len(); got != 2 {
		t.Errorf("the scope owns %d tensors, want 2", got)
	}
	s.Close()
	s.Close() // again does nothing
	for _, z := range []torch.Tensor{x, y} {
		if z.Defined() {
			t.Error("a tensor outlived its scope")
		}
	}
	err := torch.Try(func() { x.Add(y, 1) })
	if err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("using a closed tensor: got %v, want an error that says so", err)
	}
}

func TestScopesNest(t *testing.T) {
	outer := torch.NewScope()
	defer outer.Close()
	a := ones()
	inner := torch.NewScope()
	b, c := ones(), ones()
	kept := inner.Keep(b)
	if kept.T != b.T {
		t.Error("Keep must return its tensor")
	}
	if inner.Len() != 1 || outer.Len() != 2 {
		t.Errorf("inner and outer own %d and %d tensors, want 1 and 2", inner.Len(), outer.Len())
	}
	inner.Keep(a) // the outer scope's: stays where it is
	inner.Close()
	if !a.Defined() || !b.Defined() || c.Defined() {
		t.Errorf("after the inner scope a, b, c are alive: %v %v %v", a.Defined(), b.Defined(), c.Defined())
	}
	d := ones()
	if outer.Len() != 3 {
		t.Errorf("the outer scope owns %d tensors, want 3", outer.Len())
	}
	outer.Close()
	if a.Defined() || b.Defined() || d.Defined() {
		t.Error("a tensor outlived the outer scope")
	}
}

func TestKeepToTheOwner(t *testing.T) {
	s := torch.NewScope()
	x := s.Keep(ones())
	s.Close()
	if got := torch.Values[float32](x); got[0] != 1 {
		t.Errorf("the kept tensor holds %v", got)
	}
	x.Close()
	x.Close()
	if x.Defined() {
		t.Error("the tensor is still there after Close")
	}
}

// A loop that keeps one tensor a round and closes the one before must not grow its scope.
func TestKeepingInALoopStaysSmall(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	state := ones()
	for range 1000 {
		torch.Scoped(func(inner *torch.Scope) {
			next := inner.Keep(state.Add(state, -0.5))
			state.Close()
			state = next
		})
	}
	if s.Len() != 1 {
		t.Errorf("the scope owns %d tensors after the loop, want 1", s.Len())
	}
}

func TestPanicClosesScopes(t *testing.T) {
	var outer, inner *torch.Scope
	var x torch.Tensor
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was lost")
			}
		}()
		outer = torch.NewScope()
		defer outer.Close()
		inner = torch.NewScope() // not deferred: the outer one closes it
		x = ones()
		ones().View(3)
	}()
	if x.Defined() {
		t.Error("a tensor of the inner scope outlived the panic")
	}
	inner.Close() // does nothing
	// The thread has no scope now: a tensor belongs to its maker.
	y := ones()
	defer y.Close()
	s := torch.NewScope()
	defer s.Close()
	if s.Len() != 0 {
		t.Errorf("a fresh scope owns %d tensors", s.Len())
	}
}

func TestScopeBelongsToItsGoroutine(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := ones()
	done := make(chan error)
	go func() {
		y := ones() // born elsewhere: not in s
		defer y.Close()
		done <- torch.Try(s.Close)
	}()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "another goroutine") {
		t.Errorf("closing a scope from another goroutine: got %v", err)
	}
	if s.Len() != 1 || !x.Defined() {
		t.Errorf("the scope owns %d tensors, want 1", s.Len())
	}
}

func TestEightGoroutines(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				torch.Scoped(func(s *torch.Scope) {
					x := torch.Full([]int64{16}, float32(g), true)
					y := x.Mul(x).Sum()
					y.Backward()
					if got := torch.Values[float32](x.Grad())[3]; got != float32(2*g) {
						t.Errorf("goroutine %d: gradient %v", g, got)
					}
					if err := torch.Try(func() { x.View(3) }); err == nil {
						t.Error("a wrong view must fail")
					}
					if s.Len() != 4 {
						t.Errorf("the scope owns %d tensors, want 4", s.Len())
					}
				})
			}
		}()
	}
	wg.Wait()
}

func TestForgottenTensorsAreCollected(t *testing.T) {
	if torch.Leaks() != nil {
		t.Skip("the build lists live tensors")
	}
	before := rss(t)
	for range 40 {
		for range 10 {
			torch.Zeros([]int64{1 << 18}, false) // 1 MiB each, forgotten
		}
		runtime.GC()
	}
	runtime.GC()
	if grown := rss(t) - before; grown > 200<<20 {
		t.Errorf("forgetting 400 MiB of tensors left %d MiB", grown>>20)
	}
}

func TestGCFreesTheRoundBefore(t *testing.T) {
	parameter := ones()
	defer parameter.Close()
	var last torch.Tensor
	for i := range 3 {
		torch.GC()
		if i > 0 && last.Defined() {
			t.Error("a tensor of the round before is alive")
		}
		last = parameter.Add(parameter, 1)
		if !last.Defined() {
			t.Error("this round's tensor is gone")
		}
	}
	torch.FinishGC()
	torch.FinishGC()
	if last.Defined() || !parameter.Defined() {
		t.Error("FinishGC must free the last round and nothing else")
	}
	s := torch.NewScope()
	defer s.Close()
	x := ones()
	torch.FinishGC() // a scope of the program's own is not GC's to close
	if !x.Defined() {
		t.Error("FinishGC closed a scope that GC did not open")
	}
}

func TestTryPassesOtherPanics(t *testing.T) {
	defer func() {
		if r := recover(); r != "mine" {
			t.Errorf("recovered %v, want mine", r)
		}
	}()
	_ = torch.Try(func() { panic("mine") })
}
