package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/models"
)

const (
	// whiteningPictures is how many pictures a whitening is taken from, the first of the training split.
	whiteningPictures = 5000
	// whiteningBatch bounds the memory that their patches take.
	whiteningBatch = 250
)

// whiten takes the weights of a network's whitening from pictures as validation sees them. Nothing is left to do where
// the weights come from a file, and for networks that begin with something else. Every process of a world reads the same
// pictures, so that the weights do not depend on how many there are.
func (f *fit) whiten(ctx context.Context) error {
	layer, ok := f.model.Stages()[0].Modules[0].(*models.Whitening)
	if !ok || f.Resume != nil || f.CarryFrom != "" || f.recipe.Pretrained != "" {
		return nil
	}
	indices := f.training[:min(len(f.training), whiteningPictures)]
	pictured, err := loader(f.recipe, f.set, f.Pictures, indices, augment.LoaderOptions{BatchSize: whiteningBatch, OnSkip: f.skip})
	if err != nil {
		return err
	}
	defer pictured.Close()
	batches := pictured.Epoch(ctx, 0)
	defer batches.Close()
	side := layer.Weight.Numel() / layer.Weight.Shape()[0]
	sum, n := torch.ZerosOf([]int64{side, side}, torch.Double), int64(0)
	for {
		batch, err := batches.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("the pictures of the whitening: %w", err)
		}
		n += f.addPatches(layer, batch, sum)
		batch.Release()
	}
	if n == 0 {
		return fmt.Errorf("whitening: none of the first %d pictures to train on can be read; take them out of %s", len(indices), f.set.Source)
	}
	layer.Fit(sum.DivScalar(float64(n)))
	return nil
}

// addPatches adds a batch's patches to sum and counts them.
func (f *fit) addPatches(layer *models.Whitening, batch *augment.Batch, sum torch.Tensor) (n int64) {
	if batch.N == 0 {
		return 0
	}
	torch.Scoped(func(*torch.Scope) {
		torch.NoGrad(func() {
			own, patches := layer.Patches(pictures(batch, f.device))
			sum.AddI(own.To(torch.CPU, torch.Double), 1)
			n = patches
		})
	})
	return n
}
