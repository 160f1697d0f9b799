package trainer

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// A Preprocessor turns decoded pictures into what the network sees, to the bit
// as validation does. It serves one goroutine at a time, whichever; Close frees it.
type Preprocessor struct {
	pipeline *augment.Pipeline
	worker   *augment.Worker
	area     bool
	short    int    // what the short side of pictures is scaled to first; 0: nothing
	bytes    []byte // room for a picture where validation has it in bytes; nil where it has floats
}

// NewPreprocessor makes a preprocessor of the run.
func (s *Saved) NewPreprocessor() (*Preprocessor, error) {
	worker, err := s.pipeline.NewWorker()
	if err != nil {
		return nil, err
	}
	p := &Preprocessor{pipeline: s.pipeline, worker: worker, area: s.pipeline.AreaStep([]augment.Params{augment.Neutral()}), short: s.Recipe.shortSide()}
	if inBytes(s.Recipe, s.device) {
		p.bytes = make([]byte, p.Elements())
	}
	return p, nil
}

// Apply writes the picture as float32 [Size, Size, 3], normalised as the recipe
// has it, into dst, which holds Elements values.
func (p *Preprocessor) Apply(dst []float32, picture *data.Picture) error {
	picture, err := picture.Scaled(p.short)
	if err != nil {
		return err
	}
	if p.bytes == nil {
		return p.worker.Apply(dst, picture, augment.Neutral(), p.area, augment.NHWC)
	}
	if len(dst) != len(p.bytes) {
		return fmt.Errorf("room for %d values of a picture of %d", len(dst), len(p.bytes))
	}
	err = p.worker.ApplyAs(p.bytes, augment.Uint8, picture, augment.Neutral(), p.area, augment.NHWC)
	augment.FromBytes(dst, p.bytes)
	return err
}

// Elements is the number of values of one picture, 3*Size*Size.
func (p *Preprocessor) Elements() int { return p.pipeline.Elements() }

// Close frees the preprocessor's memory.
func (p *Preprocessor) Close() { p.worker.Close() }

// Model is the network in evaluation mode. Its tensors are the Saved's.
func (s *Saved) Model() models.Model {
	s.model.Train(false)
	return s.model
}

// Pipeline is what happens to a picture under the run's recipe.
func (s *Saved) Pipeline() *augment.Pipeline { return s.pipeline }

// Logits takes n preprocessed pictures, float32 [n, Size, Size, 3], to what the
// network makes of them, float32 [n, classes].
func (s *Saved) Logits(pixels []float32, n int) ([]float32, error) {
	size := int64(s.Recipe.Size)
	if len(pixels) != n*s.pipeline.Elements() {
		return nil, fmt.Errorf("%d values for %d pictures of %d", len(pixels), n, s.pipeline.Elements())
	}
	model := s.Model()
	var logits []float32
	err := torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		torch.InferenceMode(func() {
			x := torch.NewTensor(pixels).View(int64(n), size, size, 3).Permute([]int64{0, 3, 1, 2}).To(s.device, torch.Float)
			logits = torch.Values[float32](model.Logits(x).To(cpu()))
		})
	})
	return logits, err
}

// Twin is a second network of the run's recipe, in evaluation mode, that holds
// the tensors given instead of the run's. Its own belong to the scope that is open.
func (s *Saved) Twin(tensors map[string]torch.Tensor) (models.Model, error) {
	twin, err := newModel(s.Recipe, len(s.Classes))
	if err != nil {
		return nil, err
	}
	if err := twin.SetStateDict(tensors); err != nil {
		return nil, err
	}
	toDevice(twin, s.device)
	twin.Train(false)
	return twin, nil
}
