package trainer

import (
	"context"
	"fmt"
	"sync"
	"unsafe"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
)

// The values of Recipe.Resident.
const (
	ResidentAuto = "auto" // the pictures lie on the GPU where they fit and one sampling makes a batch of them
	ResidentOff  = "off"  // batches are made by the processor and copied
)

// feedOf takes a batch's pictures to the device, [N, 3, S, S]. The batch must not be released while
// the tensor lives or the device has not read it.
func feedOf(device torch.Device) func(*augment.Batch) torch.Tensor {
	return func(b *augment.Batch) torch.Tensor { return pictures(b, device) }
}

// feed is feedOf for this training, whose pictures may lie on the device.
func (f *fit) feed(b *augment.Batch) torch.Tensor {
	if b.Dtype == augment.Shots {
		return f.pictureBlock.batch(b)
	}
	return pictures(b, f.device)
}

// pinned gives a loader memory that a GPU reads by itself.
func pinned(bytes int) (memory []byte, free func(), err error) {
	var t torch.Tensor
	err = torch.Try(func() { t = torch.ZerosOf([]int64{int64(bytes)}, torch.Byte).PinMemory() })
	if err != nil {
		return nil, nil, err
	}
	return unsafe.Slice((*byte)(t.DataPtr()), bytes), func() { t.Close() }, nil
}

// reload makes the loaders anew for a training that runs late: with room for the batches that the device
// may still be reading, in pinned memory, and planning only where the pictures lie on the device.
func (f *fit) reload(ctx context.Context) error {
	if f.late == 0 {
		return nil
	}
	f.keepPictures()
	unreadable := f.train.Unreadable()
	f.batches.Close()
	f.closeLoaders()
	var err error
	if f.train, err = f.trainLoader(f.progress.Epoch); err != nil {
		return err
	}
	f.train.SetUnreadable(unreadable)
	if f.valid, err = f.loaderOf(f.recipe, f.validation, false); err != nil {
		return err
	}
	f.batches = f.train.EpochFrom(f.loaderContext(ctx), f.progress.Epoch, f.progress.Batch)
	return nil
}

// keepPictures puts all pictures on the device, if they fit, and says why not otherwise.
func (f *fit) keepPictures() {
	if f.recipe.Resident == ResidentOff || !f.device.IsCUDA() && !f.residentOnCPU {
		return
	}
	block, err := f.newPictureBlock()
	if err != nil {
		f.Log.Info("pictures are streamed to the device", "reason", err)
		return
	}
	f.pictureBlock = block
	f.Log.Info("pictures lie on the device", "pictures", len(block.places), "mib", block.bytes>>20)
}

// residentShare is how much of a GPU's free memory pictures may take.
const residentShare = 0.5

// chunkBytes is how much of the block is allocated at once.
const chunkBytes = 256 << 20

// A place is where a decoded picture lies.
type place struct {
	address       int64
	width, height int
}

// A pictureBlock is the decoded pictures of a set on the device. It is a block of memory that begins at
// address 0: what the pictures lie in are tensors of a chunk each.
type pictureBlock struct {
	f       *fit
	places  map[int]place
	gone    map[int]error // what could not be decoded
	bytes   int64
	limit   int64
	gather  unsafe.Pointer // orr_gather_cuda; nil on the CPU
	out     torch.Tensor   // room for a batch in float32, used again: what reads it was asked for before
	pending []byte         // of the chunk being filled
	waiting []int          // the pictures in it, their places relative to its beginning
}

// newPictureBlock decodes every picture of the training.
func (f *fit) newPictureBlock() (*pictureBlock, error) {
	pipeline, err := newPipeline(f.recipe)
	if err != nil {
		return nil, err
	}
	if err := pipeline.Shoots(); err != nil {
		return nil, err
	}
	b := &pictureBlock{f: f, places: map[int]place{}, gone: map[int]error{}, limit: 1 << 62}
	if f.device.IsCUDA() {
		if b.gather, err = torch.CUDASymbol("orr_gather_cuda"); err != nil {
			return nil, err
		}
		free, _ := torch.CUDAMemory(f.device)
		b.limit = int64(residentShare * float64(free))
	}
	if f.residentLimit > 0 {
		b.limit = f.residentLimit
	}
	plan := make([]byte, augment.ShotBytes)
	for from, all := 0, append(append([]int{}, f.training...), f.validation...); from < len(all); from += 64 {
		part := all[from:min(from+64, len(all))]
		for i, p := range f.decode(part) {
			switch {
			case p.err != nil:
				b.gone[part[i]] = p.err
				continue
			case pipeline.Shot(0, p.width, p.height, augment.Neutral(), plan) != nil:
				return nil, fmt.Errorf("%s, of %dx%d pixels, needs more than one sampling", f.set.Samples[part[i]].Path, p.width, p.height)
			}
			if b.bytes += int64(len(p.pixels)); b.bytes > b.limit {
				return nil, fmt.Errorf("they take more than the %d MiB there are for them", b.limit>>20)
			}
			b.add(part[i], p)
		}
	}
	return b, torch.Try(func() {
		b.flush()
		most := int64(f.recipe.BatchSize) * int64(pipeline.Elements())
		b.out = torch.EmptyOf([]int64{most}, torch.Float).CopyTo(f.device)
	})
}

// decoded is a picture's pixels, RGBX.
type decoded struct {
	pixels        []byte
	width, height int
	err           error
}

// decode decodes pictures side by side.
func (f *fit) decode(indices []int) []decoded {
	out := make([]decoded, len(indices))
	var all sync.WaitGroup
	for i, index := range indices {
		all.Add(1)
		go func() {
			defer all.Done()
			p, err := f.Pictures.Picture(index)
			if err != nil {
				out[i].err = err
				return
			}
			out[i] = decoded{p.Pix[:4*p.Width*p.Height], p.Width, p.Height, nil}
		}()
	}
	all.Wait()
	return out
}

func (b *pictureBlock) add(index int, p decoded) {
	if len(b.pending) > 0 && len(b.pending)+len(p.pixels) > chunkBytes {
		b.flush()
	}
	b.places[index] = place{int64(len(b.pending)), p.width, p.height}
	b.pending = append(b.pending, p.pixels...)
	b.waiting = append(b.waiting, index)
}

// flush moves the chunk being filled to the device.
func (b *pictureBlock) flush() {
	if len(b.waiting) == 0 {
		return
	}
	scope := torch.NewScope()
	defer scope.Close()
	chunk := scope.Keep(torch.TensorOf(append(b.pending, make([]byte, augment.BlockPad)...)).CopyTo(b.f.device))
	for _, index := range b.waiting {
		p := b.places[index]
		p.address += int64(uintptr(chunk.DataPtr()))
		b.places[index] = p
	}
	b.pending, b.waiting = b.pending[:0], b.waiting[:0]
}

// Place implements augment.Block.
func (b *pictureBlock) Place(index int) (offset int64, width, height int, err error) {
	p, ok := b.places[index]
	if !ok {
		return 0, 0, 0, b.gone[index]
	}
	return p.address, p.width, p.height, nil
}

// batch makes the pictures of a batch of plans, float32 [N, 3, S, S] in channels-last order.
func (b *pictureBlock) batch(plans *augment.Batch) torch.Tensor {
	n, s := int64(plans.N), int64(plans.Size)
	out := b.out.Narrow(0, 0, n*s*s*3)
	shots := torch.Borrow(unsafe.Pointer(unsafe.SliceData(plans.Data)), torch.Byte, []int64{int64(len(plans.Data))}).CopyAsync(b.f.device)
	r := b.f.recipe
	r.Size = plans.Size
	pipeline, err := newPipeline(r)
	switch {
	case err != nil:
	case b.gather == nil:
		err = pipeline.Gather(nil, plans, augment.Float32, unsafe.Slice((*byte)(out.DataPtr()), 4*out.Numel()))
	default:
		err = pipeline.GatherCUDA(b.gather, nil, shots.DataPtr(), out.DataPtr(), torch.CUDAStreamHandle(b.f.device), plans.N, augment.Float32, augment.NHWC)
	}
	if err != nil {
		panic(&torch.Error{Op: "batch of pictures on the device", Message: err.Error()})
	}
	return out.View(n, s, s, 3).Permute([]int64{0, 3, 1, 2})
}
