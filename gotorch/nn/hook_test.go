package nn_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// Every layer of a chain that otherwise runs fused calls its hook, in order; a removed hook is silent.
func TestForwardHooks(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	net := nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, 1, 1, true, "zeros"), nn.ReLU(), nn.BatchNorm2d(4, 1e-5, 0.1, true, true)),
		nn.Flatten(), nn.Linear(4*4*4, 2, true))
	net.Eval()
	x := torch.RandN([]int64{2, 3, 8, 8}, false)
	want := net.Forward(x).(torch.Tensor)
	type call struct {
		Layer   string
		In, Out []int64
	}
	var calls []call
	var removes []func()
	net.Apply(func(m nn.IModule) {
		removes = append(removes, m.(*nn.Module).RegisterForwardHook(func(m nn.IModule, in, out torch.Tensor) {
			calls = append(calls, call{m.Name(), in.Shape(), out.Shape()})
		}))
	})
	if got := net.Forward(x).(torch.Tensor); !torch.AllClose(got, want) {
		t.Errorf("with hooks the network gives %v, without %v", got, want)
	}
	maps, vector := []int64{2, 4, 4, 4}, []int64{2, 64}
	if d := cmp.Diff([]call{
		{"nn.Conv2dModule", []int64{2, 3, 8, 8}, maps}, {"nn.ReLUModule", maps, maps}, {"nn.BatchNorm2dModule", maps, maps},
		{"nn.FlattenModule", maps, vector}, {"nn.LinearModule", vector, []int64{2, 2}},
	}, calls); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
	calls = nil
	for _, remove := range removes {
		remove()
		remove()
	}
	net.Forward(x)
	if len(calls) > 0 {
		t.Errorf("removed hooks were called: %v", calls)
	}
}
