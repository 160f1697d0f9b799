// Package scale holds the inner loops of scaling, in C for its vectors.
package scale

// #cgo CFLAGS: -O3
// #include "scale.h"
import "C"

import "unsafe"

// WeightBits is the number of fraction bits of a weight.
const WeightBits = 22

// Taps say which source positions make each target position, and how much of
// each: Weight[i*Stride+k] of position From[i]+k for k < Count[i].
type Taps struct {
	From, Count []int32
	Weight      []int32
	Stride      int
}

// Rows scales height rows of srcWidth pixels of 4 bytes to rows of
// len(t.From) pixels.
func Rows(dst, src []uint8, srcWidth, height int, t Taps) {
	C.orrery_scale_rows(u8(dst), C.int(len(t.From)), u8(src), C.int(srcWidth), C.int(height),
		i32(t.From), i32(t.Count), i32(t.Weight), C.int(t.Stride))
}

// Columns scales columns to len(t.From) rows; both pictures are width pixels
// of 4 bytes wide.
func Columns(dst, src []uint8, width int, t Taps) {
	sum := make([]int32, 4*width)
	C.orrery_scale_columns(u8(dst), C.int(len(t.From)), u8(src), C.int(width),
		i32(t.From), i32(t.Count), i32(t.Weight), C.int(t.Stride), i32(sum))
}

func u8(b []uint8) *C.uint8_t  { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(b))) }
func i32(b []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(b))) }
