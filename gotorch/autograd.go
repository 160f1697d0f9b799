package gotorch

// #include "stubs.h"
import "C"

import (
	"runtime"
	"unsafe"
)

// Backward adds the gradient of the 0-dim tensor a to the Grad of every leaf it was computed from,
// and frees the graph.
func (a Tensor) Backward() { a.BackwardWith(Tensor{}, false, false) }

// BackwardWith is Backward for a tensor of any shape: gradient, of a's shape, weighs its elements
// (Tensor{} for a 0-dim a). retainGraph keeps the graph for another call, createGraph makes the
// gradients differentiable.
func (a Tensor) BackwardWith(gradient Tensor, retainGraph, createGraph bool) {
	check(C.cgt_backward(a.c("Backward"), gradient.orNil("Backward"), cbool(retainGraph),
		cbool(createGraph)), "Backward")
	runtime.KeepAlive(a.T)
	runtime.KeepAlive(gradient.T)
}

// Gradients returns the gradients of outputs with respect to inputs, weighed by gradOutputs (one per
// output; none for 0-dim outputs). The zero Tensor stands for an input that took no part.
func Gradients(outputs, inputs, gradOutputs []Tensor, createGraph bool) []Tensor {
	o, i, g := impls(outputs, "Gradients"), impls(inputs, "Gradients"), impls(gradOutputs, "Gradients")
	need()
	r := C.cgt_gradients(unsafe.SliceData(o), C.int64_t(len(o)), unsafe.SliceData(i), C.int64_t(len(i)),
		unsafe.SliceData(g), C.int64_t(len(g)), cbool(createGraph))
	runtime.KeepAlive(outputs)
	runtime.KeepAlive(inputs)
	runtime.KeepAlive(gradOutputs)
	return bornList(r, "Gradients")
}

// Grad returns the gradient that Backward left, the zero Tensor when there is none.
func (a Tensor) Grad() Tensor {
	r := C.cgt_grad(a.c("Grad"))
	runtime.KeepAlive(a.T)
	return born(r, "Grad")
}

// SetGrad replaces the gradient; Tensor{} removes it. It panics when g is of another shape, dtype or device
// than a.
func (a Tensor) SetGrad(g Tensor) {
	check(C.cgt_set_grad(a.c("SetGrad"), g.orNil("SetGrad")), "SetGrad")
	runtime.KeepAlive(a.T)
	runtime.KeepAlive(g.T)
}

// SetRequiresGrad turns the recording of operations on a leaf on or off.
func (a Tensor) SetRequiresGrad(on bool) {
	check(C.cgt_set_requires_grad(a.c("SetRequiresGrad"), cbool(on)), "SetRequiresGrad")
	runtime.KeepAlive(a.T)
}

// NoGrad runs f without recording operations for autograd on this goroutine.
func NoGrad(f func()) { withGradMode(false, f) }

// EnableGrad runs f with operations recorded for autograd, within a NoGrad.
func EnableGrad(f func()) { withGradMode(true, f) }

func withGradMode(on bool, f func()) {
	need()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := C.cgt_grad_mode(cbool(on))
	defer C.cgt_grad_mode(before)
	f()
}

// InferenceMode runs f without autograd and without the bookkeeping that would let its tensors take
// part in autograd later: faster than NoGrad.
func InferenceMode(f func()) {
	need()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	guard := C.cgt_inference_enter()
	if guard == nil {
		refuse("InferenceMode", "out of memory")
	}
	defer C.cgt_inference_leave(guard)
	f()
}

// Autocast runs f with the operations that gain from it done in dtype (BFloat16, or Half on CUDA)
// on device; losses and reductions stay in Float. Within another Autocast it takes that one's place until
// f returns. The backward pass runs outside it.
func Autocast(device Device, dtype Dtype, f func()) { autocast("Autocast", device, dtype, 1, f) }

// NoAutocast runs f without the Autocast around it, for a part that needs the range of Float.
func NoAutocast(device Device, f func()) { autocast("NoAutocast", device, Float, 0, f) }

func autocast(op string, device Device, dtype Dtype, on C.int8_t, f func()) {
	need()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := C.cgt_autocast_enter(C.int8_t(device.T.kind), C.int8_t(dtype), on)
	check(before.err, op)
	defer C.cgt_autocast_leave(C.int8_t(device.T.kind), before.v)
	f()
}

// ClipGradNorm scales the gradients of params so that their joint norm of order normType is at most
// maxNorm, and returns the norm before.
func ClipGradNorm(params []Tensor, maxNorm, normType float64) float64 {
	p := impls(params, "ClipGradNorm")
	need()
	r := C.cgt_clip_grad_norm(unsafe.SliceData(p), C.int64_t(len(p)), C.double(maxNorm), C.double(normType))
	runtime.KeepAlive(params)
	check(r.err, "ClipGradNorm")
	return float64(r.v)
}

// LimitGradNorm is ClipGradNorm that does not wait for a device: the norm before is a 0-dim tensor there.
func LimitGradNorm(params []Tensor, maxNorm, normType float64) Tensor {
	p := impls(params, "LimitGradNorm")
	need()
	r := C.cgt_limit_grad_norm(unsafe.SliceData(p), C.int64_t(len(p)), C.double(maxNorm), C.double(normType))
	runtime.KeepAlive(params)
	return born(r, "LimitGradNorm")
}

// UnscaleGrads multiplies the gradients of params by inverse, a 0-dim Float, the inverse of what the loss
// was multiplied by, and sets found, likewise, to 1 if one of them is not finite. Both are on the
// gradients' device, and nothing waits for it.
func UnscaleGrads(params []Tensor, inverse, found Tensor) {
	p := impls(params, "UnscaleGrads")
	check(C.cgt_unscale_grads(unsafe.SliceData(p), C.int64_t(len(p)), inverse.c("UnscaleGrads"), found.c("UnscaleGrads")), "UnscaleGrads")
	runtime.KeepAlive(params)
	runtime.KeepAlive(inverse)
	runtime.KeepAlive(found)
}

// UpdateScale moves a loss's scale, a 0-dim Float, as torch.amp.GradScaler does: times backoff after a
// step in which found was 1, times growth after interval steps in a row in which it was not, which
// tracker, a 0-dim Int, counts.
func UpdateScale(scale, tracker, found Tensor, growth, backoff float64, interval int) {
	check(C.cgt_scale_update(scale.c("UpdateScale"), tracker.c("UpdateScale"), found.c("UpdateScale"), C.double(growth), C.double(backoff),
		C.int64_t(interval)), "UpdateScale")
	runtime.KeepAlive(scale)
	runtime.KeepAlive(tracker)
	runtime.KeepAlive(found)
}

// ClipGradValue limits the elements of the gradients of params to [-value, value].
func ClipGradValue(params []Tensor, value float64) {
	p := impls(params, "ClipGradValue")
	need()
	err := C.cgt_clip_grad_value(unsafe.SliceData(p), C.int64_t(len(p)), C.double(value))
	runtime.KeepAlive(params)
	check(err, "ClipGradValue")
}
