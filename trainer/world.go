package trainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	torch "github.com/wangkuiyi/gotorch"
)

// A World is the processes that train one model together. A nil World is this
// process alone. It belongs to the training goroutine.
type World struct {
	place   Place
	options WorldOptions
	store   *torch.Store // where the process group meets
	group   *torch.ProcessGroup
	beats   *beats
}

// WorldOptions say how processes find and leave each other.
type WorldOptions struct {
	// Timeout is how long a process waits for the others, in any collective.
	Timeout time.Duration
	// Interface names the network interface to listen and connect on; "" takes
	// the one on the way to the machine of rank 0.
	Interface string
}

// DefaultTimeout is how long a process waits for the others unless told otherwise.
const DefaultTimeout = 5 * time.Minute

// Join meets the other processes. A nil place is this process alone: a nil World.
func Join(ctx context.Context, place *Place, o WorldOptions) (*World, error) {
	if place == nil {
		return nil, nil
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	w := &World{place: *place, options: o}
	if err := w.join(ctx); err != nil {
		w.Leave(err)
		return nil, fmt.Errorf("rank %d of %d could not join the others at %s:%d: %w", place.Rank, place.Size, place.Host, place.Port, err)
	}
	return w, nil
}

func (w *World) join(ctx context.Context) error {
	p, timeout := w.place, w.options.Timeout
	reach, err := findReach(p, w.options.Interface)
	if err != nil {
		return err
	}
	var listener *os.File
	if p.Rank == 0 && !p.AgentStore {
		if listener, err = reach.listen(p.Port); err != nil {
			return err
		}
		defer listener.Close()
	}
	if w.store, err = torch.NewStore(reach.store, p.Port, listener, p.Attempt, timeout); err != nil {
		return err
	}
	if w.beats, err = newBeats(reach.store, p, timeout); err != nil {
		return err
	}
	if err := w.beats.meet(ctx, timeout); err != nil {
		return err
	}
	return w.do("meeting", func() error {
		w.group, err = torch.NewProcessGroup(w.store, p.Rank, p.Size, timeout, reach.local, w.options.Interface)
		return err
	})
}

// useGPU sends what lies on a GPU from GPU to GPU. All processes call it, and all can, or none: they run the
// same program.
func (w *World) useGPU(device torch.Device) error {
	if !device.IsCUDA() {
		return nil
	}
	if why := torch.Library().CUDAKernels; why != "" {
		return errors.New(why)
	}
	return w.do("meeting on the GPUs", func() error { return w.group.UseNCCL(w.store, device, w.options.Timeout) })
}

// Leave ends this process's part; cause, when it is not nil, is told to the
// others.
func (w *World) Leave(cause error) {
	if w == nil {
		return
	}
	if w.beats != nil {
		w.beats.leave(cause)
	}
	if cause != nil {
		return // the process ends; waiting for what others owe would only delay it
	}
	if w.group != nil {
		w.group.Barrier() //nolint:errcheck // rank 0 serves the store until all are done; nothing is owed any more
		w.group.Close()
	}
	if w.store != nil {
		w.store.Close()
	}
}

// Rank is this process's number, from 0 on.
func (w *World) Rank() int {
	if w == nil {
		return 0
	}
	return w.place.Rank
}

// Size is the number of processes.
func (w *World) Size() int {
	if w == nil {
		return 1
	}
	return w.place.Size
}

// LocalRank is this process's number among those of its machine.
func (w *World) LocalRank() int {
	if w == nil {
		return 0
	}
	return w.place.LocalRank
}

// LocalSize is the number of processes on this machine, which share its cores.
func (w *World) LocalSize() int {
	if w == nil {
		return 1
	}
	return w.place.LocalSize
}

// Writes tells whether this process is the one that writes files.
func (w *World) Writes() bool { return w.Rank() == 0 }

// do runs a collective and, when it fails, finds out whose fault it is.
func (w *World) do(name string, collective func() error) error {
	w.beats.begin(name)
	if err := collective(); err != nil {
		lost, _ := w.beats.blame(name, err)
		return lost
	}
	w.beats.end()
	return nil
}

// sum replaces values by their sums over all processes.
func (w *World) sum(name string, values []float64) error {
	if w == nil {
		return nil
	}
	scope := torch.NewScope()
	defer scope.Close()
	t := torch.NewTensor(values)
	err := w.do(name, func() error { return w.group.AllReduce(t, torch.ReduceSum) })
	if err == nil {
		torch.CopyOut(t, values)
	}
	return err
}

// Broadcast gives every process the bytes that rank 0 has.
func (w *World) Broadcast(name string, content []byte) ([]byte, error) {
	if w == nil {
		return content, nil
	}
	scope := torch.NewScope()
	defer scope.Close()
	size := torch.NewTensor([]int64{int64(len(content))})
	if err := w.do(name, func() error { return w.group.Broadcast(size, 0) }); err != nil {
		return nil, err
	}
	if w.Rank() != 0 {
		content = make([]byte, torch.Values[int64](size)[0])
	}
	if len(content) == 0 {
		return content, nil
	}
	t := torch.NewTensor(content)
	err := w.do(name, func() error { return w.group.Broadcast(t, 0) })
	if err == nil && w.Rank() != 0 {
		torch.CopyOut(t, content)
	}
	return content, err
}

// gather gives every process the bytes of all, by rank.
func (w *World) gather(name string, content []byte) ([][]byte, error) {
	if w == nil {
		return [][]byte{content}, nil
	}
	scope := torch.NewScope()
	defer scope.Close()
	sizes, err := w.gatherTensors(name, torch.NewTensor([]int64{int64(len(content))}))
	if err != nil {
		return nil, err
	}
	longest := int64(1)
	for _, size := range sizes {
		longest = max(longest, torch.Values[int64](size)[0])
	}
	padded := make([]byte, longest)
	copy(padded, content)
	all, err := w.gatherTensors(name, torch.NewTensor(padded))
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(all))
	for rank, t := range all {
		out[rank] = torch.Values[byte](t)[:torch.Values[int64](sizes[rank])[0]]
	}
	return out, nil
}

func (w *World) gatherTensors(name string, t torch.Tensor) (all []torch.Tensor, err error) {
	err = w.do(name, func() (err error) {
		all, err = w.group.AllGather(t)
		return err
	})
	return all, err
}

// broadcastState gives every process rank 0's values of the tensors, which are
// the same in number and shape everywhere.
func (w *World) broadcastState(name string, tensors []torch.Tensor) error {
	if w == nil {
		return nil
	}
	for _, t := range tensors {
		if err := w.do(name, func() error { return w.group.Broadcast(t, 0) }); err != nil {
			return err
		}
	}
	return nil
}

// Agree compares a text that must be the same in every process, such as the
// fingerprint of the pictures.
func (w *World) Agree(what, text string) error {
	all, err := w.gather("comparing "+what, []byte(text))
	if err != nil {
		return err
	}
	for rank, other := range all {
		if string(other) != string(all[0]) {
			return fmt.Errorf("%s of rank %d and rank 0 differ: %s and %s", what, rank, someText(other), someText(all[0]))
		}
	}
	return nil
}

func someText(b []byte) string { return fmt.Sprintf("%.60q", b) }

// gatherGenerators gives the states of every process's random generators, by
// rank and device.
func (w *World) gatherGenerators(device torch.Device) (map[string]torch.Tensor, error) {
	states := map[string]torch.Tensor{}
	own := map[string]torch.Tensor{"cpu": torch.RNGState()}
	if device.IsCUDA() {
		own["cuda"] = torch.RNGState(device)
	}
	for name, state := range own {
		all := []torch.Tensor{state}
		if w != nil {
			var err error
			if all, err = w.gatherTensors("gathering random states", state); err != nil {
				return nil, err
			}
		}
		for rank, t := range all {
			states[fmt.Sprintf("%d.%s", rank, name)] = t
		}
	}
	return states, nil
}

// restoreGenerators is its inverse. A rank that was not there when the
// checkpoint was written keeps its fresh generator.
func (w *World) restoreGenerators(device torch.Device, states map[string]torch.Tensor) {
	if state, ok := states[fmt.Sprintf("%d.cpu", w.Rank())]; ok {
		torch.SetRNGState(state)
	}
	if state, ok := states[fmt.Sprintf("%d.cuda", w.Rank())]; ok && device.IsCUDA() {
		torch.SetRNGState(state, device)
	}
}

// A PeerError is a collective that failed because of other processes.
type PeerError struct {
	Rank       int    // this process
	Collective string // in words
	Culprit    string // in words: which rank, and what is known of it
	Cause      error  // what the network said
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("rank %d: %s failed: %s (%s)", e.Rank, e.Collective, e.Culprit, firstLine(e.Cause.Error()))
}

func (e *PeerError) Unwrap() error { return e.Cause }

// IsPeerError tells whether a training ended because of another process: to
// start it again may help.
func IsPeerError(err error) bool { return errors.As(err, new(*PeerError)) }
