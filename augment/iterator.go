package augment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/wangkuiyi/orrery/data"
)

// Iterator hands out the batches of one epoch in order while its workers make the next ones, one
// picture at a time.
//
// When a picture turns out unreadable, the batches it touches are planned again without it. They
// then are what they had been if it were known from the start, so batches do not depend on timing.
type Iterator struct {
	l     *Loader
	ctx   context.Context
	epoch int

	stopAfter   func() bool
	unsubscribe func()
	workers     sync.WaitGroup
	helper      *hand // of Next, made when it first helps

	mu        sync.Mutex
	wake      *sync.Cond // any change of the fields below, and a buffer come back
	order     []int      // positions, from the first one not delivered
	planned   int        // how many of them belong to plans
	plans     []*plan    // not delivered, in order
	delivered int        // batches
	given     int        // samples delivered
	end       error      // why there are no more batches: io.EOF, ctx's error, ...
}

// plan is a batch being made.
type plan struct {
	positions []int // of this shard
	whole     int   // pictures of the batch, those of other shards included
	dropped   []int // slots of a sharded batch that stay empty
	params    []Params
	area      bool
	buffer    *buffer
	next      int      // first sample nobody has taken
	mix       *mixture // nil: none
	left      int      // samples not finished
	running   int      // samples being made
	ready     bool     // finished and mixed
	cancelled bool
}

type task struct {
	p    *plan
	slot int
}

// take is the next sample to make, nil when all are taken.
func (p *plan) take() *task {
	if p.next == len(p.positions) {
		return nil
	}
	p.next++
	p.running++
	return &task{p, p.next - 1}
}

// Next returns the next batch; io.EOF after the last one. The caller releases it.
func (it *Iterator) Next() (*Batch, error) {
	it.mu.Lock()
	for {
		if len(it.plans) > 0 && it.plans[0].ready && it.end == nil {
			b := it.deliver()
			it.wake.Broadcast()
			it.mu.Unlock()
			return b, nil
		}
		if it.end == nil && it.finished() {
			it.end = io.EOF
			if it.delivered == 0 && it.l.Steps() == 0 {
				it.end = fmt.Errorf("loader: too few of %d pictures can be read for a batch of %d", len(it.l.indices), it.l.options.BatchSize)
			}
		}
		if it.end != nil {
			err := it.end
			it.mu.Unlock()
			it.shutdown()
			return nil, err
		}
		if !it.help() {
			it.wake.Wait()
		}
	}
}

// Close stops the workers and waits for them. Batches already handed out stay valid.
func (it *Iterator) Close() {
	it.stop(errors.New("loader: the epoch was closed"))
	it.shutdown()
}

// stop ends the epoch; the first reason counts.
func (it *Iterator) stop(reason error) {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.end == nil {
		it.end = reason
	}
	it.wake.Broadcast()
}

// shutdown waits for the workers and returns the buffers of unfinished batches. Callers do not hold
// the lock, and the end is set.
func (it *Iterator) shutdown() {
	it.mu.Lock()
	it.wake.Broadcast()
	it.mu.Unlock()
	it.workers.Wait()
	it.stopAfter()
	it.unsubscribe()
	it.mu.Lock()
	plans := it.plans
	it.plans = nil
	helper := it.helper
	it.helper = nil
	it.mu.Unlock()
	if helper != nil {
		helper.w.Close()
	}
	for _, p := range plans {
		it.l.buffers.put(p.buffer)
	}
}

// deliver turns the first plan into a batch.
func (it *Iterator) deliver() *Batch {
	p := it.plans[0]
	it.plans = it.plans[1:]
	it.order = it.order[p.whole:]
	it.planned -= p.whole
	it.delivered++
	it.given += p.whole
	l := it.l
	n := len(p.positions)
	b := &Batch{
		Data: p.buffer.bytes[:n*l.options.Dtype.sample(l.pipeline)], Dtype: l.options.Dtype, Labels: make([]int64, n), Indices: make([]int, n),
		N: n, Size: l.pipeline.size, Layout: l.options.Layout, buffer: p.buffer, pool: l.buffers,
	}
	for i, at := range p.positions {
		b.Labels[i], b.Indices[i] = l.labels[at], l.indices[at]
	}
	if b.Dtype == Float32 {
		b.Images = p.buffer.floats(n * l.pipeline.Elements())
	}
	if p.mix != nil {
		b.Mix = &Mix{Labels: make([]int64, n), Weight: p.mix.weight}
		for i, j := range p.mix.partner {
			b.Mix.Labels[i] = b.Labels[j]
		}
	}
	b.drop(p.dropped)
	return b
}

// drop closes the gaps that pictures without content left.
func (b *Batch) drop(slots []int) {
	if len(slots) == 0 {
		return
	}
	each, n := len(b.Data)/b.N, 0
	for i := range b.N {
		if slices.Contains(slots, i) {
			continue
		}
		copy(b.Data[n*each:(n+1)*each], b.Data[i*each:(i+1)*each])
		b.Labels[n], b.Indices[n] = b.Labels[i], b.Indices[i]
		if b.Mix != nil {
			b.Mix.Labels[n] = b.Mix.Labels[i]
		}
		n++
	}
	if b.Images != nil {
		b.Images = b.Images[:len(b.Images)/b.N*n]
	}
	b.Data, b.Labels, b.Indices, b.N = b.Data[:n*each], b.Labels[:n], b.Indices[:n], n
	if b.Mix != nil {
		b.Mix.Labels = b.Mix.Labels[:n]
	}
}

// size is the number of samples of the next plan, 0 when there is none.
func (it *Iterator) size() int {
	rest := len(it.order) - it.planned
	if rest < it.l.options.BatchSize && it.l.options.shuffles() {
		return 0
	}
	return min(rest, it.l.options.BatchSize)
}

func (it *Iterator) finished() bool { return len(it.plans) == 0 && it.size() == 0 }

// take waits for a sample to make; nil at the end of the epoch.
func (it *Iterator) take() *task {
	it.mu.Lock()
	defer it.mu.Unlock()
	for it.end == nil {
		for _, p := range it.plans {
			if t := p.take(); t != nil {
				return t
			}
		}
		if it.finished() {
			return nil
		}
		if it.extend() {
			continue
		}
		if it.end != nil {
			return nil
		}
		it.wake.Wait()
	}
	return nil
}

// extend plans one more batch, if pictures and a buffer are left for it.
func (it *Iterator) extend() bool {
	if it.size() == 0 {
		return false
	}
	b, err := it.l.buffers.get()
	if err != nil {
		it.end = err
		it.wake.Broadcast()
	}
	if b == nil {
		return false
	}
	it.plan(b)
	it.wake.Broadcast()
	return true
}

// plan draws the random numbers of the next batch.
func (it *Iterator) plan(b *buffer) {
	l := it.l
	n := it.size()
	whole := it.order[it.planned : it.planned+n : it.planned+n]
	from, to := l.share(n)
	p := &plan{positions: whole[from:to:to], whole: n, params: make([]Params, n), buffer: b, left: to - from, ready: to == from}
	for i, at := range whole {
		if l.options.Train {
			seed := l.options.Seed
			if l.cumulative != nil { // a picture drawn twice does not come twice the same
				seed = int64(mix(uint64(seed) ^ uint64(it.given+it.planned+i+1)))
			}
			p.params[i] = l.pipeline.Draw(seed, it.epoch, l.indices[at])
		} else {
			p.params[i] = Neutral()
		}
	}
	p.area = l.pipeline.AreaStep(p.params) // the whole batch decides
	p.params = p.params[from:to]
	if l.options.shuffles() && l.pipeline.mixer != nil {
		d := drawer{generator(l.options.Seed, it.epoch, -1-it.delivered-len(it.plans))}
		p.mix = d.mixture(l.pipeline.mixer, to-from, l.pipeline.size)
	}
	it.plans = append(it.plans, p)
	it.planned += n
}

// done accounts for a finished sample; the last one of a batch mixes it.
func (it *Iterator) done(t *task) {
	it.mu.Lock()
	t.p.left--
	if t.p.left == 0 {
		if t.p.mix != nil && !t.p.cancelled {
			it.mu.Unlock()
			n := len(t.p.positions) * it.l.pipeline.Elements()
			t.p.mix.apply(t.p.buffer.floats(n), it.l.pipeline.size, it.l.options.Layout)
			it.mu.Lock()
		}
		t.p.ready = true
	}
	t.p.running--
	var idle *buffer
	if t.p.cancelled && t.p.running == 0 {
		idle, t.p.buffer = t.p.buffer, nil
	}
	if t.p.left == 0 {
		it.wake.Broadcast()
	}
	it.mu.Unlock()
	if idle != nil {
		it.l.buffers.put(idle)
	}
}

// drop leaves a failed sample of a sharded batch out, whose order the other shards have, too.
func (it *Iterator) drop(t *task, each int) {
	it.mu.Lock()
	t.p.dropped = append(t.p.dropped, t.slot)
	it.mu.Unlock()
	clear(t.p.buffer.bytes[t.slot*each : (t.slot+1)*each]) // MixUp reads it
	it.done(t)
}

// replan drops the plans from that of a failed sample on; they are made again without it.
func (it *Iterator) replan(t *task) {
	var idle []*buffer
	it.mu.Lock()
	t.p.running--
	from := 0
	for from < len(it.plans) && it.plans[from] != t.p {
		from++
	}
	if t.p.cancelled {
		if t.p.running == 0 {
			idle, t.p.buffer = append(idle, t.p.buffer), nil
		}
	} else {
		start := 0
		for _, p := range it.plans[:from] {
			start += p.whole
		}
		for _, p := range it.plans[from:] {
			p.cancelled = true
			if p.running == 0 {
				idle, p.buffer = append(idle, p.buffer), nil
			}
		}
		it.plans = it.plans[:from:from]
		// Plans hold slices of the old order, so the new one is a copy.
		kept := append([]int(nil), it.order[:start]...)
		it.order = append(kept, it.l.readable(append([]int(nil), it.order[start:]...))...)
		it.planned = start
	}
	it.wake.Broadcast()
	it.mu.Unlock()
	for _, b := range idle {
		it.l.buffers.put(b)
	}
}

// work makes samples until the epoch ends.
func (it *Iterator) work() {
	defer it.workers.Done()
	if it.l.options.GiveWay {
		giveWay()
	}
	h, err := it.newHand()
	if err != nil {
		it.stop(err)
		return
	}
	defer h.w.Close()
	for {
		t := it.take()
		if t == nil {
			return
		}
		h.make(t)
	}
}

// help makes a sample of the batch that is waited for, on the caller's thread; it tells whether there was
// one to make. The caller holds the lock, and does again after it.
func (it *Iterator) help() bool {
	if !it.l.options.GiveWay || it.end != nil || (len(it.plans) == 0 && !it.extend()) {
		return false
	}
	t := it.plans[0].take()
	if t == nil {
		return false
	}
	it.workers.Add(1) // shutdown waits for the caller as for a worker
	it.mu.Unlock()
	err := error(nil)
	if it.helper == nil {
		it.helper, err = it.newHand()
	}
	if err == nil {
		it.helper.make(t)
	} else {
		it.stop(err)
	}
	it.mu.Lock()
	it.workers.Done()
	return true
}

// hand makes samples, one at a time.
type hand struct {
	it      *Iterator
	w       *Worker
	scratch data.Picture
}

func (it *Iterator) newHand() (*hand, error) {
	w, err := it.l.pipeline.NewWorker()
	if err != nil {
		return nil, err
	}
	return &hand{it: it, w: w}, nil
}

// make makes one sample and accounts for it.
func (h *hand) make(t *task) {
	it, l := h.it, h.it.l
	each := l.options.Dtype.sample(l.pipeline)
	at := t.p.positions[t.slot]
	var pic *data.Picture
	var err error
	out := t.p.buffer.bytes[t.slot*each : (t.slot+1)*each]
	if block := l.options.Block; block != nil {
		err = l.shoot(block, at, t.p.params[t.slot], out)
	} else {
		pic, err = it.picture(at, &h.scratch)
	}
	if err != nil {
		l.markBad(at, err)
		if l.sharded() {
			it.drop(t, each)
		} else {
			it.replan(t)
		}
		return
	}
	if pic != nil {
		err = h.w.ApplyAs(out, l.options.Dtype, pic, t.p.params[t.slot], t.p.area, l.options.Layout)
	}
	if err != nil { // no memory: the next picture would fail as well
		it.stop(err)
	}
	it.done(t)
}

// picture decodes the picture of a position, into scratch where the source can.
func (it *Iterator) picture(at int, scratch *data.Picture) (*data.Picture, error) {
	if lender, ok := it.l.source.(borrower); ok {
		return lender.Borrow(it.l.indices[at], scratch)
	}
	return it.l.source.Picture(it.l.indices[at])
}

// shoot plans the sample of a position.
func (l *Loader) shoot(block Block, at int, prm Params, out []byte) error {
	offset, width, height, err := block.Place(l.indices[at])
	if err != nil {
		return err
	}
	return l.pipeline.Shot(offset, width, height, prm, out)
}
