package gotorch

// #include "stubs.h"
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"
)

func (t Tensor) describe(op string) C.cgt_info {
	info := C.cgt_describe(t.c(op))
	check(info.err, op)
	return info
}

// Dim returns the number of dimensions.
func (a Tensor) Dim() int64 {
	info := a.describe("Dim")
	runtime.KeepAlive(a.T)
	return int64(info.dim)
}

// Shape returns the size of each dimension, empty for a 0-dim tensor.
func (a Tensor) Shape() []int64 {
	info := a.describe("Shape")
	shape := make([]int64, int(info.dim))
	copy(shape, unsafe.Slice((*int64)(info.sizes), int(info.dim)))
	runtime.KeepAlive(a.T)
	return shape
}

// Strides returns the distance in elements between neighbours of each dimension.
func (a Tensor) Strides() []int64 {
	info := a.describe("Strides")
	strides := make([]int64, int(info.dim))
	if info.strides != nil {
		copy(strides, unsafe.Slice((*int64)(info.strides), int(info.dim)))
	}
	runtime.KeepAlive(a.T)
	return strides
}

// Numel returns the number of elements.
func (a Tensor) Numel() int64 {
	info := a.describe("Numel")
	runtime.KeepAlive(a.T)
	return int64(info.numel)
}

// Dtype returns the type of the elements.
func (a Tensor) Dtype() Dtype {
	info := a.describe("Dtype")
	runtime.KeepAlive(a.T)
	return Dtype(info.dtype)
}

// Device returns where the elements live.
func (a Tensor) Device() Device {
	info := a.describe("Device")
	runtime.KeepAlive(a.T)
	return Device{deviceID{int8(info.device_type), int16(info.device_index)}}
}

// IsContiguous tells whether the elements lie in the order of the dimensions.
func (a Tensor) IsContiguous() bool {
	info := a.describe("IsContiguous")
	runtime.KeepAlive(a.T)
	return info.contiguous != 0
}

// IsChannelsLast tells whether the elements of a 4-dim tensor lie in the order NHWC.
func (a Tensor) IsChannelsLast() bool {
	info := a.describe("IsChannelsLast")
	runtime.KeepAlive(a.T)
	return info.channels_last != 0
}

// RequiresGrad tells whether autograd records operations on the tensor.
func (a Tensor) RequiresGrad() bool {
	info := a.describe("RequiresGrad")
	runtime.KeepAlive(a.T)
	return info.requires_grad != 0
}

// IsLeaf tells whether the tensor was made by the user and not by a recorded operation.
func (a Tensor) IsLeaf() bool {
	info := a.describe("IsLeaf")
	runtime.KeepAlive(a.T)
	return info.is_leaf != 0
}

// To returns the tensor on a device and, when given, in a dtype; itself when nothing changes. It
// panics when the device is not there.
func (a Tensor) To(device Device, dtype ...Dtype) Tensor {
	return a.to("To", device, last(dtype, -1), false, false)
}

// To returns a on a device and in a dtype.
func To(a Tensor, device Device, dtype Dtype) Tensor { return a.To(device, dtype) }

// CUDA returns the tensor on a CUDA device. nonBlocking lets the copy of pinned memory overlap.
func (a Tensor) CUDA(device Device, nonBlocking bool) Tensor {
	if device.T.kind != deviceCUDA {
		refuse("CUDA", "expected a CUDA device, found "+device.String())
	}
	return a.to("CUDA", device, -1, nonBlocking, false)
}

// CopyAsync returns a copy on a device; between pinned memory and a GPU nothing waits for it. A copy on the
// CPU is pinned, and holds the values after [Synchronize].
func (a Tensor) CopyAsync(device Device) Tensor { return a.to("CopyAsync", device, -1, true, true) }

// CastTo returns the tensor in another dtype; itself when it has that dtype.
func (a Tensor) CastTo(dtype Dtype) Tensor {
	return a.to("CastTo", Device{deviceID{-1, -1}}, dtype, false, false)
}

// CopyTo returns a copy of the tensor on a device.
func (a Tensor) CopyTo(device Device) Tensor { return a.to("CopyTo", device, -1, false, true) }

func (a Tensor) to(op string, device Device, dtype Dtype, nonBlocking, copied bool) Tensor {
	r := C.cgt_to(a.c(op), C.int8_t(device.T.kind), C.int16_t(device.T.index), C.int8_t(dtype),
		cbool(nonBlocking), cbool(copied))
	runtime.KeepAlive(a.T)
	return born(r, op)
}

func last(d []Dtype, none Dtype) Dtype {
	if len(d) == 0 {
		return none
	}
	return d[len(d)-1]
}

// PinMemory returns a copy of a CPU tensor in memory that the GPU reads directly, or the tensor
// itself where there is no CUDA.
func (a Tensor) PinMemory() Tensor {
	if !IsCUDAAvailable() {
		return a
	}
	r := C.cgt_pin_memory(a.c("PinMemory"))
	runtime.KeepAlive(a.T)
	return born(r, "PinMemory")
}

// SetData makes a hold b's elements, shape, dtype and device; a's gradient and name stay.
func (a Tensor) SetData(b Tensor) {
	check(C.cgt_set_data(a.c("SetData"), b.c("SetData")), "SetData")
	runtime.KeepAlive(a.T)
	runtime.KeepAlive(b.T)
}

// String returns the elements as libtorch prints them, then a line with device, dtype and shape as
// in "[ CPUFloatType{2,3} ]".
func (a Tensor) String() string {
	if !a.Defined() {
		return "[ undefined tensor ]"
	}
	r := C.cgt_to_string(a.c("String"))
	runtime.KeepAlive(a.T)
	check(r.err, "String")
	return takeString(r.v)
}

// Print writes String to the standard output.
func (a Tensor) Print() { fmt.Println(a.String()) }

// Save writes the tensor to a file that PyTorch's torch.load reads.
func (a Tensor) Save(path string) {
	b, err := a.GobEncode()
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		refuse("Save", err.Error())
	}
}

// Load reads a tensor that [Tensor.Save] or PyTorch's torch.save wrote. To load the native library,
// see [LoadLibrary].
func Load(path string) Tensor {
	b, err := os.ReadFile(path)
	if err != nil {
		refuse("Load", err.Error())
	}
	var t Tensor
	if err := t.GobDecode(b); err != nil {
		refuse("Load", path+": "+err.Error())
	}
	return t
}

// GobEncode returns the tensor as a pickle, which [encoding/gob] puts into its stream. A tensor on
// another device is encoded as one on the CPU.
func (a Tensor) GobEncode() ([]byte, error) {
	if !a.Defined() {
		return nil, fmt.Errorf("cannot encode an undefined tensor")
	}
	r := C.cgt_encode(a.c("GobEncode"))
	runtime.KeepAlive(a.T)
	if r.err != nil {
		return nil, &Error{"GobEncode", takeString(r.err)}
	}
	defer C.cgt_free(unsafe.Pointer(r.v))
	return append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(r.v)), int(r.n))...), nil
}

// GobDecode makes a the tensor of a pickle that GobEncode returned.
func (a *Tensor) GobDecode(b []byte) error {
	if err := LoadLibrary(); err != nil {
		return err
	}
	if len(b) == 0 {
		return fmt.Errorf("expected a pickled tensor, found no bytes")
	}
	r := C.cgt_decode((*C.char)(unsafe.Pointer(unsafe.SliceData(b))), C.int64_t(len(b)))
	if r.err != nil {
		return &Error{"GobDecode", takeString(r.err)}
	}
	*a = born(r, "GobDecode")
	return nil
}
