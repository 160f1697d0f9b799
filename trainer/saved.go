package trainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// A Saved is a trained model with the preprocessing it was trained with. It
// belongs to one goroutine, locked to its thread until Close.
type Saved struct {
	Recipe  Recipe
	Classes []string

	scope    *torch.Scope
	model    models.Model
	device   torch.Device
	pipeline *augment.Pipeline

	preprocessor *Preprocessor
}

// OpenSaved loads the model of the run in dir onto the device (auto, cpu, cuda, cuda:N).
func OpenSaved(dir, device string) (*Saved, error) {
	path := filepath.Join(dir, modelFile)
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%s is not a finished run: %w", dir, err)
	}
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	s := &Saved{scope: torch.NewScope()}
	var err error
	if caught := torch.Try(func() { err = s.load(path, device) }); caught != nil {
		err = errors.Join(caught, err)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Saved) load(path, device string) error {
	tensors, head, err := readTensors(path)
	if err != nil {
		return err
	}
	s.Recipe, s.Classes = head.Recipe, head.Classes
	if s.device, _, err = resolveDevice(device, nil); err != nil {
		return err
	}
	if err := useCPU(s.Recipe, nil); err != nil {
		return err
	}
	if s.model, err = newModel(s.Recipe, len(s.Classes)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := loadState(path, s.model, tensors); err != nil {
		return err
	}
	toDevice(s.model, s.device)
	if s.pipeline, err = newPipeline(s.Recipe); err != nil {
		return err
	}
	s.preprocessor, err = s.NewPreprocessor()
	return err
}

// Close frees the model.
func (s *Saved) Close() {
	if s.preprocessor != nil {
		s.preprocessor.Close()
	}
	s.scope.Close()
}

// Evaluate measures the model on every picture of the set. The set's classes
// must be the model's.
func (s *Saved) Evaluate(ctx context.Context, set *data.Dataset, skip func(index int, reason error)) (*Evaluation, error) {
	return s.EvaluateOnly(ctx, set, everyPicture(set), skip)
}

func everyPicture(set *data.Dataset) []int {
	all := make([]int, len(set.Samples))
	for i := range all {
		all[i] = i
	}
	return all
}

// EvaluateOnly is Evaluate for the pictures of those indices.
func (s *Saved) EvaluateOnly(ctx context.Context, set *data.Dataset, indices []int, skip func(index int, reason error)) (*Evaluation, error) {
	if !slices.Equal(s.Classes, set.Classes) {
		return nil, fmt.Errorf("the model knows the classes %s, but %s has %s", strings.Join(s.Classes, ", "), set.Source, strings.Join(set.Classes, ", "))
	}
	batches, err := loader(s.Recipe, set, s.Recipe.Pictures(set), indices, suited(s.Recipe, s.device, augment.LoaderOptions{BatchSize: s.Recipe.BatchSize, OnSkip: skip}))
	if err != nil {
		return nil, err
	}
	defer batches.Close()
	return evaluate(ctx, s.model, feedOf(s.device), set, batches.Epoch(ctx, 0))
}

// HeldOut are the indices of the set's pictures that the run held out, if it trained on this set.
func (s *Saved) HeldOut(set *data.Dataset) ([]int, error) {
	_, valid, err := set.Split(s.Recipe.ValidPct, s.Recipe.SplitSeed)
	return valid, err
}

// A Prediction is what the model makes of one picture.
type Prediction struct {
	Path        string        `json:"path"`
	Class       string        `json:"class"`
	Probability float64       `json:"probability"`
	Top         []Probability `json:"top"` // at most five, the likeliest first
	Error       string        `json:"error,omitempty"`
}

// A Probability is one class's share.
type Probability struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
}

// Predict tells what the model makes of one decoded picture, by the same
// arithmetic as validation.
func (s *Saved) Predict(path string, picture *data.Picture) (Prediction, error) {
	pixels, err := s.pixels(path, picture)
	if err != nil {
		return Prediction{}, err
	}
	logits, err := s.Logits(pixels, 1)
	if err != nil {
		return Prediction{}, fmt.Errorf("%s: %w", path, err)
	}
	return s.Prediction(path, logits, 5), nil
}

// Prediction puts the logits of one picture, one for each class, into words:
// the likeliest class and at most top classes with their probabilities.
func (s *Saved) Prediction(path string, logits []float32, top int) Prediction {
	probabilities := softmax(logits)
	order := make([]int, len(logits))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if probabilities[a] > probabilities[b] {
			return -1
		}
		return 1
	})
	p := Prediction{Path: path, Class: s.Classes[order[0]], Probability: probabilities[order[0]]}
	for _, i := range order[:min(top, len(order))] {
		p.Top = append(p.Top, Probability{Class: s.Classes[i], Probability: probabilities[i]})
	}
	return p
}
