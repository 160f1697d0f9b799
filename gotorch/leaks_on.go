//go:build leaks

package gotorch

import (
	"fmt"
	"runtime"
	"sort"
	"strings"
	"sync"
)

// live maps the address of each live handle to the stack of its birth. An address is no reference,
// so forgotten handles still reach the collector.
var live struct {
	sync.Mutex
	stacks map[uintptr]birth
}

type birth struct {
	shape string
	stack []uintptr
}

func track(h *handle) {
	pcs := make([]uintptr, 24)
	n := runtime.Callers(3, pcs)
	shape := fmt.Sprint(h.tensor().Shape())
	live.Lock()
	defer live.Unlock()
	if live.stacks == nil {
		live.stacks = map[uintptr]birth{}
	}
	live.stacks[h.name()] = birth{shape, pcs[:n]}
}

func untrack(name uintptr) {
	live.Lock()
	defer live.Unlock()
	delete(live.stacks, name)
}

// Leaks lists the tensors that are alive, each with its shape and where it was made. It is not nil even when
// there are none, which tells this build from one without the tag leaks.
func Leaks() []string {
	live.Lock()
	defer live.Unlock()
	list := []string{}
	for _, b := range live.stacks {
		var s strings.Builder
		fmt.Fprintf(&s, "tensor of shape %s, made at", b.shape)
		frames := runtime.CallersFrames(b.stack)
		for {
			f, more := frames.Next()
			fmt.Fprintf(&s, "\n\t%s\n\t\t%s:%d", f.Function, f.File, f.Line)
			if !more {
				break
			}
		}
		list = append(list, s.String())
	}
	sort.Strings(list)
	return list
}
