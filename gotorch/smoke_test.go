package gotorch_test

import (
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

func TestSmoke(t *testing.T) {
	if err := torch.LoadLibrary(); err != nil {
		t.Fatal(err)
	}
	t.Log(torch.Library())
	s := torch.NewScope()
	defer s.Close()
	torch.ManualSeed(1)
	net := nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, 1, 1, true, "zeros"), nn.BatchNorm2d(8, 1e-5, 0.1, true, true),
		nn.Functional(torch.Relu), nn.Functional(func(x torch.Tensor) torch.Tensor { return torch.Flatten(x, 1, -1) }),
		nn.Linear(8*16, 4, true))
	opt := torch.AdamW(0.01, 0.9, 0.99, 1e-5, 0.01)
	opt.AddParameters(net.Parameters())
	x := torch.RandN([]int64{5, 3, 8, 8}, false).ChannelsLast()
	y := torch.TensorOf([]int64{0, 1, 2, 3, 0})
	for i := 0; i < 10; i++ {
		torch.Scoped(func(*torch.Scope) {
			loss := F.CrossEntropy(net.Forward(x).(torch.Tensor), y, torch.Tensor{}, -100, "mean")
			opt.ZeroGrad()
			loss.Backward()
			opt.Step()
			t.Log(loss.Item(), s.Len())
		})
	}
	for _, n := range net.Named() {
		t.Log(n.Name, n.Tensor.Shape())
	}
	if err := torch.Try(func() { torch.Add(x, y, 1) }); err == nil {
		t.Fatal("no error")
	} else {
		t.Log(err)
	}
	t.Log(torch.RandN([]int64{2, 3}, false))
}
