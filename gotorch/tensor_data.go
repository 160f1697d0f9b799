package gotorch

// #include "stubs.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// FromBlob copies the elements at data into a tensor of the given dtype and shape.
func FromBlob(data unsafe.Pointer, dtype Dtype, sizes []int64) Tensor {
	return fromBlob("FromBlob", data, dtype, sizes, true)
}

// Borrow makes a tensor of the elements at data without copying them. data points outside Go's
// heap (memory from C or from an mmap) and stays valid as long as the tensor and every view of it;
// it is the caller's to free.
func Borrow(data unsafe.Pointer, dtype Dtype, sizes []int64) Tensor {
	return fromBlob("Borrow", data, dtype, sizes, false)
}

func fromBlob(op string, data unsafe.Pointer, dtype Dtype, sizes []int64, copied bool) Tensor {
	need()
	if DtypeSize(dtype) == 0 {
		refuse(op, fmt.Sprintf("%d is no dtype", dtype))
	}
	return born(C.cgt_from_blob(data, C.int8_t(dtype), (*C.int64_t)(unsafe.SliceData(sizes)),
		C.int64_t(len(sizes)), cbool(copied)), op)
}

// Values copies the tensor's elements, in the order of its dimensions, into a new slice. E must be
// the Go type of the tensor's dtype (uint16 for the bits of Half and BFloat16); it panics otherwise.
func Values[E Element](t Tensor) []E {
	dst := make([]E, t.Numel())
	CopyOut(t, dst)
	return dst
}

// CopyOut copies the tensor's elements, in the order of its dimensions, into dst, which must hold
// exactly as many values of the Go type of the tensor's dtype; it panics otherwise.
func CopyOut[E Element](t Tensor, dst []E) {
	checkElements("CopyOut", t, dst)
	check(C.cgt_copy_out(t.c("CopyOut"), unsafe.Pointer(unsafe.SliceData(dst)),
		C.int64_t(len(dst))*C.int64_t(unsafe.Sizeof(*new(E)))), "CopyOut")
	runtime.KeepAlive(t.T)
}

// CopyIn overwrites the tensor's elements, in the order of its dimensions, with src, which must hold
// exactly as many values of the Go type of the tensor's dtype; it panics otherwise. Autograd does
// not see the change.
func CopyIn[E Element](t Tensor, src []E) {
	checkElements("CopyIn", t, src)
	check(C.cgt_copy_in(t.c("CopyIn"), unsafe.Pointer(unsafe.SliceData(src)),
		C.int64_t(len(src))*C.int64_t(unsafe.Sizeof(*new(E)))), "CopyIn")
	runtime.KeepAlive(t.T)
}

func checkElements[E Element](op string, t Tensor, s []E) {
	info := t.describe(op)
	have, want := Dtype(info.dtype), dtypeOf[E]()
	if have != want && !(have == BFloat16 && want == Half) {
		refuse(op, fmt.Sprintf("the tensor is %s, the slice %T", DtypeName(have), s))
	}
	if int64(info.numel) != int64(len(s)) {
		refuse(op, fmt.Sprintf("the tensor has %d elements, the slice %d", int64(info.numel), len(s)))
	}
}

// DataPtr returns the address of the tensor's first element, on its device. It is valid while the
// tensor is.
func (a Tensor) DataPtr() unsafe.Pointer {
	r := C.cgt_data_ptr(a.c("DataPtr"))
	runtime.KeepAlive(a.T)
	check(r.err, "DataPtr")
	return unsafe.Pointer(r.t)
}

// Item returns the value of a tensor with one element: bool for Bool, byte for Byte, int8, int16,
// int32, int64, float32 for Half, BFloat16 and Float, float64 for Double.
func (a Tensor) Item() interface{} {
	switch d := a.Dtype(); d {
	case Bool:
		return a.ItemInt64() != 0
	case Byte:
		return byte(a.ItemInt64())
	case Char:
		return int8(a.ItemInt64())
	case Short:
		return int16(a.ItemInt64())
	case Int:
		return int32(a.ItemInt64())
	case Long:
		return a.ItemInt64()
	case Half, BFloat16, Float:
		return float32(a.ItemFloat64())
	case Double:
		return a.ItemFloat64()
	default:
		refuse("Item", "no Go value for a tensor of "+DtypeName(d))
		return nil
	}
}

// ItemFloat64 returns the value of a tensor with one element.
func (a Tensor) ItemFloat64() float64 {
	r := C.cgt_item_double(a.c("ItemFloat64"))
	runtime.KeepAlive(a.T)
	check(r.err, "ItemFloat64")
	return float64(r.v)
}

// ItemInt64 returns the value of a tensor with one element of an integer type or Bool.
func (a Tensor) ItemInt64() int64 {
	r := C.cgt_item_int(a.c("ItemInt64"))
	runtime.KeepAlive(a.T)
	check(r.err, "ItemInt64")
	return int64(r.v)
}

func cbool(b bool) C.int8_t {
	if b {
		return 1
	}
	return 0
}

// Bytes copies the tensor's elements, in the order of its dimensions and as they lie in memory.
func Bytes(t Tensor) (b []byte, err error) {
	err = Try(func() {
		info := t.describe("Bytes")
		b = make([]byte, int64(info.numel*info.element_size))
		check(C.cgt_copy_out(t.c("Bytes"), unsafe.Pointer(unsafe.SliceData(b)), C.int64_t(len(b))), "Bytes")
		runtime.KeepAlive(t.T)
	})
	return b, err
}
