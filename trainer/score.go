package trainer

import (
	"context"
	"errors"
	"io"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/models"
)

// forward runs the model in evaluation mode over every batch of it and hands over the logits [batch, classes], row by row, with the
// pictures' indices and labels.
// ready is asked before each batch; its error ends the forward pass.
func forward(ready func() error, model models.Model, feed func(*augment.Batch) torch.Tensor, it *augment.Iterator, each func(logits []float32, indices []int, labels []int64)) error {
	defer it.Close()
	model.Train(false)
	defer model.Train(true)
	for {
		batch, err := it.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ready()
		}
		if err != nil {
			return err
		}
		if batch.N == 0 { // other processes have the pictures of a small batch
			batch.Release()
			continue
		}
		err = torch.Try(func() {
			scope := torch.NewScope()
			defer scope.Close()
			torch.NoGrad(func() {
				each(torch.Values[float32](model.Logits(feed(batch)).To(cpu())), batch.Indices, batch.Labels)
			})
		})
		batch.Release()
		if err != nil {
			return err
		}
	}
}

// Score hands over the probability of each of s.Classes for the set's pictures of these indices, by the same arithmetic as validation.
// The set may have other classes than the model. Pictures that cannot be read go to skip.
func (s *Saved) Score(ctx context.Context, set *data.Dataset, indices []int, each func(index int, probabilities []float64), skip func(index int, reason error)) error {
	batches, err := loader(s.Recipe, set, set, indices, suited(s.Recipe, s.device, augment.LoaderOptions{BatchSize: s.Recipe.BatchSize, OnSkip: skip}))
	if err != nil {
		return err
	}
	defer batches.Close()
	classes := len(s.Classes)
	return forward(ctx.Err, s.model, feedOf(s.device), batches.Epoch(ctx, 0), func(logits []float32, indices []int, _ []int64) {
		for i, index := range indices {
			each(index, softmax(logits[i*classes:(i+1)*classes]))
		}
	})
}
