package bench

import (
	"fmt"
	"slices"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/models"
	"github.com/wangkuiyi/orrery/trainer"
)

// Ceilings are what a device does at most, measured on the spot in float32, before
// its rows and after them.
type Ceilings struct {
	Device string `json:"device"`
	// FLOPS are the floating-point operations a second of a product of square
	// matrices, a multiply-add counting two: the best of several.
	FLOPS float64 `json:"flops"`
	// BytesPerSecond are those of a copy of memory far larger than caches, read and
	// written ones counted: the best of several.
	BytesPerSecond float64 `json:"bytes_per_second"`
}

// A Floor is the least time a step can take on a device of some Ceilings.
type Floor struct {
	FLOPs float64 `json:"flops"` // of a step
	Bytes float64 `json:"bytes"` // that a step moves at least
	Ms    float64 `json:"ms"`    // the longer of what both take
	Bound string  `json:"bound"` // which one that is: arithmetic or memory
	// Reached is Ms over the measured time of a step, in [0, 1]; a convolution with
	// fewer multiplications than the direct one can exceed it.
	Reached float64 `json:"reached"`
}

// A demand is what one step asks of a device.
type demand struct{ flops, bytes float64 }

const floatBytes = 4

// stateTensors are how many tensors of the size of a weight an optimiser keeps for it.
var stateTensors = map[string]float64{
	trainer.Adam: 2, trainer.AdamW: 2, trainer.LAMB: 2, trainer.RMSprop: 2, trainer.SGD: 1, trainer.Lion: 1, trainer.Muon: 1, trainer.MuonSGD: 1,
}

// demandOf is what a step of a work on a network asks for.
//
// Arithmetic: 2 FLOPs for each multiply-add of a convolution or linear layer and
// picture forward, and twice that again backward, for the gradients of inputs and
// of weights: 3 x 2 x MACs x batch, and 2 x MACs x batch to predict.
//
// Bytes, in float32, as if everything between two convolutions were part of them
// and caches held nothing from one to the next: the pictures, read once; each
// output of a convolution or linear layer, written and read once forward and its
// gradient written and read once backward; each weight, read once forward and once
// backward, its gradient written and read, and itself and the optimiser's state
// read and written by the step. To predict: the pictures, outputs and weights of the
// way forward.
func demandOf(work string, s *models.Summary, recipe trainer.Recipe) demand {
	outputs := int64(0) // of one picture
	for _, row := range s.Rows {
		if row.MACs > 0 {
			n := int64(1)
			for _, side := range row.Output {
				n *= side
			}
			outputs += n
		}
	}
	batch := float64(recipe.BatchSize)
	picture := float64(3 * recipe.Size * recipe.Size)
	forward := 2 * float64(s.MACs) * batch
	if work == Predict {
		return demand{forward, floatBytes * (batch*(picture+2*float64(outputs)) + float64(s.Parameters))}
	}
	weights := (6 + 2*stateTensors[recipe.Optimizer]) * float64(s.Parameters)
	return demand{3 * forward, floatBytes * (batch*(picture+4*float64(outputs)) + weights)}
}

// floor is the least time of a step that takes measured milliseconds.
func (c Ceilings) floor(d demand, measured float64) *Floor {
	arithmetic, memory := 1e3*d.flops/c.FLOPS, 1e3*d.bytes/c.BytesPerSecond
	f := &Floor{FLOPs: d.flops, Bytes: d.bytes, Ms: max(arithmetic, memory), Bound: "arithmetic"}
	if memory > arithmetic {
		f.Bound = "memory"
	}
	f.Reached = f.Ms / measured
	return f
}

// How long each ceiling is measured, and on what.
const (
	ceilingTime   = 500 * time.Millisecond
	ceilingRounds = 3 // at least
)

// measureCeilings takes about a second. The rig's threads compute.
func measureCeilings(device string) (c Ceilings, err error) {
	c.Device = device
	side, floats := int64(1536), int64(64<<20) // 256 MiB to read, as much to write
	if device != "cpu" {
		side, floats = 8192, 256<<20
	}
	scope := torch.NewScope()
	defer scope.Close()
	err = torch.Try(func() {
		where := torch.NewDevice(device)
		a, b := torch.RandN([]int64{side, side}, false).To(where, torch.Float), torch.RandN([]int64{side, side}, false).To(where, torch.Float)
		c.FLOPS = 2 * float64(side*side*side) / fastest(where, func() { torch.MM(a, b) })
		from := torch.Rand([]int64{floats}, false).To(where, torch.Float)
		to := torch.EmptyLike(from)
		c.BytesPerSecond = 2 * floatBytes * float64(floats) / fastest(where, func() { to.CopyI(from) })
	})
	if err != nil {
		return c, fmt.Errorf("ceilings of %s: %w", device, err)
	}
	return c, nil
}

// fastest is the shortest of several runs of f, in seconds.
func fastest(device torch.Device, f func()) float64 {
	var times []float64
	for began := time.Now(); len(times) <= ceilingRounds || time.Since(began) < ceilingTime; {
		start := time.Now()
		torch.Scoped(func(*torch.Scope) { torch.NoGrad(f) })
		torch.Synchronize(device)
		times = append(times, time.Since(start).Seconds())
	}
	return slices.Min(times[1:]) // the first warms up
}
