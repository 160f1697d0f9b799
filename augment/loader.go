package augment

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"

	"github.com/wangkuiyi/orrery/data"
)

// Source gives decoded pictures by their index in a data set. data.Dataset and data.Cache are
// sources. Picture must be safe for many goroutines.
type Source interface {
	Picture(i int) (*data.Picture, error)
}

// borrower is a Source that can decode into memory of the caller.
type borrower interface {
	Borrow(i int, scratch *data.Picture) (*data.Picture, error)
}

// LoaderOptions say how batches are made.
type LoaderOptions struct {
	BatchSize int
	// Workers is the number of goroutines that decode and transform; 0: one per CPU. They run only while
	// a batch is to be filled, one picture at a time; when they take turns with the compute threads,
	// taking every core for a moment delays a step less than taking one for long.
	Workers int
	// GiveWay lets the workers run only where a processor would idle, which suits them when the batches are
	// for computation on the same processors; whoever waits in Next then makes what is missing
	// itself, so that a busy machine cannot starve the batches.
	GiveWay bool
	// Prefetch is the number of batches made ahead of the one in use; 0: 2.
	Prefetch int
	// Train shuffles, augments, and drops the last partial batch. Otherwise the order is that of the
	// indices, every picture is the centre crop, and the last batch may be smaller.
	Train bool
	// InOrder has Train keep the order of the indices and every picture, unmixed: test-time augmentation.
	InOrder bool
	// Seed, with the epoch, decides the order and all augmentation.
	Seed   int64
	Layout Layout
	// Dtype is the element type of the batches. MixUp and CutMix need Float32.
	Dtype Dtype
	// Block is where the pictures are whose samples are planned, with the Dtype Shots.
	Block Block
	// Weights, if given, are proportional to how often each picture of the indices is drawn, with
	// replacement, in training; see [BalancedWeights].
	Weights []float64
	// Shard and Shards: this loader hands out part Shard (from 0 on) of Shards of each batch of
	// BatchSize, and the loaders of the other parts hand out the rest, each picture once. A part
	// misses pictures that turn out unreadable in the epoch; see [Loader.Found]. 0 Shards: whole batches.
	Shard, Shards int
	// Alloc gives the memory of a batch, such as pinned memory, and what frees it; nil: pages from the
	// operating system.
	Alloc func(bytes int) (memory []byte, free func(), err error)
	// OnSkip hears, once for each, of pictures that cannot be decoded. Calls do not overlap.
	OnSkip func(index int, err error)
}

// shuffles tells whether an epoch is one of training: in another order, whole batches alone, mixed.
func (o LoaderOptions) shuffles() bool { return o.Train && !o.InOrder }

// Loader makes the batches of a training or validation set, epoch by epoch. Its methods are safe
// for many goroutines, but its buffers are shared: iterate over one epoch at a time unless Prefetch
// is generous.
type Loader struct {
	pipeline *Pipeline
	source   Source
	indices  []int
	labels   []int64
	options  LoaderOptions
	buffers  *bufferPool
	// cumulative sums of the weights; nil: every picture once.
	cumulative []float64

	mu  sync.Mutex
	bad map[int]bool // positions in indices that cannot be decoded
	// found are those that a sharded loader came upon: they count from SetUnreadable on, so that the
	// loaders of all shards go on with the same order.
	found map[int]bool
	skip  sync.Mutex // serialises OnSkip
}

// NewLoader makes a loader over the pictures src has at indices; labels[k] belongs to indices[k].
// The caller calls Close when no batch is in use any more.
func NewLoader(p *Pipeline, src Source, indices []int, labels []int64, o LoaderOptions) (*Loader, error) {
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Prefetch == 0 {
		o.Prefetch = 2
	}
	switch {
	case len(indices) == 0:
		return nil, errors.New("loader: no pictures")
	case len(labels) != len(indices):
		return nil, fmt.Errorf("loader: %d labels for %d pictures", len(labels), len(indices))
	case o.BatchSize < 1:
		return nil, fmt.Errorf("loader: batch size %d: want at least 1", o.BatchSize)
	case o.shuffles() && o.BatchSize > len(indices):
		return nil, fmt.Errorf("loader: batch size %d is larger than the %d training pictures", o.BatchSize, len(indices))
	case o.Workers < 0 || o.Prefetch < 0:
		return nil, fmt.Errorf("loader: %d workers, prefetch %d: want none below 0", o.Workers, o.Prefetch)
	case o.Shards < 0 || o.Shard < 0 || o.Shard >= max(o.Shards, 1):
		return nil, fmt.Errorf("loader: shard %d of %d: want one of 0 to %d", o.Shard, o.Shards, max(o.Shards, 1)-1)
	case o.Train && o.Shards > o.BatchSize:
		return nil, fmt.Errorf("loader: a batch of %d cannot be divided among %d shards", o.BatchSize, o.Shards)
	case o.Layout != NCHW && o.Layout != NHWC:
		return nil, fmt.Errorf("loader: layout %d is neither NCHW nor NHWC", o.Layout)
	case o.Dtype != Float32 && o.Dtype != BFloat16 && o.Dtype != Uint8 && o.Dtype != Shots:
		return nil, fmt.Errorf("loader: dtype %d is none of float32, bfloat16, uint8, shots", int(o.Dtype))
	case (o.Dtype == Shots) != (o.Block != nil):
		return nil, errors.New("loader: shots are of a block of pictures, and only they")
	case o.Dtype != Float32 && o.shuffles() && p.mixer != nil:
		return nil, fmt.Errorf("loader: %s needs float32 batches, not %v", p.mixer.Name(), o.Dtype)
	}
	if o.Dtype == Shots {
		if err := p.Shoots(); err != nil {
			return nil, fmt.Errorf("loader: %w", err)
		}
	}
	cumulative, err := cumulate(o.Weights, len(indices))
	if err != nil {
		return nil, err
	}
	o.BatchSize = min(o.BatchSize, len(indices))
	o.Shards = max(o.Shards, 1)
	share := (o.BatchSize + o.Shards - 1) / o.Shards
	return &Loader{
		pipeline: p, source: src, indices: indices, labels: labels, options: o,
		buffers:    newBufferPool(share*o.Dtype.sample(p), o.Prefetch+1, o.Alloc),
		bad:        map[int]bool{},
		found:      map[int]bool{},
		cumulative: cumulative,
	}, nil
}

// Close gives the batch memory back; that of batches still in use goes when they are released.
func (l *Loader) Close() { l.buffers.close() }

// Steps is the number of batches of an epoch: of the pictures not yet known to be unreadable.
func (l *Loader) Steps() int {
	l.mu.Lock()
	n := len(l.indices) - len(l.bad)
	l.mu.Unlock()
	if l.options.shuffles() {
		return n / l.options.BatchSize
	}
	return (n + l.options.BatchSize - 1) / l.options.BatchSize
}

// order lists positions in indices as the epoch visits them, unreadable ones left out. Leaving them
// out of the finished permutation keeps the rest of the order the same whenever they are found.
func (l *Loader) order(epoch int) []int {
	n := len(l.indices)
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	if l.options.shuffles() {
		r := rand.New(rand.NewPCG(mix(uint64(l.options.Seed)^0x6f72726572790000), mix(uint64(epoch)+1)))
		if l.cumulative == nil {
			r.Shuffle(n, func(i, j int) { out[i], out[j] = out[j], out[i] })
		} else {
			l.drawWeighted(r, out)
		}
	}
	return l.readable(out)
}

func (l *Loader) readable(order []int) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := order[:0]
	for _, p := range order {
		if !l.bad[p] {
			out = append(out, p)
		}
	}
	return out
}

// markBad remembers that a position cannot be decoded and tells OnSkip the first time.
func (l *Loader) markBad(position int, err error) {
	l.mu.Lock()
	known := l.bad[position] || l.found[position]
	if l.sharded() {
		l.found[position] = true
	} else {
		l.bad[position] = true
	}
	l.mu.Unlock()
	if !known && l.options.OnSkip != nil {
		l.skip.Lock()
		defer l.skip.Unlock()
		l.options.OnSkip(l.indices[position], err)
	}
}

// Batch is one step's pictures and labels.
type Batch struct {
	// Images are N*3*Size*Size values in the Layout's order, 64-byte aligned memory outside Go's heap;
	// nil unless Dtype is Float32.
	Images []float32
	// Data is the same memory as bytes, for every Dtype.
	Data    []byte
	Dtype   Dtype
	Labels  []int64
	Indices []int // in the data set
	Mix     *Mix  // what MixUp or CutMix did; nil without
	N, Size int
	Layout  Layout

	buffer *buffer
	pool   *bufferPool
}

// Floats are the values of the first n samples, from 0 to 1 where Dtype is Uint8; nil for other types than that and
// Float32.
func (b *Batch) Floats(n int) []float32 {
	n *= 3 * b.Size * b.Size
	switch b.Dtype {
	case Float32:
		return b.Images[:n]
	case Uint8:
		v := make([]float32, n)
		FromBytes(v, b.Data[:n])
		return v
	}
	return nil
}

// FromBytes takes values of [Uint8] to those from 0 to 1 of [Float32]. dst and values are equally long.
func FromBytes(dst []float32, values []byte) {
	for i, v := range values {
		dst[i] = float32(v) / 255
	}
}

// Shape is that of the images: [N, 3, Size, Size] or [N, Size, Size, 3].
func (b *Batch) Shape() []int64 {
	n, s := int64(b.N), int64(b.Size)
	if b.Layout == NHWC {
		return []int64{n, s, s, 3}
	}
	return []int64{n, 3, s, s}
}

// Release gives the memory back for another batch; Images must not be used afterwards. A second
// call does nothing.
func (b *Batch) Release() {
	if b.buffer == nil {
		return
	}
	b.pool.put(b.buffer)
	b.buffer, b.Images, b.Data = nil, nil, nil
}

// Unreadable lists the pictures found unreadable so far, by their index in the data set, in rising
// order: what a checkpoint keeps for [Loader.SetUnreadable].
func (l *Loader) Unreadable() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]int, 0, len(l.bad))
	for at := range l.bad {
		out = append(out, l.indices[at])
	}
	slices.Sort(out)
	return out
}

func (l *Loader) sharded() bool { return l.options.Shards > 1 }

// share is this loader's part of a batch of n pictures.
func (l *Loader) share(n int) (from, to int) {
	return l.options.Shard * n / l.options.Shards, (l.options.Shard + 1) * n / l.options.Shards
}

// Found lists, in rising order, the pictures that a sharded loader found unreadable and that its epochs
// still hold. Gathered from the loaders of all shards and given to each one's SetUnreadable between two
// epochs, they are left out from then on.
func (l *Loader) Found() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]int, 0, len(l.found))
	for at := range l.found {
		if !l.bad[at] {
			out = append(out, l.indices[at])
		}
	}
	slices.Sort(out)
	return out
}

// SetUnreadable leaves pictures out from the start, without calling OnSkip.
func (l *Loader) SetUnreadable(indices []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for at, i := range l.indices {
		if slices.Contains(indices, i) {
			l.bad[at] = true
		}
	}
}

// Epoch starts the workers of one epoch. The caller reads until io.EOF or calls Close; either, and
// ctx's end, stops the workers.
func (l *Loader) Epoch(ctx context.Context, epoch int) *Iterator {
	return l.EpochFrom(ctx, epoch, 0)
}

// EpochFrom is Epoch without its first batches, which are not made: a resumed run's next batch. It
// is the same batch as in a whole epoch if the unreadable pictures before it are known already
// ([Loader.SetUnreadable]).
func (l *Loader) EpochFrom(ctx context.Context, epoch, first int) *Iterator {
	it := &Iterator{l: l, ctx: ctx, epoch: epoch, order: l.order(epoch)}
	it.given = min(max(first, 0)*l.options.BatchSize, len(it.order))
	it.delivered = max(first, 0)
	it.order = it.order[it.given:]
	it.wake = sync.NewCond(&it.mu)
	it.stopAfter = context.AfterFunc(ctx, func() { it.stop(ctx.Err()) })
	it.unsubscribe = l.buffers.subscribe(func() {
		it.mu.Lock()
		it.wake.Broadcast()
		it.mu.Unlock()
	})
	for range l.options.Workers {
		it.workers.Add(1)
		go it.work()
	}
	return it
}
