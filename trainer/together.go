package trainer

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/augment"
)

// joinStep is what the processes tell each other before each step. A process
// alone tells itself.
type joinStep struct {
	images int  // of the batch, over all processes
	stop   bool // somebody was asked to stop
	save   bool // a checkpoint is due
}

func (f *fit) joinStep(name string, images int, stop, save bool) (joinStep, error) {
	flag := func(on bool) float64 {
		if on {
			return 1
		}
		return 0
	}
	values := []float64{float64(images), flag(stop), flag(save)}
	err := f.World.sum(name, values)
	return joinStep{int(values[0]), values[1] > 0, values[2] > 0}, err
}

// loaderContext is what ends the loaders: the processes of a world stop
// together, after they have agreed to, so theirs do not end by themselves.
func (f *fit) loaderContext(ctx context.Context) context.Context {
	if f.World == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// An averaging makes the gradients of a step those of the whole batch: the mean
// over the pictures of all processes. A nil one is for a process alone.
type averaging struct {
	world   *World
	reducer *torch.Reducer
	step    int
	weight  float64 // this process's pictures over the mean number of a process
}

func (f *fit) averaging(own, all int) *averaging {
	if f.World == nil {
		return nil
	}
	return &averaging{f.World, f.reducer, f.progress.Step, float64(own) * float64(f.World.Size()) / float64(all)}
}

func (a *averaging) beforeForward() {
	if a == nil {
		return
	}
	a.world.beats.begin(fmt.Sprintf("the forward pass of step %d", a.step))
	panicWith(a.reducer.BeforeForward())
}

// backward computes the gradients of a loss, a mean over this process's pictures.
// The reducer then averages those of the processes, each counting as much.
func (a *averaging) backward(loss torch.Tensor) {
	if a == nil {
		loss.Backward()
		return
	}
	a.world.beats.begin(fmt.Sprintf("averaging the gradients of step %d", a.step))
	panicWith(a.reducer.BeforeBackward())
	if a.weight != 1 {
		loss = loss.MulScalar(a.weight)
	}
	loss.Backward()
	a.world.beats.end()
}

func panicWith(err error) {
	if err != nil {
		panic(err)
	}
}

// wholeLoss is the mean over the pictures of all processes, from this one's mean.
func (f *fit) wholeLoss(loss float64, own, all int) (float64, error) {
	if f.World == nil {
		return loss, nil
	}
	values := []float64{loss * float64(own) / float64(all)}
	err := f.World.sum(fmt.Sprintf("the loss of step %d", f.progress.Step), values)
	return values[0], err
}

// explain finds out whether an error in the midst of a step, where libtorch
// averages by itself, is another process's: those errors have no mark of their own.
func (f *fit) explain(err error) error {
	if f.World == nil || err == nil || IsPeerError(err) {
		return err
	}
	lost, found := f.World.beats.blame(f.World.beats.current(), err)
	if !found && !strings.Contains(err.Error(), "gloo/") && !strings.Contains(err.Error(), "NCCL") {
		return err
	}
	return lost
}

// joinTraining makes every process start from rank 0's weights and hooks the
// averaging of gradients in.
func (f *fit) joinTraining() (err error) {
	if f.World == nil {
		return nil
	}
	if err := f.World.Agree("the pictures", fingerprint(f.set)); err != nil {
		return err
	}
	if err := f.World.useGPU(f.device); err != nil {
		f.Log.Warn("the GPUs of the processes speak through Gloo, by way of their memory, not NCCL", "reason", err)
	}
	if err := f.shareBuffers(false); err != nil {
		return err
	}
	if err := f.World.group.SyncBatchNorm(f.recipe.SyncBatchNorm); err != nil {
		return err
	}
	// Weights were drawn alike; masks of dropout and the like are to differ.
	if f.Resume == nil {
		torch.ManualSeed(f.recipe.Seed + int64(f.World.Rank()))
	}
	return f.averageGradients()
}

// averageGradients hooks the averaging of gradients into the parameters that are trained, anew when
// other stages are frozen than before.
func (f *fit) averageGradients() (err error) {
	frozen := f.recipe.frozenAt(f.progress.Epoch, len(f.model.Stages()))
	if f.World == nil || f.reducer != nil && f.averaged == frozen {
		return nil
	}
	if f.reducer != nil {
		f.reducer.Close()
		f.reducer = nil
	}
	var trained []torch.Tensor
	for _, p := range f.model.Parameters() {
		if p.RequiresGrad() {
			trained = append(trained, p)
		}
	}
	f.averaged = frozen
	f.reducer, err = torch.NewReducer(f.World.group, trained, torch.DefaultBucketBytes)
	return err
}

// leaveTraining is its inverse.
func (f *fit) leaveTraining() {
	if f.reducer != nil {
		f.reducer.Close()
		f.World.group.SyncBatchNorm(false) //nolint:errcheck // it only forgets
	}
}

// shareBuffers gives every process rank 0's buffers, and parameters unless it
// is to be buffers only. Without synchronised BatchNorm each process has running
// statistics of its own; rank 0's are the model's.
func (f *fit) shareBuffers(only bool) error {
	var shared []torch.Tensor
	for _, n := range f.model.Named() {
		if n.Buffer || !only {
			shared = append(shared, n.Tensor.Detach())
		}
	}
	return f.World.broadcastState("sharing rank 0's model", shared)
}

// shareUnreadable makes every process leave out what any of them found
// unreadable.
func (f *fit) shareUnreadable(l *augment.Loader) error {
	if f.World == nil {
		return nil
	}
	text, err := json.Marshal(l.Found())
	if err != nil {
		return err
	}
	all, err := f.World.gather("sharing what is unreadable", text)
	if err != nil {
		return err
	}
	var found []int
	for _, text := range all {
		var some []int
		if err := json.Unmarshal(text, &some); err != nil {
			return err
		}
		found = append(found, some...)
	}
	for _, index := range found {
		f.skip(index, errors.New("another process found it unreadable"))
	}
	l.SetUnreadable(found)
	return nil
}

// A row is one picture of a shared evaluation.
type row struct {
	index  int
	label  int64
	logits []float32
}

// evaluateTogether is evaluate over the shards of all processes. Every one gets
// the same evaluation, picture for picture that of a process alone.
func (f *fit) evaluateTogether(ctx context.Context) (*Evaluation, error) {
	var encoded []byte
	classes := len(f.set.Classes)
	ready := func() error {
		join, err := f.joinStep("validation", 0, ctx.Err() != nil, false)
		if err == nil && join.stop {
			err = errAsked
		}
		return err
	}
	err := forward(ready, f.model, f.feed, f.valid.Epoch(context.WithoutCancel(ctx), 0), func(logits []float32, indices []int, labels []int64) {
		for i, index := range indices {
			encoded = binary.LittleEndian.AppendUint64(encoded, uint64(index))
			encoded = binary.LittleEndian.AppendUint64(encoded, uint64(labels[i]))
			for _, x := range logits[i*classes : (i+1)*classes] {
				encoded = binary.LittleEndian.AppendUint32(encoded, math.Float32bits(x))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	all, err := f.World.gather("gathering the validation", encoded)
	if err != nil {
		return nil, err
	}
	rows := decodeRows(slices.Concat(all...), classes)
	position := make(map[int]int, len(f.validation))
	for i, index := range f.validation {
		position[index] = i
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(position[a.index], position[b.index]) })
	counted := newTally(f.set)
	for _, r := range rows {
		counted.add(r.logits, []int{r.index}, []int64{r.label})
	}
	return counted.evaluation(), f.shareUnreadable(f.valid)
}

func decodeRows(b []byte, classes int) []row {
	var rows []row
	for len(b) > 0 {
		r := row{index: int(binary.LittleEndian.Uint64(b)), label: int64(binary.LittleEndian.Uint64(b[8:])), logits: make([]float32, classes)}
		for i := range r.logits {
			r.logits[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[16+4*i:]))
		}
		rows = append(rows, r)
		b = b[16+4*classes:]
	}
	return rows
}

// ReadCheckpointTogether is ReadCheckpoint by rank 0, which gives the others
// what it read: they need not see the run's folder.
func ReadCheckpointTogether(w *World, dir string) (*Checkpoint, error) {
	if w == nil {
		return ReadCheckpoint(dir)
	}
	var content []byte
	var found struct {
		Path, Failure string
		None          bool
		Passed        []string
	}
	if w.Writes() {
		file, path, passed, err := readNewest(dir)
		for _, p := range passed {
			found.Passed = append(found.Passed, p.Error())
		}
		if found.Path = path; err != nil {
			found.Failure, found.None = err.Error(), errors.Is(err, ErrNoCheckpoint)
		} else {
			content = slices.Clone(file.Raw())
			file.Close()
		}
	}
	text, err := json.Marshal(found)
	if err != nil {
		return nil, err
	}
	if text, err = w.Broadcast("sharing the checkpoint", text); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, err
	}
	if found.None {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoCheckpoint)
	}
	if found.Failure != "" {
		return nil, errors.New(found.Failure)
	}
	if content, err = w.Broadcast("sharing the checkpoint", content); err != nil {
		return nil, err
	}
	file, err := safetensors.Parse(found.Path, content)
	if err != nil {
		return nil, err
	}
	c, err := newCheckpoint(found.Path, file)
	if c != nil {
		for _, p := range found.Passed {
			c.Passed = append(c.Passed, errors.New(p))
		}
	}
	return c, err
}
