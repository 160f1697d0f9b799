package nn_test

import (
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// Pictures in bytes go through convolutions as the same pictures in floats from 0 to 1 do: by own kernels and
// libtorch's, in both layouts, by a chain, by a module alone and by one whose padding is no zeros.
func TestPicturesInBytes(t *testing.T) {
	defer func() { _ = torch.SetKernels("auto", "") }()
	for name, build := range map[string]func() nn.IModule{
		"chain": func() nn.IModule {
			return nn.Sequential(nn.Conv2d(3, 8, 5, 2, 2, 1, 1, true, "zeros"), nn.ReLU(), nn.BatchNorm2d(8, 1e-5, 0.1, true, true),
				nn.Conv2d(8, 16, 3, 1, 1, 1, 1, true, "zeros"))
		},
		"depthwise": func() nn.IModule { return nn.Conv2d(3, 3, 3, 1, 1, 1, 3, true, "zeros") },
		"reflected": func() nn.IModule {
			return nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, 1, 1, true, "reflect"), nn.ReLU())
		},
	} {
		for _, kernels := range []string{"own", "libtorch", "auto"} {
			for _, nhwc := range []bool{true, false} {
				torch.Scoped(func(*torch.Scope) {
					if err := torch.SetKernels(kernels, ""); err != nil {
						t.Fatal(err)
					}
					torch.ManualSeed(3)
					pictures := torch.RandInt(0, 256, []int64{3, 3, 37, 41}).CastTo(torch.Byte)
					if nhwc {
						pictures = pictures.ChannelsLast()
					}
					run := func(x torch.Tensor) (y, gradient torch.Tensor) {
						torch.ManualSeed(4)
						net := build()
						switch m := net.(type) {
						case *nn.SequentialModule:
							y = m.Forward(x).(torch.Tensor)
						case *nn.Conv2dModule:
							y = nn.Run(x, torch.Tensor{}, m)
						}
						y.Mul(y).Mean().Backward()
						return y, net.(interface{ Parameters() []torch.Tensor }).Parameters()[0].Grad()
					}
					y, g := run(pictures)
					wantY, wantG := run(pictures.CastTo(torch.Float).DivScalar(255))
					for what, d := range map[string]torch.Tensor{"value": y.Sub(wantY, 1), "gradient": g.Sub(wantG, 1)} {
						if worst := d.Abs().Max().Item().(float32); !(worst < 2e-6) {
							t.Errorf("%s, %s, channels last %v: the %s of bytes is %g off that of floats", name, kernels, nhwc, what, worst)
						}
					}
				})
			}
		}
	}
}
