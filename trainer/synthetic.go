package trainer

import (
	"context"
	"errors"
	"fmt"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/models"
)

// warmUpSteps are not timed: libtorch takes its memory and kernels are chosen in them.
const warmUpSteps = 3

// SyntheticSteps times n whole training steps of the recipe's model on random
// pictures that lie in memory: what training would run at if data cost nothing.
func SyntheticSteps(ctx context.Context, recipe Recipe, classes, n int) ([]time.Duration, error) {
	if err := recipe.Validate(); err != nil {
		return nil, err
	}
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	scope := torch.NewScope()
	defer scope.Close()
	device, _, err := resolveDevice(recipe.Device, nil)
	if err != nil {
		return nil, err
	}
	if err := useCPU(recipe, nil); err != nil {
		return nil, err
	}
	var times []time.Duration
	caught := torch.Try(func() {
		torch.ManualSeed(recipe.Seed)
		var model models.Model
		if model, err = newModel(recipe, classes); err != nil {
			return
		}
		toDevice(model, device)
		optimizer := newOptimizer(model, recipe)
		defer optimizer.Close()
		batch, size := int64(recipe.BatchSize), int64(recipe.Size)
		x := torch.Rand([]int64{batch, size, size, 3}, false).Permute([]int64{0, 3, 1, 2}).To(device, torch.Float)
		labels := torch.RandInt(0, int64(classes), []int64{batch}).To(device, torch.Long)
		for i := 0; i < warmUpSteps+n && ctx.Err() == nil; i++ {
			lr, momentum := recipe.Rates(i, warmUpSteps+n)
			began := time.Now()
			inner := torch.NewScope()
			optimise(model, optimizer, x, target{labels: labels}, lr, momentum, nil, false, always)
			inner.Close()
			if i >= warmUpSteps {
				times = append(times, time.Since(began))
			}
		}
	})
	if err := errors.Join(caught, err, ctx.Err()); err != nil {
		return nil, fmt.Errorf("synthetic steps of %s: %w", recipe.Model, err)
	}
	return times, nil
}
