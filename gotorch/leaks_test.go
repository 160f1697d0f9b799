//go:build leaks

package gotorch_test

import (
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// A forgotten tensor is listed with its shape and the function that made it, until it is closed.
func TestLeaksNamesTheMaker(t *testing.T) {
	before := len(torch.Leaks())
	x := torch.Zeros([]int64{3, 17}, false)
	list := torch.Leaks()
	if len(list) != before+1 {
		t.Fatalf("%d tensors are listed, want %d", len(list), before+1)
	}
	found := false
	for _, l := range list {
		found = found || strings.Contains(l, "[3 17]") && strings.Contains(l, "TestLeaksNamesTheMaker") && strings.Contains(l, "leaks_test.go:")
	}
	if !found {
		t.Errorf("no entry names the shape and this function:\n%s", strings.Join(list, "\n"))
	}
	x.Close()
	if n := len(torch.Leaks()); n != before {
		t.Errorf("%d tensors are listed after Close, want %d", n, before)
	}
	torch.Scoped(func(*torch.Scope) { torch.Ones([]int64{2}, false) })
	if n := len(torch.Leaks()); n != before {
		t.Errorf("%d tensors are listed after a scope, want %d", n, before)
	}
}
