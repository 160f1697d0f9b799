package augment

import (
	"errors"
	"fmt"
	"image"
	"unsafe"

	"github.com/wangkuiyi/orrery/internal/kernel"
)

// A Block is decoded pictures that lie one behind the other in one block of memory, on a GPU for one:
// RGBX, 4 bytes a pixel, and BlockPad bytes behind the last. A loader of Shots plans samples of it.
type Block interface {
	// Place tells where the picture of that index in the data set begins, and its size in pixels;
	// an error where it is not in the block.
	Place(index int) (offset int64, width, height int, err error)
}

// BlockPad is how many bytes are read behind the last picture of a block.
const BlockPad = kernel.Pad

// ShotBytes is the size of the plan of one sample of a [Block].
const ShotBytes = kernel.ShotBytes

// Shoots says why the samples of the pipeline cannot be taken from a [Block], nil when they can: they
// are then one sampling of the decoded picture and lighting at most.
func (p *Pipeline) Shoots() error {
	switch {
	case !p.direct || p.bytes != nil:
		return errors.New("the recipe has transforms beside geometry, brightness, contrast and normalisation")
	case p.mixer != nil:
		return fmt.Errorf("the recipe has %s", p.mixer.Name())
	case len(p.sizes) > 1:
		return errors.New("the recipe cuts a resized picture")
	}
	switch t := p.sizes[0].(type) {
	case Resize:
		if p.pixels == Fast && t.Method != MethodPad {
			return nil
		}
	case RandomResizedCrop: // validation resizes first
	case CenterCrop:
		if p.pixels == Fast || p.areaFactor <= 1 {
			return nil
		}
	}
	return fmt.Errorf("%s of pixels %v resizes before it samples; --pixels fast samples once", p.sizes[0].Name(), p.pixels)
}

// Shot writes the plan of one sample of a picture of the block to out, ShotBytes of it. Of a pipeline that
// [Pipeline.Shoots] it fails for pictures of some sizes, whatever the parameters.
func (p *Pipeline) Shot(offset int64, width, height int, prm Params, out []byte) error {
	c := cuts(p.sizes[0], width, height, prm)[0]
	if !c.r.In(image.Rect(0, 0, width, height)) {
		return fmt.Errorf("augment: the picture of %dx%d pixels is smaller than its crop", width, height)
	}
	job := p.job(c, prm, false)
	job.LightOffset, job.LightGain = lighting(p.colour, prm)
	return job.Shot(width, height, offset, out)
}

// gathering is what the samples of a batch of n share.
func (p *Pipeline) gathering(n int, dtype Dtype, layout Layout) (kernel.Gather, error) {
	g := kernel.Gather{N: n, OutW: p.size, OutH: p.size, Layout: kernel.Layout(layout), Scale: p.scale, Shift: p.shift}
	switch dtype {
	case Float32:
		g.Dtype = kernel.Float32
	case BFloat16:
		g.Dtype = kernel.BFloat16
	case Float16:
		g.Dtype = kernel.Float16
	default:
		return g, fmt.Errorf("augment: batches are not gathered as %v", dtype)
	}
	return g, nil
}

// Gather makes a batch of Shots on the CPU: what GatherCUDA does on a GPU, by the same arithmetic. block
// is where the memory of the pictures begins; out holds N*Elements elements of dtype.
func (p *Pipeline) Gather(block unsafe.Pointer, shots *Batch, dtype Dtype, out []byte) error {
	g, err := p.gathering(shots.N, dtype, shots.Layout)
	if err != nil {
		return err
	}
	if len(out) != shots.N*p.Elements()*dtype.Bytes() || shots.Dtype != Shots {
		return fmt.Errorf("augment: %d bytes for %d samples of %d %v from %v", len(out), shots.N, p.Elements(), dtype, shots.Dtype)
	}
	at := func(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }
	return g.Run(block, at(shots.Data), at(out))
}

// GatherCUDA makes a batch of n samples in the memory of a GPU: function is the address of
// orr_gather_cuda in libcgotorch_cuda.so, block, shots (n plans) and out lie on the GPU, stream is a
// cudaStream_t. It waits for nothing.
func (p *Pipeline) GatherCUDA(function, block, shots, out, stream unsafe.Pointer, n int, dtype Dtype, layout Layout) error {
	g, err := p.gathering(n, dtype, layout)
	if err != nil {
		return err
	}
	return g.RunCUDA(function, block, shots, out, stream)
}
