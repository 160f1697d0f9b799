package gotorch

// #include "stubs.h"
import "C"

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Scope owns the tensors born on its thread while it is the innermost open scope there.
//
// NewScope locks the calling goroutine to its thread until Close, so the scope belongs to that
// goroutine alone. Scopes nest: closing one closes those still open within it first, as after a
// panic that a deferred Close of an outer scope meets.
type Scope struct {
	parent *Scope
	slot   int64
	closed bool
	round  bool       // opened by GC
	slabs  [][]handle // handles of tensors born here; full slabs first
	kept   []*handle  // handles that an inner scope handed out
}

// slabSize is the number of handles that are allocated together.
const slabSize = 64

// The open scopes by their slot. Readers take no lock; slot 0 is never used.
var scopes struct {
	sync.Mutex
	table atomic.Pointer[[]*Scope]
	free  []int64
}

func scopeAt(slot int64) *Scope { return (*scopes.table.Load())[slot] }

// NewScope opens a scope on the calling goroutine and locks the goroutine to its thread. The caller
// closes it, from the same goroutine.
func NewScope() *Scope {
	need()
	runtime.LockOSThread()
	s := &Scope{}
	if outer := int64(C.gt_get_scope()); outer != 0 {
		s.parent = scopeAt(outer)
	} else {
		C.cgt_thread_init()
	}
	s.slot = takeSlot(s)
	C.gt_swap_scope(C.int64_t(s.slot))
	return s
}

func takeSlot(s *Scope) int64 {
	scopes.Lock()
	defer scopes.Unlock()
	old := scopes.table.Load()
	if n := len(scopes.free); n > 0 {
		slot := scopes.free[n-1]
		scopes.free = scopes.free[:n-1]
		table := append([]*Scope(nil), *old...)
		table[slot] = s
		scopes.table.Store(&table)
		return slot
	}
	table := []*Scope{nil}
	if old != nil {
		table = append([]*Scope(nil), *old...)
	}
	table = append(table, s)
	scopes.table.Store(&table)
	return int64(len(table) - 1)
}

func giveSlot(slot int64) {
	scopes.Lock()
	defer scopes.Unlock()
	table := append([]*Scope(nil), *scopes.table.Load()...)
	table[slot] = nil
	scopes.table.Store(&table)
	scopes.free = append(scopes.free, slot)
}

func (s *Scope) newHandle() *handle {
	last := len(s.slabs) - 1
	if last < 0 || len(s.slabs[last]) == cap(s.slabs[last]) {
		s.slabs = append(s.slabs, make([]handle, 0, slabSize))
		last++
	}
	slab := append(s.slabs[last], handle{scope: s})
	s.slabs[last] = slab
	return &slab[len(slab)-1]
}

// Close frees the scope's tensors, in the order of their birth, and makes the enclosing scope the
// innermost one again. Closing it again does nothing. It panics when another goroutine calls it.
func (s *Scope) Close() {
	if s.closed {
		return
	}
	current := int64(C.gt_get_scope())
	inner := (*Scope)(nil)
	if current != 0 {
		inner = scopeAt(current)
	}
	for q := inner; q != s; q = q.parent {
		if q == nil {
			refuse("Scope.Close", "the scope belongs to another goroutine")
		}
	}
	for q := inner; ; q = q.parent {
		q.release()
		if q == s {
			return
		}
	}
}

func (s *Scope) release() {
	var impls []C.cgt_t
	drop := func(h *handle) {
		if h.scope == s && h.impl != nil {
			impls = append(impls, C.cgt_t(h.impl))
			untrack(h.name())
			h.impl = nil
		}
	}
	for _, slab := range s.slabs {
		for i := range slab {
			drop(&slab[i])
		}
	}
	for _, h := range s.kept {
		drop(h)
	}
	s.closed, s.slabs, s.kept = true, nil, nil
	outer := int64(0)
	if s.parent != nil {
		outer = s.parent.slot
	}
	C.gt_swap_scope(C.int64_t(outer))
	giveSlot(s.slot)
	if len(impls) > 0 {
		C.cgt_release(unsafe.SliceData(impls), C.int64_t(len(impls)))
	}
	runtime.UnlockOSThread()
}

// Keep hands t to the enclosing scope, or to its owner, who then closes it, when there is none. It
// returns t. A tensor that this scope does not own stays where it is.
func (s *Scope) Keep(t Tensor) Tensor {
	if !t.Defined() {
		return t
	}
	h := t.handle()
	if h.scope != s {
		return t
	}
	h.scope = s.parent
	if s.parent != nil {
		s.parent.keep(h)
		return t
	}
	h.addCleanup()
	return t
}

// keep takes over a handle of an inner scope. A loop that keeps something in every round and closes
// it in the next must not grow the list, so closed handles are dropped before it doubles.
func (s *Scope) keep(h *handle) {
	if len(s.kept) == cap(s.kept) {
		s.kept = slices.DeleteFunc(s.kept, func(h *handle) bool { return h.impl == nil || h.scope != s })
	}
	s.kept = append(s.kept, h)
}

// Len returns the number of live tensors that the scope owns.
func (s *Scope) Len() int {
	n := 0
	for _, slab := range s.slabs {
		for i := range slab {
			if slab[i].scope == s && slab[i].impl != nil {
				n++
			}
		}
	}
	for _, h := range s.kept {
		if h.scope == s && h.impl != nil {
			n++
		}
	}
	return n
}

// Scoped runs f with a scope of its own, closed when f returns or panics.
func Scoped(f func(s *Scope)) {
	s := NewScope()
	defer s.Close()
	f(s)
}
