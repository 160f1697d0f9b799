package gotorch

// #include "stubs.h"
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"unsafe"
)

const (
	deviceCPU  = 0 // c10::DeviceType
	deviceCUDA = 1
)

type deviceID struct {
	kind  int8  // c10::DeviceType
	index int16 // -1: the current one
}

// Device says where a tensor's elements live.
type Device struct{ T deviceID }

// CPU is the device of the processor and its memory.
var CPU = Device{deviceID{deviceCPU, -1}}

// NewDevice returns the device of that name: "cpu", "cuda", "cuda:1". It panics when libtorch knows
// no such name.
func NewDevice(deviceType string) Device {
	need()
	name := C.CString(deviceType)
	defer C.free(unsafe.Pointer(name))
	r := C.cgt_parse_device(name)
	check(r.err, "NewDevice")
	return Device{deviceID{int8(r._type), int16(r.index)}}
}

// String returns the name that NewDevice takes.
func (d Device) String() string {
	name := fmt.Sprintf("device%d", d.T.kind)
	switch d.T.kind {
	case deviceCPU:
		name = "cpu"
	case deviceCUDA:
		name = "cuda"
	}
	if d.T.index >= 0 {
		return fmt.Sprintf("%s:%d", name, d.T.index)
	}
	return name
}

// IsCUDA tells whether the device is a CUDA GPU.
func (d Device) IsCUDA() bool { return d.T.kind == deviceCUDA }

// IsCUDAAvailable tells whether there is a CUDA GPU that this libtorch can use.
func IsCUDAAvailable() bool { return CUDADeviceCount() > 0 }

// CUDADeviceCount returns the number of CUDA GPUs.
func CUDADeviceCount() int {
	need()
	return int(C.cgt_cuda_device_count())
}

// IsCUDNNAvailable tells whether cuDNN is available.
func IsCUDNNAvailable() bool {
	need()
	return C.cgt_has_cudnn() != 0
}

// Synchronize waits until everything queued on a device is done; on the CPU there is nothing to
// wait for.
func Synchronize(d Device) {
	need()
	check(C.cgt_synchronize(C.int8_t(d.T.kind), C.int16_t(d.T.index)), "Synchronize")
}

// SetNumThreads sets the number of threads an operation on the CPU uses.
func SetNumThreads(n int32) {
	need()
	check(C.cgt_set_num_threads(C.int64_t(n)), "SetNumThreads")
}

// NumThreads returns the number of threads an operation on the CPU uses.
func NumThreads() int {
	need()
	return int(C.cgt_num_threads())
}

// SetDeterministic makes operations give the same bits each time, or fail where they cannot.
func SetDeterministic(on bool) { setFlag("deterministic", on) }

// SetCUDNNBenchmark lets cuDNN measure which algorithm is fastest for each shape.
func SetCUDNNBenchmark(on bool) { setFlag("benchmark", on) }

// SetTF32 lets products of Float matrices and convolutions on CUDA use TensorFloat-32.
func SetTF32(on bool) { setFlag("tf32", on) }

// SetOneDNN lets operations on the CPU use oneDNN; it is on by default.
func SetOneDNN(on bool) { setFlag("onednn", on) }

func setFlag(name string, on bool) {
	need()
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	check(C.cgt_set_flag(n, cbool(on)), "SetFlag")
}
