package nn_test

import (
	"math"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// Run and Sequential with own kernels give what libtorch gives module by module: values, gradients, running
// statistics, and what an Observer reads.
func TestRunIsItsModulesOneByOne(t *testing.T) {
	conv := func(in, out, kernel, stride, groups int64) *nn.Conv2dModule {
		return nn.Conv2d(in, out, kernel, stride, kernel/2, 1, groups, false, "zeros")
	}
	norm := func(channels int64) *nn.BatchNorm2dModule { return nn.BatchNorm2d(channels, 1e-3, 0.1, true, true) }
	for name, test := range map[string]struct {
		build    func() []nn.IModule
		residual bool
	}{
		"residual block, ReLU": {func() []nn.IModule {
			return []nn.IModule{conv(12, 20, 3, 1, 1), norm(20), nn.ReLU(), conv(20, 12, 3, 1, 1), norm(12), nn.ReLU()}
		}, true},
		"inverted bottleneck, ReLU6": {func() []nn.IModule {
			return []nn.IModule{conv(12, 72, 1, 1, 1), norm(72), nn.ReLU6(), conv(72, 72, 5, 1, 72), norm(72), nn.ReLU6(), conv(72, 12, 1, 1, 1), norm(12)}
		}, true},
		"depthwise, ReLU6 before its normalisation": {func() []nn.IModule {
			return []nn.IModule{conv(12, 12, 3, 2, 12), nn.ReLU6(), norm(12), conv(12, 8, 3, 1, 1), nn.ReLU6()}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() { _ = torch.SetKernels("auto", "") }()
			s := torch.NewScope()
			defer s.Close()
			torch.ManualSeed(5)
			// Large enough for values beyond 6.
			x := torch.RandN([]int64{4, 12, 16, 16}, false).MulScalar(8)
			run := func(kernels string, oneByOne bool) (results []torch.Tensor, statistics []float64) {
				if err := torch.SetKernels(kernels, ""); err != nil {
					t.Fatal(err)
				}
				torch.ManualSeed(6)
				modules := test.build()
				net := nn.Sequential(modules...)
				for _, p := range net.Parameters() {
					torch.NoGrad(func() { p.MulScalarI(3) })
				}
				observer := nn.Observe(net)
				defer observer.Close()
				if oneByOne {
					modules[0].(*nn.Conv2dModule).RegisterForwardHook(func(nn.IModule, torch.Tensor, torch.Tensor) {})
				}
				in := x.Detach()
				in.SetRequiresGrad(true)
				var residual torch.Tensor
				if test.residual {
					residual = in
				}
				y := nn.Run(in, residual, modules...)
				gradients := torch.Gradients([]torch.Tensor{y.Mul(y).Sum()}, append(net.Parameters(), in), nil, false)
				return append(append([]torch.Tensor{y}, gradients...), net.Buffers()...), observer.Read()
			}
			want, counts := run("libtorch", true)
			got, counted := run("own", false)
			for i, w := range want {
				scale := math.Max(1e-3, w.Abs().Max().ItemFloat64())
				if d := got[i].Sub(w, 1).Abs().Max().ItemFloat64(); !(d <= 1e-4*scale) {
					t.Errorf("result %d differs by %v of %v", i, d, scale)
				}
			}
			for i, w := range counts {
				tolerance := 2.0 // of counts: a value at the edge of a bin
				if i%torch.Statistics < 3 {
					tolerance = 1e-3 * math.Max(1, math.Abs(w))
				}
				if !(math.Abs(counted[i]-w) <= tolerance) {
					t.Errorf("layer %d, statistic %d: %v, want %v", i/torch.Statistics, i%torch.Statistics, counted[i], w)
				}
			}
		})
	}
}

// Without gradients the kernels keep weights in their own layout: a weight that changes is seen.
func TestChangedWeightsAreSeen(t *testing.T) {
	if err := torch.SetKernels("own", ""); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = torch.SetKernels("auto", "") }()
	s := torch.NewScope()
	defer s.Close()
	conv := nn.Conv2d(16, 16, 3, 1, 1, 1, 1, false, "zeros")
	x := torch.RandN([]int64{4, 16, 20, 20}, false)
	torch.NoGrad(func() {
		for name, change := range map[string]func(){
			"in place":   func() { conv.Weight.MulScalarI(2) },
			"copied":     func() { conv.Weight.CopyI(torch.RandNLike(conv.Weight)) },
			"from bytes": func() { torch.CopyIn(conv.Weight, make([]float32, 16*16*9)) },
			"data":       func() { conv.Weight.SetData(torch.RandNLike(conv.Weight)) },
			"replaced":   func() { conv.Weight = torch.RandNLike(conv.Weight) },
		} {
			conv.Forward(x)
			change()
			want := torch.Conv2d(x, conv.Weight, torch.Tensor{}, []int64{1, 1}, []int64{1, 1}, []int64{1, 1}, 1)
			if d := conv.Forward(x).Sub(want, 1).Abs().Max().ItemFloat64(); !(d < 1e-3) {
				t.Errorf("weights changed %s: the result is off by %v", name, d)
			}
		}
	})
}
