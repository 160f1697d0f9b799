package gotorch

// #include "stubs.h"
import "C"

// nativeAdd adds two tensors of two elements n times inside C++ and returns the nanoseconds of one
// addition, to hold the cost of a call through the binding against.
func nativeAdd(n int) float64 {
	need()
	r := C.cgt_bench_add(C.int64_t(n))
	check(r.err, "nativeAdd")
	return float64(r.v)
}

// nativeNop calls a C++ function that does nothing.
func nativeNop() { C.cgt_bench_nop() }
