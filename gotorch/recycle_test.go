package gotorch_test

import (
	"os"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// TestLargeTensorsTakeTurns: the memory of a large tensor that is gone serves the next one, and a small one is
// left to the system's allocator.
func TestLargeTensorsTakeTurns(t *testing.T) {
	if os.Getenv("CGT_ASAN") != "" || strings.EqualFold(os.Getenv("GOTORCH_RECYCLE"), "off") {
		t.Skip("the allocator is off in this build or environment")
	}
	const floats = 5 << 20 // a size no other test uses
	place := func() (at uintptr, first float32) {
		torch.Scoped(func(*torch.Scope) {
			x := torch.Empty([]int64{floats}, false)
			at = uintptr(x.DataPtr())
			first = x.Slice(0, 0, 1, 1).Item().(float32)
			x.FillI(7)
		})
		return at, first
	}
	one, _ := place()
	two, left := place()
	if one != two || left != 7 {
		t.Errorf("a tensor at %#x, after it one of the same size at %#x that begins with %g; want the same memory", one, two, left)
	}
	if one%64 != 0 {
		t.Errorf("memory at %#x is not aligned to 64 bytes", one)
	}
}
