package gotorch

// #include "stubs.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// Tensor is a handle on a tensor of libtorch. Copies of a Tensor share the handle: closing one
// closes all. The zero Tensor stands for none, as for a layer without a bias.
type Tensor struct {
	// T is nil for the zero Tensor and points to nil once the tensor is closed.
	T *unsafe.Pointer
}

// handle is what Tensor.T points into.
type handle struct {
	impl    unsafe.Pointer // at::TensorImpl*, one reference; nil when closed. First: Tensor.T points here.
	scope   *Scope         // nil: the owner closes it
	cleanup runtime.Cleanup
}

func (t Tensor) handle() *handle { return (*handle)(unsafe.Pointer(t.T)) }

func (h *handle) tensor() Tensor { return Tensor{(*unsafe.Pointer)(unsafe.Pointer(h))} }

// c returns the tensor for a call of op.
func (t Tensor) c(op string) C.cgt_t {
	if t.T == nil {
		refuse(op, "an operand is the zero Tensor")
	}
	p := *t.T
	if p == nil {
		refuse(op, "an operand was used after it was closed")
	}
	return C.cgt_t(p)
}

// orNil is c for operands that may be absent.
func (t Tensor) orNil(op string) C.cgt_t {
	if t.T == nil {
		return nil
	}
	return t.c(op)
}

// impls returns the operands of a call that takes a list.
func impls(ts []Tensor, op string) []C.cgt_t {
	list := make([]C.cgt_t, len(ts))
	for i, t := range ts {
		list[i] = t.c(op)
	}
	return list
}

// born makes the handle of a call's result.
func born(r C.cgt_rt, op string) Tensor {
	if r.err != nil {
		fail(r.err, op)
	}
	return newHandle(unsafe.Pointer(r.t), int64(r.scope))
}

func bornSeveral(r C.cgt_rts, op string) [3]Tensor {
	check(r.err, op)
	var ts [3]Tensor
	for i := range ts {
		ts[i] = newHandle(unsafe.Pointer(r.t[i]), int64(r.scope))
	}
	return ts
}

func bornList(r C.cgt_rl, op string) []Tensor {
	check(r.err, op)
	ts := make([]Tensor, int(r.n))
	for i, t := range unsafe.Slice(r.list, int(r.n)) {
		ts[i] = newHandle(unsafe.Pointer(t), int64(r.scope))
	}
	C.cgt_free(unsafe.Pointer(r.list))
	return ts
}

// newHandle gives a tensor to the scope in slot, or to its maker when slot is 0. An undefined
// tensor becomes the zero Tensor.
func newHandle(impl unsafe.Pointer, slot int64) Tensor {
	if impl == nil {
		return Tensor{}
	}
	var h *handle
	if slot != 0 {
		h = scopeAt(slot).newHandle()
		h.impl = impl
	} else {
		h = &handle{impl: impl}
		h.addCleanup()
	}
	track(h)
	return h.tensor()
}

// lost is what a forgotten handle leaves behind: its tensor, and its own address as a name.
type lost struct {
	impl C.cgt_t // no memory of Go
	name uintptr
}

func (h *handle) addCleanup() {
	h.cleanup = runtime.AddCleanup(h, func(l lost) {
		untrack(l.name)
		C.cgt_release(&l.impl, 1)
	}, lost{C.cgt_t(h.impl), h.name()})
}

func (h *handle) name() uintptr { return uintptr(unsafe.Pointer(h)) }

// Close frees the tensor's memory unless something else in libtorch still uses it (a view, the graph
// of a loss, an optimiser). Closing it again does nothing; using it afterwards panics.
func (t *Tensor) Close() {
	if t.T == nil || *t.T == nil {
		return
	}
	h := t.handle()
	if h.scope == nil {
		h.cleanup.Stop()
	}
	p := C.cgt_t(h.impl)
	untrack(h.name())
	h.impl = nil
	C.cgt_release(&p, 1)
}

// Defined tells whether the tensor is there: neither the zero Tensor nor closed.
func (t Tensor) Defined() bool { return t.T != nil && *t.T != nil }
