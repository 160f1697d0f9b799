package gotorch

// #include <stdlib.h>
// #include "stubs.h"
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// ConvOrder says what follows the convolution of a ConvStage, in order.
type ConvOrder int64

// The orders the kernels know.
const (
	ConvOnly     ConvOrder = iota // convolution
	ConvReLU                      // convolution, ReLU
	ConvReLUNorm                  // convolution, ReLU, BatchNorm: fastai's order
	ConvNorm                      // convolution, BatchNorm
	ConvNormReLU                  // convolution, BatchNorm, ReLU: ResNet's order
)

// ConvStage is a two-dimensional convolution with what follows it.
type ConvStage struct {
	Order                     ConvOrder
	Weight                    Tensor // (out, in/groups, kernel height, kernel width)
	Bias                      Tensor // (out), or none
	Stride, Padding, Dilation [2]int64
	ExtraPadding              [2]int64 // further rows of zeros below, columns on the right
	Groups                    int64
	ReLUCap                   float64 // 6 makes the ReLU a ReLU6; 0 and infinity: no cap
	// What follows are BatchNorm2d's, each (out) or none.
	Gamma, Beta, RunningMean, RunningVar Tensor
	Momentum, Eps                        float64
	// Training normalises with the batch's statistics and moves the running ones by Momentum.
	Training bool
	// ObserveConv and ObserveNorm, where given, are rows that ActivationStatistics would write of the
	// convolution's and the BatchNorm's result. They change no result.
	ObserveConv, ObserveNorm Tensor
}

// cap is what the ReLU's result is at most.
func (s ConvStage) cap() float64 {
	if s.ReLUCap == 0 {
		return math.Inf(1)
	}
	return s.ReLUCap
}

func (s ConvStage) c() C.cgt_stage {
	const op = "ConvChain"
	end := [2]int64{s.Padding[0] + s.ExtraPadding[0], s.Padding[1] + s.ExtraPadding[1]}
	pair := func(p [2]int64) [2]C.int64_t { return [2]C.int64_t{C.int64_t(p[0]), C.int64_t(p[1])} }
	return C.cgt_stage{
		order: C.int64_t(s.Order), weight: s.Weight.c(op), bias: s.Bias.orNil(op), gamma: s.Gamma.orNil(op), beta: s.Beta.orNil(op),
		running_mean: s.RunningMean.orNil(op), running_var: s.RunningVar.orNil(op),
		stride: pair(s.Stride), padding: pair(s.Padding), dilation: pair(s.Dilation),
		groups: C.int64_t(s.Groups), momentum: C.double(s.Momentum), eps: C.double(s.Eps), training: cbool(s.Training),
		observe_conv: s.ObserveConv.orNil(op), observe_norm: s.ObserveNorm.orNil(op),
		padding_end: pair(end), relu_cap: C.double(s.cap()),
	}
}

// ConvChain applies the stages to x (N, C, H, W) in turn, as one differentiable operation equal in
// value to the separate ones; on the CPU own kernels run it where they cover it and are faster. A Byte x is
// read as x/255, as pictures are, which spares the memory of its floats. A residual of the result's shape is
// added to the last stage, with ConvNormReLU before its ReLU; pass Tensor{} for none.
func ConvChain(x Tensor, stages []ConvStage, residual Tensor) Tensor {
	list := make([]C.cgt_stage, len(stages))
	for i, s := range stages {
		list[i] = s.c()
	}
	r := C.cgt_conv_chain(x.c("ConvChain"), unsafe.SliceData(list), C.int64_t(len(list)), residual.orNil("ConvChain"))
	runtime.KeepAlive(x)
	runtime.KeepAlive(stages)
	runtime.KeepAlive(residual)
	return born(r, "ConvChain")
}

// ReLUNorm is what follows the convolution of a stage, whose result is x (N, C, H, W) of Float, BFloat16 or
// Half: ReLU and BatchNorm as one operation, differentiable once. ConvChain uses it on CUDA by itself; on
// the CPU it is the plain twin of those kernels, for tests. The residual is as ConvChain's.
func ReLUNorm(x Tensor, stage ConvStage, residual Tensor) Tensor {
	s := C.cgt_stage{
		order: C.int64_t(stage.Order), gamma: stage.Gamma.orNil("ReLUNorm"), beta: stage.Beta.orNil("ReLUNorm"),
		running_mean: stage.RunningMean.orNil("ReLUNorm"), running_var: stage.RunningVar.orNil("ReLUNorm"),
		momentum: C.double(stage.Momentum), eps: C.double(stage.Eps), training: cbool(stage.Training), relu_cap: C.double(stage.cap()),
	}
	r := C.cgt_relu_norm(x.c("ReLUNorm"), &s, residual.orNil("ReLUNorm"))
	runtime.KeepAlive(x)
	runtime.KeepAlive(stage)
	runtime.KeepAlive(residual)
	return born(r, "ReLUNorm")
}

// Statistics is the length of a row of activation statistics: mean, standard deviation (unbiased),
// the fraction of values <= 0.05, and the counts of 40 equal bins over [0, 10].
const Statistics = 3 + 40

// ActivationStatistics writes the statistics of t's values to row, (Statistics) Double on t's device:
// what fastai's ActivationStats(with_hist=True) keeps. On the CPU that is one pass over the values; on
// another device nothing waits for it.
func ActivationStatistics(t, row Tensor) {
	check(C.cgt_activation_statistics(t.c("ActivationStatistics"), row.c("ActivationStatistics")), "ActivationStatistics")
	runtime.KeepAlive(t.T)
	runtime.KeepAlive(row.T)
}

// kernelModes are the words SetKernels knows, by their number in the native library.
var kernelModes = []string{"auto", "own", "libtorch"}

// SetKernels chooses who convolves on the CPU: "auto" times own kernels and libtorch's once for each
// layer shape and keeps the faster, "own" and "libtorch" always take the one. choiceFile remembers what
// auto chose between processes; "" remembers nothing.
func SetKernels(mode, choiceFile string) error {
	for i, known := range kernelModes {
		if mode == known {
			need()
			file := C.CString(choiceFile)
			defer C.free(unsafe.Pointer(file))
			return Try(func() { check(C.cgt_kernels_set(C.int64_t(i), file), "SetKernels") })
		}
	}
	return fmt.Errorf("kernels is %q; it must be auto, own or libtorch", mode)
}

// KernelChoices tells what auto has timed and chosen, a line for each layer shape.
func KernelChoices() string {
	need()
	r := C.cgt_kernels_choices()
	check(r.err, "KernelChoices")
	return takeString(r.v)
}

// KernelInstructions is the instruction set that own kernels run with here: avx512, avx2 or portable.
func KernelInstructions() string {
	need()
	r := C.cgt_kernels_instructions()
	check(r.err, "KernelInstructions")
	return takeString(r.v)
}
