package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// A fakeRecorder has a recording done again operation by operation, as a GPU would do it as a whole.
type fakeRecorder struct {
	fails            error
	warmed, recorded int
	replayed, closed int
}

func (r *fakeRecorder) warm(f func()) { r.warmed++; f() }

func (r *fakeRecorder) record(f func()) (replayer, error) {
	if r.fails != nil {
		return nil, r.fails
	}
	r.recorded++
	return &fakeRecording{r, f}, nil
}

type fakeRecording struct {
	of *fakeRecorder
	f  func()
}

func (r *fakeRecording) Replay() { r.of.replayed++; r.f() }
func (r *fakeRecording) Close()  { r.of.closed++ }

// speedy is cifar10-speed with a narrow network and small batches.
func speedy(t *testing.T) Recipe {
	t.Helper()
	r, err := LoadRecipe("cifar10-speed", Article())
	if err != nil {
		t.Fatal(err)
	}
	r.Device, r.Width, r.BatchSize, r.Epochs, r.Threads, r.TTA = "cpu", 0.125, 8, 2, 1, 0
	return r
}

// methods are recipes whose steps differ in what they keep from step to step.
func methods(t *testing.T) map[string]Recipe {
	recipes := map[string]Recipe{"one-cycle": quick(), "muon-sgd": speedy(t)}
	add := func(name string, change func(*Recipe)) {
		r := quick()
		change(&r)
		recipes[name] = r
	}
	add("steady momentum, ema, clipping", func(r *Recipe) { r.Schedule, r.EMA, r.ClipNorm, r.Optimizer = Cosine, 0.9, 1, AdamW })
	add("sgd, mixup, dropout", func(r *Recipe) { r.Schedule, r.Optimizer, r.MixUp, r.Dropout = Flat, SGD, 0.4, 0.2 })
	add("growing pictures", func(r *Recipe) { r.StartSize, r.Epochs = 24, 3 })
	add("rmsprop", func(r *Recipe) { r.Schedule, r.Optimizer, r.LearningRate = Cosine, RMSprop, 1e-3 })
	add("lamb", func(r *Recipe) { r.Optimizer = LAMB })
	add("lion", func(r *Recipe) { r.Schedule, r.Optimizer, r.LearningRate = Cosine, Lion, 3e-4 })
	add("muon", func(r *Recipe) { r.Schedule, r.Optimizer = Cosine, Muon })
	add("muon, one-cycle, float16", func(r *Recipe) { r.Optimizer, r.AMP = Muon, FP16 })
	add("accumulated", func(r *Recipe) { r.Accumulate = 2 })
	add("float16", func(r *Recipe) { r.AMP = FP16 })
	return recipes
}

// Steps that nobody waits for, recorded or not, are the steps that are waited for, to the last bit, and
// what is told of them is the same.
func TestLateStepsAreTheSameSteps(t *testing.T) {
	for name, recipe := range methods(t) {
		t.Run(name, func(t *testing.T) {
			var losses [3][]float64
			run := func(way int, change func(*Options)) map[string][]float32 {
				weights, _, _ := fitted(t, recipe, func(o *Options) {
					o.Watchers = []Watcher{&copyLosses{&stopAt{step: -1}, &losses[way]}}
					change(o)
				})
				return weights
			}
			waited := run(0, nothing)
			late := run(1, func(o *Options) { o.lateOnCPU = 3 })
			fake := &fakeRecorder{}
			recorded := run(2, func(o *Options) { o.lateOnCPU, o.recorder = 3, fake })
			for way, weights := range [][]map[string][]float32{{waited, late}, {waited, recorded}} {
				if d := furthest(t, weights[0], weights[1]); d != 0 {
					t.Errorf("way %d: weights differ by %g", way, d)
				}
				if fmt.Sprint(losses[0]) != fmt.Sprint(losses[way+1]) {
					t.Errorf("way %d: losses %v, want %v", way, losses[way+1], losses[0])
				}
			}
			if can := recipe.Accumulate == 1; can != (fake.replayed > 0) {
				t.Errorf("%d recordings, done %d times", fake.recorded, fake.replayed)
			}
			if recipe.StartSize > 0 && fake.recorded < 1 {
				t.Errorf("%d recordings of pictures that grow", fake.recorded)
			}
		})
	}
}

// The times of late steps, of which some are told of at once, add up to the training's, and their waits too.
func TestTimesOfLateSteps(t *testing.T) {
	times := &addTimes{stopAt: &stopAt{step: -1}}
	_, result, _ := fitted(t, quick(), func(o *Options) { o.lateOnCPU, o.recorder, o.Watchers = 3, &fakeRecorder{}, []Watcher{times} })
	images := float64(times.steps * quick().BatchSize)
	if rate := images / times.seconds; times.steps == 0 || math.Abs(rate-result.ImagesPerSecond) > 1e-9*rate {
		t.Errorf("%d steps say %v images/s, the result %v", times.steps, rate, result.ImagesPerSecond)
	}
	if share := times.waits / times.seconds; math.Abs(share-result.DataWaitFraction) > 1e-9 {
		t.Errorf("steps waited %v of the time, the result says %v", share, result.DataWaitFraction)
	}
	if result.Seconds < times.seconds {
		t.Errorf("steps took %v s of %v", times.seconds, result.Seconds)
	}
}

type addTimes struct {
	*stopAt
	steps          int
	seconds, waits float64
}

func (a *addTimes) StepEnds(s Step) {
	a.steps++
	a.seconds, a.waits = a.seconds+s.Seconds, a.waits+s.DataWaitSeconds
}

// copyLosses keeps the losses that it is told.
type copyLosses struct {
	*stopAt
	to *[]float64
}

func (c *copyLosses) StepEnds(step Step) { *c.to = append(*c.to, step.Loss) }

// A step that cannot be recorded is done without, and the reason is told once.
func TestRecordingFallsBackWithItsReason(t *testing.T) {
	recipe := quick()
	want, _, _ := fitted(t, recipe, nothing)
	fake := &fakeRecorder{fails: errors.New("operation not permitted when stream is capturing\nmore lines")}
	got, _, log := fitted(t, recipe, func(o *Options) { o.lateOnCPU, o.recorder = 2, fake })
	if d := furthest(t, want, got); d != 0 {
		t.Errorf("weights differ by %g", d)
	}
	if strings.Count(log, "not recorded as a CUDA graph") != 1 || !strings.Contains(log, "not permitted when stream is capturing") || strings.Contains(log, "more lines") {
		t.Errorf("the log says %s", log)
	}
	recipe.Accumulate = 2
	if _, _, log = fitted(t, recipe, func(o *Options) { o.lateOnCPU, o.recorder = 2, &fakeRecorder{} }); !strings.Contains(log, "accumulated over several batches") {
		t.Errorf("the log says %s", log)
	}
}

// A late training that is stopped goes on where it was.
func TestLateTrainingResumesBitEqual(t *testing.T) {
	set, recipe := colourSet(t, 20), quick()
	lately := func(run *Run, w Watcher) Options {
		o := options(run, set, w)
		o.lateOnCPU, o.recorder = 3, &fakeRecorder{}
		return o
	}
	whole := newRun(t, recipe)
	if _, err := Fit(t.Context(), recipe, set, options(whole, set)); err != nil {
		t.Fatal(err)
	}
	closeRun(t, whole)
	run := newRun(t, recipe)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Fit(ctx, recipe, set, lately(run, &stopAt{step: 4, cancel: cancel})); !errors.Is(err, ErrStopped) {
		t.Fatalf("error = %v, want ErrStopped", err)
	}
	closeRun(t, run)
	steps, err := os.ReadFile(run.path(stepsFile))
	if err != nil {
		t.Fatal(err)
	}
	told := strings.Count(string(steps), "\n") - 1
	resume(t, run.Dir, recipe, set, &stopAt{step: -1})
	if told < 5 {
		t.Errorf("%d steps were told of before the stop at step 4", told)
	}
	want := modelBytes(t, whole.Dir)
	for name, bytes := range modelBytes(t, run.Dir) {
		if string(bytes) != string(want[name]) {
			t.Errorf("tensor %s differs from the undisturbed run's", name)
		}
	}
}

// A loss that is no number ends a late training, names its own step, and has moved no weight.
func TestLateLossThatIsNotFinite(t *testing.T) {
	recipe := quick()
	set := colourSet(t, 16)
	run := newRun(t, recipe)
	o := options(run, set)
	o.lateOnCPU = 3
	o.spoil = func(step int) bool { return step == 2 }
	_, err := Fit(t.Context(), recipe, set, o)
	closeRun(t, run)
	if !errors.Is(err, errNotFinite) || !strings.Contains(err.Error(), "step 2:") {
		t.Errorf("error %v", err)
	}
	// Rolled back, the training leaves the step and the one before out, and ends.
	rolled, result, log := fitted(t, recipe, func(o *Options) {
		o.lateOnCPU, o.OnNaN = 3, OnNaNRollback
		o.Saving = DefaultSaving()
		spoilt := false
		o.spoil = func(step int) bool {
			hit := step == 6 && !spoilt
			spoilt = spoilt || hit
			return hit
		}
	})
	if result.Epochs != 2 || !strings.Contains(log, "rolled back") {
		t.Errorf("%d epochs; the log says %s", result.Epochs, log)
	}
	for name, w := range rolled {
		for _, v := range w {
			if v != v {
				t.Fatalf("%s holds NaN", name)
			}
		}
	}
}

// Out of memory in a late step, too, has the batch taken in parts.
func TestLateOutOfMemory(t *testing.T) {
	recipe := quick()
	recipe.BatchNorm, recipe.Epochs, recipe.LearningRate = false, 1, 1e-3
	whole, _, _ := fitted(t, recipe, nothing)
	fake := &fakeRecorder{}
	parts, _, log := fitted(t, recipe, func(o *Options) {
		o.lateOnCPU, o.recorder = 2, fake
		o.fits = func(n int) error {
			if n > 4 && fake.replayed > 0 {
				return errNoMemory
			}
			return nil
		}
	})
	if d := furthest(t, whole, parts); d > 1e-5 {
		t.Errorf("in parts, weights differ by %g", d)
	}
	if !strings.Contains(log, "pictures_a_part=4") || !strings.Contains(log, "batches are taken in parts") {
		t.Errorf("the log says %s", log)
	}
}

// Pictures that lie on the device give the same batches within 1/255, which an epoch leaves near each other,
// and the same accuracy; those that do not fit, or need more than one sampling, are streamed.
func TestPicturesOnTheDevice(t *testing.T) {
	recipe := quick()
	recipe.Pixels, recipe.Seed = "fast", 1
	both := func(epochs int) (float64, *Result, *Result) {
		recipe.Epochs = epochs
		streamed, first, _ := fitted(t, recipe, func(o *Options) { o.lateOnCPU = 2 })
		resident, second, log := fitted(t, recipe, func(o *Options) { o.lateOnCPU, o.residentOnCPU = 2, true })
		if !strings.Contains(log, "pictures lie on the device") || !strings.Contains(log, "pictures=48") {
			t.Errorf("the log says %s", log)
		}
		return furthest(t, streamed, resident), first, second
	}
	if d, _, _ := both(1); d == 0 || d > 0.06 {
		t.Errorf("weights of streamed and resident pictures differ by %g", d)
	}
	_, first, second := both(12)
	if first.Accuracy < 0.6 || second.Accuracy < 0.6 {
		t.Errorf("accuracies %.3f and %.3f on three plain colours", first.Accuracy, second.Accuracy)
	}
	recipe.Epochs = 1
	for says, change := range map[string]func(*Recipe, *Options){
		"more than the 0 MiB": func(_ *Recipe, o *Options) { o.residentLimit = 1000 },
		"--pixels fast":       func(r *Recipe, _ *Options) { r.Pixels = "exact" },
		"mixup":               func(r *Recipe, _ *Options) { r.MixUp = 0.4 },
	} {
		r := recipe
		o := Options{}
		change(&r, &o)
		if _, _, log := fitted(t, r, func(with *Options) {
			with.lateOnCPU, with.residentOnCPU, with.residentLimit = 2, true, o.residentLimit
		}); !strings.Contains(log, "streamed to the device") || !strings.Contains(log, says) {
			t.Errorf("want %q: the log says %s", says, log)
		}
	}
}

// The recipe cifar10-speed flips and shifts pictures that lie on the device by one sampling: its batches are those that the
// processor makes, within 1/255.
func TestSpeedPicturesOnTheDevice(t *testing.T) {
	recipe := speedy(t)
	scope := torch.NewScope()
	defer scope.Close()
	set := colourSet(t, 16)
	training, validation, err := split(set, recipe)
	if err != nil {
		t.Fatal(err)
	}
	f := &fit{Options: options(nil, set), recipe: recipe, set: set, training: training, validation: validation, device: torch.CPU, late: 2}
	f.residentOnCPU = true
	streaming, err := f.trainLoader(0)
	if err != nil {
		t.Fatal(err)
	}
	defer streaming.Close()
	if f.keepPictures(); f.pictureBlock == nil {
		t.Fatal("the pictures are streamed")
	}
	planning, err := f.trainLoader(0)
	if err != nil {
		t.Fatal(err)
	}
	defer planning.Close()
	_, std, _ := models.Normalization(recipe.Normalize)
	seen := map[int]bool{}
	for epoch := range 2 { // a flip alternates
		ours, theirs := planning.Epoch(t.Context(), epoch), streaming.Epoch(t.Context(), epoch)
		for range planning.Steps() {
			plan, err := ours.Next()
			if err != nil {
				t.Fatal(err)
			}
			made, err := theirs.Next()
			if err != nil {
				t.Fatal(err)
			}
			got, want := torch.Values[float32](f.feed(plan).Contiguous()), torch.Values[float32](f.feed(made).CastTo(torch.Float).Contiguous())
			plane := len(want) / plan.N / 3
			for i := range want {
				if d := math.Abs(float64(got[i]-want[i])) * float64(std[i/plane%3]); d > 1./255+1e-6 {
					t.Fatalf("epoch %d, value %d: %v on the device, %v by the processor", epoch, i, got[i], want[i])
				}
			}
			for i, index := range plan.Indices {
				if index != made.Indices[i] || plan.Labels[i] != made.Labels[i] {
					t.Fatalf("picture %d of label %d, want %d of %d", index, plan.Labels[i], made.Indices[i], made.Labels[i])
				}
				seen[index] = true
			}
			plan.Release()
			made.Release()
		}
		ours.Close()
		theirs.Close()
	}
	if len(seen) < len(training)*3/4 {
		t.Errorf("%d of %d pictures were seen", len(seen), len(training))
	}
	_, _, log := fitted(t, recipe, func(o *Options) { o.lateOnCPU, o.residentOnCPU, o.recorder = 2, true, &fakeRecorder{} })
	for _, word := range []string{"pictures lie on the device", "recorded as a CUDA graph", "optimizer_inside=true"} {
		if !strings.Contains(log, word) {
			t.Errorf("want %q: the log says %s", word, log)
		}
	}
}

// A picture that cannot be decoded is left out of both halves of a resident set.
func TestUnreadablePictureOnTheDevice(t *testing.T) {
	recipe := quick()
	recipe.Pixels, recipe.Epochs = "fast", 1
	_, result, log := fitted(t, recipe, func(o *Options) {
		o.lateOnCPU, o.residentOnCPU = 2, true
		o.Pictures = &holed{o.Pictures.(*data.Cache), 5}
	})
	if result.SkippedImages != 1 || !strings.Contains(log, "picture left out") {
		t.Errorf("%d skipped; the log says %s", result.SkippedImages, log)
	}
}

type holed struct {
	*data.Cache
	missing int
}

func (h *holed) Picture(i int) (*data.Picture, error) {
	if i == h.missing {
		return nil, errors.New("it is missing")
	}
	return h.Cache.Picture(i)
}

func (h *holed) Borrow(i int, _ *data.Picture) (*data.Picture, error) { return h.Picture(i) }

// On a GPU, a recorded training of resident pictures in 16 bits comes to what the CPU comes to.
func TestFitOnCUDA(t *testing.T) {
	if err := torch.LoadLibrary(); err != nil {
		t.Fatal(err)
	}
	if !torch.IsCUDAAvailable() {
		t.Skip("this test needs a GPU: ", torch.Library().CUDA)
	}
	recipe := quick()
	recipe.Pixels, recipe.Epochs, recipe.Device = "fast", 8, "cuda"
	for _, amp := range []string{AMPOff, BF16, FP16, TF32} {
		recipe.AMP = amp
		_, result, log := fitted(t, recipe, nothing)
		if result.Accuracy < 0.8 {
			t.Errorf("%s: accuracy %.3f on three plain colours", amp, result.Accuracy)
		}
		if torch.Library().CUDAKernels == "" && (!strings.Contains(log, "recorded as a CUDA graph") || strings.Contains(log, "not recorded") || !strings.Contains(log, "lie on the device")) {
			t.Errorf("%s: the log says %s", amp, log)
		}
	}
	recipe.AMP, recipe.Deterministic = AMPOff, true
	one, _, _ := fitted(t, recipe, nothing)
	other, _, _ := fitted(t, recipe, nothing)
	if d := furthest(t, one, other); d != 0 {
		t.Errorf("deterministic runs differ by %g", d)
	}
}
