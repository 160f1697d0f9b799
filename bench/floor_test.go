package bench

import (
	"testing"

	"github.com/wangkuiyi/orrery/models"
	"github.com/wangkuiyi/orrery/trainer"
)

func TestDemandAndFloor(t *testing.T) {
	recipe := trainer.Article()
	recipe.Size, recipe.BatchSize = 8, 10
	s := &models.Summary{MACs: 1000, Parameters: 50, Rows: []models.Row{
		{Output: []int64{1, 2, 3, 4}, MACs: 600}, {Output: []int64{1, 2, 3, 4}}, {Output: []int64{1, 5}, MACs: 400},
	}}
	// 192 numbers of a picture, 24+5 outputs, 50 weights with Adam's two tensors each.
	train, predict := demandOf(Train, s, recipe), demandOf(Predict, s, recipe)
	near(t, "FLOPs of training", train.flops, 3*2*1000*10)
	near(t, "FLOPs of predicting", predict.flops, 2*1000*10)
	near(t, "bytes of training", train.bytes, 14320)     // 4*(10*(192+4*29) + 10*50)
	near(t, "bytes of predicting", predict.bytes, 10200) // 4*(10*(192+2*29) + 50)
	recipe.Optimizer = trainer.SGD
	near(t, "bytes of training with SGD", demandOf(Train, s, recipe).bytes, 14320-4*2*50)

	f := Ceilings{FLOPS: 1e6, BytesPerSecond: 1e5}.floor(train, 286.4) // 60 ms of arithmetic, 143.2 of memory
	if f.Bound != "memory" {
		t.Errorf("bound by %s", f.Bound)
	}
	near(t, "the floor", f.Ms, 143.2)
	near(t, "what is reached", f.Reached, 0.5)
	if f := (Ceilings{FLOPS: 1e5, BytesPerSecond: 1e5}).floor(train, 1200); f.Bound != "arithmetic" || f.Ms != 600 || f.Reached != 0.5 {
		t.Errorf("with slower arithmetic %+v", f)
	}
	for _, name := range trainer.OptimizerNames() {
		if stateTensors[name] == 0 {
			t.Errorf("the state of %s is not known", name)
		}
	}
}

// TestDemandOfTheArticle holds the outputs of cnn8 against the number that was
// counted by hand: 163,236 for a picture of 200x200 pixels and four classes.
func TestDemandOfTheArticle(t *testing.T) {
	recipe := trainer.Article()
	s, err := trainer.Summary(recipe, 4)
	if err != nil {
		t.Fatal(err)
	}
	recipe.BatchSize = 1
	got := demandOf(Predict, s, recipe)
	near(t, "bytes", got.bytes, float64(4*(3*200*200+2*163236+s.Parameters)))
	near(t, "FLOPs", got.flops, float64(2*s.MACs))
}

func TestCeilings(t *testing.T) {
	c, err := measureCeilings("cpu")
	if err != nil {
		t.Fatal(err)
	}
	// From a slow phone to the largest server.
	if c.Device != "cpu" || c.FLOPS < 1e8 || c.FLOPS > 1e14 || c.BytesPerSecond < 1e7 || c.BytesPerSecond > 1e13 {
		t.Errorf("ceilings %+v", c)
	}
}
