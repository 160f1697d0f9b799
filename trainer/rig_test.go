package trainer

import (
	"maps"
	"slices"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// values are those of the rig's parameters and buffers of floating point.
func (r *Rig) values() map[string][]float32 {
	list := map[string][]float32{}
	for _, n := range r.fit.model.Named() {
		if !isInteger(n.Tensor) {
			list[n.Name] = torch.Values[float32](n.Tensor.Detach().To(cpu()))
		}
	}
	return list
}

func TestRig(t *testing.T) {
	rig, err := NewRig(quick(), 3, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer rig.Close()
	same := func(a, b map[string][]float32) bool { return maps.EqualFunc(a, b, slices.Equal[[]float32]) }
	var parts []Part
	mark := func(p Part) { parts = append(parts, p) }
	before := rig.values()
	if err := rig.Predict(nil, mark); err != nil {
		t.Fatal(err)
	}
	if !same(before, rig.values()) {
		t.Error("predicting changed the network: it is not in evaluation mode")
	}
	if err := rig.Train(nil, mark); err != nil {
		t.Fatal(err)
	}
	after := rig.values()
	for name, old := range before {
		if slices.Equal(old, after[name]) {
			t.Errorf("a training step left %s as it was", name)
		}
	}
	if want := []Part{PartData, PartForward, PartData, PartForward, PartBackward, PartOptimizer}; !slices.Equal(parts, want) {
		t.Errorf("parts %v, want %v", parts, want)
	}
	if err := rig.Synchronize(); err != nil || rig.Device() != "cpu" {
		t.Errorf("%s: %v", rig.Device(), err)
	}
}

// TestRigTakesBatches trains and predicts on pictures of a set.
func TestRigTakesBatches(t *testing.T) {
	set, recipe := colourSet(t, 12), quick()
	train, _, err := set.Split(recipe.ValidPct, recipe.SplitSeed)
	if err != nil {
		t.Fatal(err)
	}
	loader, err := EvaluationLoader(recipe, set, recipe.Pictures(set), train)
	if err != nil {
		t.Fatal(err)
	}
	defer loader.Close()
	rig, err := NewRig(recipe, 3, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer rig.Close()
	it := loader.Epoch(t.Context(), 0)
	defer it.Close()
	batch, err := it.Next()
	if err != nil {
		t.Fatal(err)
	}
	defer batch.Release()
	if batch.Indices[0] != train[0] {
		t.Errorf("the first picture is %d, want the first of the indices, %d", batch.Indices[0], train[0])
	}
	if err := rig.Train(batch, nil); err != nil {
		t.Error(err)
	}
	if err := rig.Predict(batch, nil); err != nil {
		t.Error(err)
	}
}

func TestRigRefuses(t *testing.T) {
	recipe := quick()
	recipe.BatchSize = 0
	if _, err := NewRig(recipe, 3, Options{}); err == nil {
		t.Error("a batch of 0 was accepted")
	}
	recipe = quick()
	if recipe.Device = "cuda:0"; torch.IsCUDAAvailable() {
		t.Skip("there is a GPU")
	}
	if _, err := NewRig(recipe, 3, Options{}); err == nil {
		t.Error("a GPU that is not there was accepted")
	}
}
