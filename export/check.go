package export

import (
	"context"
	"fmt"
	"math"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/trainer"
)

// Tolerance is how far a logit of an export may lie from the run's. It holds for
// logits up to 1; beyond, it grows with the largest of the picture, as the
// rounding of float32 does in the run itself.
const Tolerance = 1e-4

// checkBatch is how many pictures an export is given at once.
const checkBatch = 16

// An expectation is what the run itself makes of the pictures an export is held against.
type expectation struct {
	size, elements int
	classes        int
	pixels         []float32 // [images, size, size, 3]
	logits         []float32 // [images, classes]
}

func expect(ctx context.Context, saved *trainer.Saved, o Options) (*expectation, error) {
	if o.Images < 1 {
		return nil, fmt.Errorf("an export is held against real pictures, and none were given")
	}
	p, err := saved.NewPreprocessor()
	if err != nil {
		return nil, err
	}
	defer p.Close()
	e := &expectation{size: saved.Recipe.Size, elements: p.Elements(), classes: len(saved.Classes)}
	e.pixels = make([]float32, o.Images*e.elements)
	for i := range o.Images {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		picture, err := o.Check(i)
		if err != nil {
			return nil, err
		}
		one := e.pixels[i*e.elements : (i+1)*e.elements]
		if err := p.Apply(one, picture); err != nil {
			return nil, err
		}
		values, err := saved.Logits(one, 1)
		if err != nil {
			return nil, err
		}
		e.logits = append(e.logits, values...)
	}
	return e, nil
}

// compare gives the largest difference of the exported model's logits from the
// run's; one above Tolerance is an error.
func (e *expectation) compare(model exported) (most float64, err error) {
	images := len(e.logits) / e.classes
	for first := 0; first < images; {
		// One picture alone, then many: an export takes batches of any size.
		n := min(checkBatch, images-first)
		if first == 0 {
			n = 1
		}
		var found []float32
		err := torch.Try(func() {
			scope := torch.NewScope()
			defer scope.Close()
			torch.NoGrad(func() {
				x := torch.NewTensor(e.pixels[first*e.elements:(first+n)*e.elements]).View(int64(n), int64(e.size), int64(e.size), 3)
				found = torch.Values[float32](model.Forward(x.Permute([]int64{0, 3, 1, 2}).Contiguous()))
			})
		})
		if err != nil {
			return 0, fmt.Errorf("the export does not run: %w", err)
		}
		expected := e.logits[first*e.classes : (first+n)*e.classes]
		if len(found) != len(expected) {
			return 0, fmt.Errorf("the export gives %d values for %d pictures of %d classes", len(found), n, e.classes)
		}
		for i := range n {
			d, err := differ(found[i*e.classes:(i+1)*e.classes], expected[i*e.classes:(i+1)*e.classes], Tolerance)
			if err != nil {
				return 0, fmt.Errorf("picture %d: %w; nothing was written", first+i, err)
			}
			most = max(most, d)
		}
		first += n
	}
	return most, nil
}

// differ gives the largest difference of one picture's logits from the run's;
// one above the tolerance, which grows with logits beyond 1, is an error.
func differ(found, expected []float32, tolerance float64) (most float64, err error) {
	if len(found) != len(expected) {
		return 0, fmt.Errorf("the export gives %d values for a picture of %d classes", len(found), len(expected))
	}
	scale := 1.0
	for _, x := range expected {
		scale = max(scale, math.Abs(float64(x)))
	}
	for i, want := range expected {
		d := math.Abs(float64(found[i]) - float64(want))
		if !(d <= tolerance*scale) { // a NaN is not
			return d, fmt.Errorf("the export's logit %v differs from the run's %v by %.2g, more than %.2g", found[i], want, d, tolerance*scale)
		}
		most = max(most, d)
	}
	return most, nil
}
