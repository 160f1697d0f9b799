package trainer

import (
	"context"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// The values of Recipe.TTAViews: what the passes of test-time augmentation see.
const (
	ViewsAugmented   = "augmented"    // what training sees, drawn anew for each pass
	ViewsMirrorShift = "mirror-shift" // the six views of mirrorShifted
)

// TTAViewNames lists the words a recipe may say.
func TTAViewNames() []string { return []string{ViewsAugmented, ViewsMirrorShift} }

// mirrorShiftPasses is how many views those are.
const mirrorShiftPasses = 6

// A mirrorShifted model's logits are means over views of each picture: as it is and mirrored left to right, with a weight
// of a quarter each, and both with the picture moved by one pixel up and to the left, and down and to the right, with an
// eighth each. What comes in mirrors the picture about its outermost pixels.
//
// Source: airbench (Jordan, 2024), its test-time augmentation of level 2.
type mirrorShifted struct{ models.Model }

func (m mirrorShifted) Logits(x torch.Tensor) torch.Tensor {
	x = nn.Pixels(x) // no padding takes bytes
	both := func(x torch.Tensor) torch.Tensor {
		return m.Model.Logits(x).Add(m.Model.Logits(x.Flip([]int64{3})), 1)
	}
	height, width := x.Shape()[2], x.Shape()[3]
	wide := x.Pad([]int64{1, 1, 1, 1}, "reflect", 0)
	moved := func(by int64) torch.Tensor {
		return both(wide.Narrow(2, 1-by, height).Narrow(3, 1-by, width).ChannelsLast())
	}
	return both(x).MulScalar(0.25).Add(moved(1).Add(moved(-1), 1), 0.125)
}

// testViews judges the means of a picture's six views, without the plain prediction, which is one of them.
func testViews(ctx context.Context, r Recipe, model models.Model, device torch.Device, set *data.Dataset, pictures augment.Source, indices []int) (TestTime, error) {
	t := TestTime{Passes: mirrorShiftPasses}
	batches, err := loader(r, set, pictures, indices, suited(r, device, augment.LoaderOptions{BatchSize: r.BatchSize, OnSkip: func(int, error) {}}))
	if err != nil {
		return t, err
	}
	defer batches.Close()
	n := float64(len(indices))
	err = forward(ctx.Err, mirrorShifted{model}, feedOf(device), batches.Epoch(ctx, 0), func(logits []float32, indices []int, labels []int64) {
		classes := len(logits) / len(indices)
		for i, label := range labels {
			t.judge(softmax(logits[i*classes:(i+1)*classes]), int(label), n)
		}
	})
	return t, err
}
