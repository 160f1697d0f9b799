package kernel

// #include "gather.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Float16 is a Dtype that [Gather] makes, too.
const Float16 Dtype = C.ORR_F16

// ShotBytes is the size of one sample's plan.
const ShotBytes = C.sizeof_orr_shot

// ErrShot tells that a job needs more than one sampling of the picture.
var ErrShot = errors.New("kernel: the job resizes the picture before it samples it")

// Shot writes the plan of a job on the width*height RGBX pixels that begin offset bytes into a block of
// memory to out, which has ShotBytes.
func (j *Job) Shot(width, height int, offset int64, out []byte) error {
	if len(out) != ShotBytes {
		return fmt.Errorf("kernel: %d bytes for a shot of %d", len(out), ShotBytes)
	}
	c := j.c()
	var shot C.orr_shot
	if C.orr_shot_of(&c, C.int32_t(width), C.int32_t(height), C.int64_t(offset), &shot) != C.ORR_OK {
		if j.ItemW > 0 || j.AreaW > 0 {
			return ErrShot
		}
		return status(C.ORR_BAD_JOB)
	}
	copy(out, unsafe.Slice((*byte)(unsafe.Pointer(&shot)), ShotBytes))
	return nil
}

// A Gather makes N samples of OutW x OutH pixels from pictures in one block of memory.
type Gather struct {
	N, OutW, OutH int
	Layout        Layout
	Dtype         Dtype // Float32, BFloat16 or Float16
	Scale, Shift  [3]float32
}

func (g *Gather) c() C.orr_gather {
	c := C.orr_gather{n: C.int32_t(g.N), out_w: C.int32_t(g.OutW), out_h: C.int32_t(g.OutH), layout: C.int32_t(g.Layout), dtype: C.int32_t(g.Dtype)}
	for i := range 3 {
		c.scale[i], c.shift[i] = C.float(g.Scale[i]), C.float(g.Shift[i])
	}
	return c
}

// Run makes the batch on the CPU. The block has Pad bytes behind its last picture; shots are N plans;
// out holds N*3*OutW*OutH elements. The caller answers for all three.
func (g *Gather) Run(block, shots, out unsafe.Pointer) error {
	c := g.c()
	return status(C.orr_gather_cpu((*C.uint8_t)(block), (*C.orr_shot)(shots), &c, out))
}

// RunCUDA is Run in the memory of a GPU: function is the address of orr_gather_cuda, stream a
// cudaStream_t. It waits for nothing.
func (g *Gather) RunCUDA(function, block, shots, out, stream unsafe.Pointer) error {
	c := g.c()
	if rc := C.orr_call_gather_cuda(function, (*C.uint8_t)(block), (*C.orr_shot)(shots), &c, out, stream); rc != 0 {
		return fmt.Errorf("kernel: the GPU's gathering failed with CUDA's error %d", int(rc))
	}
	return nil
}
