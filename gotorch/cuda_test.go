package gotorch_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	torch "github.com/wangkuiyi/gotorch"
)

// needGPU skips a test that only a GPU can run.
func needGPU(t *testing.T) torch.Device {
	t.Helper()
	if err := torch.LoadLibrary(); err != nil {
		t.Fatal(err)
	}
	if why := torch.Library().CUDAKernels; why != "" {
		t.Skip("this test needs a GPU and libcgotorch_cuda.so: ", why)
	}
	return torch.NewDevice("cuda:0")
}

// A normCase is one way in which ReLU and BatchNorm follow a convolution.
type normCase struct {
	order    torch.ConvOrder
	training bool
	running  bool // it has running statistics
	affine   bool
	residual bool
	channels int64
	dtype    torch.Dtype
}

func (c normCase) String() string {
	return fmt.Sprintf("order %d, training %t, running %t, affine %t, residual %t, %d channels of %s", c.order, c.training, c.running, c.affine,
		c.residual, c.channels, torch.DtypeName(c.dtype))
}

func normCases() (cases []normCase) {
	for _, order := range []torch.ConvOrder{torch.ConvReLUNorm, torch.ConvNorm, torch.ConvNormReLU} {
		for _, channels := range []int64{1, 3, 8, 40} {
			for bits := range 16 {
				training, running := bits&1 != 0, bits&2 != 0
				cases = append(cases, normCase{order, training, running, bits&4 != 0, bits&8 != 0, channels, torch.Float})
			}
		}
		for _, dtype := range []torch.Dtype{torch.BFloat16, torch.Half} {
			cases = append(cases, normCase{order, true, true, true, true, 24, dtype}, normCase{order, true, true, true, false, 5, dtype})
		}
	}
	return cases
}

// A normResult is what a case gives: values, gradients, running statistics, all Float on the CPU.
type normResult map[string]torch.Tensor

// runNorm computes a case on a device by f, from the same numbers each time.
func runNorm(c normCase, device torch.Device, f func(x torch.Tensor, s torch.ConvStage, residual torch.Tensor) torch.Tensor) normResult {
	torch.ManualSeed(7)
	leaf := func(t torch.Tensor) torch.Tensor {
		t = t.To(device, t.Dtype())
		t.SetRequiresGrad(true)
		return t
	}
	shape := []int64{3, c.channels, 5, 7}
	like := func() torch.Tensor { return torch.RandN(shape, false).CastTo(c.dtype) }
	x := leaf(like().MulScalar(2).AddScalar(3))
	s := torch.ConvStage{Order: c.order, Training: c.training, Momentum: 0.3, Eps: 1e-3}
	vector := func() torch.Tensor { return torch.Rand([]int64{c.channels}, false).AddScalar(0.5) }
	if c.affine {
		s.Gamma, s.Beta = leaf(vector()), leaf(vector().SubScalar(1))
	}
	if c.running {
		s.RunningMean, s.RunningVar = vector().To(device, torch.Float), vector().To(device, torch.Float)
	}
	var residual torch.Tensor
	if c.residual {
		residual = leaf(like())
	}
	y := f(x, s, residual)
	weights := torch.RandN(shape, false).CastTo(c.dtype).To(device, c.dtype)
	y.BackwardWith(weights, false, false)
	r := normResult{"y": y.Detach(), "dx": x.Grad()}
	if c.affine {
		r["dgamma"], r["dbeta"] = s.Gamma.Grad(), s.Beta.Grad()
	}
	if c.running {
		r["running_mean"], r["running_var"] = s.RunningMean, s.RunningVar
	}
	if c.residual {
		r["dresidual"] = residual.Grad()
	}
	for name, t := range r {
		r[name] = t.To(torch.CPU, torch.Float)
	}
	return r
}

// byLibtorch is the same in libtorch's operations, one after the other, and in Float: rounded in between, a
// value near zero would be on the other side of the ReLU.
func byLibtorch(x torch.Tensor, s torch.ConvStage, residual torch.Tensor) torch.Tensor {
	y := x.CastTo(torch.Float)
	if s.Order == torch.ConvReLUNorm {
		y = y.Relu()
	}
	batch := s.Training || s.RunningMean.T == nil
	mean, variance := s.RunningMean, s.RunningVar
	y = torch.BatchNorm(y, mean, variance, s.Gamma, s.Beta, batch, s.Momentum, s.Eps)
	if residual.T != nil {
		y = y.Add(residual.CastTo(torch.Float), 1)
	}
	if s.Order == torch.ConvNormReLU {
		y = y.Relu()
	}
	return y.CastTo(x.Dtype())
}

func (r normResult) compare(t *testing.T, c normCase, want normResult, tolerance float64) {
	t.Helper()
	for name, w := range want {
		got, expected := torch.Values[float32](r[name].Contiguous()), torch.Values[float32](w.Contiguous())
		scale := 0.0
		for _, v := range expected {
			scale = max(scale, math.Abs(float64(v)))
		}
		for i := range expected {
			if d := math.Abs(float64(got[i] - expected[i])); !(d <= tolerance*(scale+1e-3)) {
				t.Errorf("%v: %s[%d] is %g, want %g", c, name, i, got[i], expected[i])
				break
			}
		}
	}
}

func normTolerance(c normCase) float64 {
	switch c.dtype {
	case torch.BFloat16:
		return 0.03
	case torch.Half:
		return 0.004
	}
	return 2e-5
}

// The operation's node and its twin on the CPU give what libtorch's separate operations give.
func TestReLUNormEqualsLibtorch(t *testing.T) {
	for _, c := range normCases() {
		torch.Scoped(func(*torch.Scope) {
			runNorm(c, torch.CPU, torch.ReLUNorm).compare(t, c, runNorm(c, torch.CPU, byLibtorch), normTolerance(c))
		})
	}
}

// The kernels give what their twin gives, and twice the same bits.
func TestReLUNormOnCUDAEqualsTwin(t *testing.T) {
	device := needGPU(t)
	for _, c := range normCases() {
		torch.Scoped(func(*torch.Scope) {
			got := runNorm(c, device, torch.ReLUNorm)
			got.compare(t, c, runNorm(c, torch.CPU, torch.ReLUNorm), normTolerance(c))
			runNorm(c, device, torch.ReLUNorm).compare(t, c, got, 0)
		})
	}
}

// The gradients are those of differences, on every device there is.
func TestReLUNormGradientByDifferences(t *testing.T) {
	devices := []torch.Device{torch.CPU}
	if torch.IsCUDAAvailable() {
		devices = append(devices, needGPU(t))
	}
	for _, device := range devices {
		for _, order := range []torch.ConvOrder{torch.ConvReLUNorm, torch.ConvNorm, torch.ConvNormReLU} {
			torch.Scoped(func(*torch.Scope) { checkDirection(t, device, order) })
		}
	}
}

// checkDirection compares the derivative along a random direction of x.
func checkDirection(t *testing.T, device torch.Device, order torch.ConvOrder) {
	torch.ManualSeed(11)
	shape := []int64{2, 8, 6, 6}
	x := torch.RandN(shape, false)
	direction, weights := torch.RandN(shape, false), torch.RandN(shape, false).To(device, torch.Float)
	s := torch.ConvStage{Order: order, Training: true, Momentum: 0.1, Eps: 1e-5,
		Gamma: torch.Rand([]int64{8}, false).To(device, torch.Float), Beta: torch.RandN([]int64{8}, false).To(device, torch.Float)}
	value := func(at torch.Tensor) float64 {
		y := torch.ReLUNorm(at.To(device, torch.Float), s, torch.Tensor{})
		return y.Mul(weights).To(torch.CPU, torch.Double).Sum().ItemFloat64()
	}
	const h = 1e-3
	numeric := (value(x.Add(direction, h)) - value(x.Sub(direction, h))) / (2 * h)
	at := x.To(device, torch.Float)
	at.SetRequiresGrad(true)
	torch.ReLUNorm(at, s, torch.Tensor{}).Mul(weights).Sum().Backward()
	analytic := at.Grad().To(torch.CPU, torch.Float).Mul(direction).Sum().ItemFloat64()
	if math.Abs(numeric-analytic) > 0.02*(1+math.Abs(analytic)) {
		t.Errorf("order %d on %v: by differences %g, by backward %g", order, device, numeric, analytic)
	}
}

func TestReLUNormRefuses(t *testing.T) {
	torch.Scoped(func(*torch.Scope) {
		x := torch.Ones([]int64{2, 3, 4, 4}, true)
		for says, call := range map[string]func(){
			"(N, C, H, W)": func() {
				torch.ReLUNorm(torch.Ones([]int64{2, 3}, false), torch.ConvStage{Order: torch.ConvNorm}, torch.Tensor{})
			},
			"no BatchNorm": func() { torch.ReLUNorm(x, torch.ConvStage{Order: torch.ConvReLU}, torch.Tensor{}) },
			"one value": func() {
				torch.ReLUNorm(torch.Ones([]int64{1, 3, 1, 1}, false), torch.ConvStage{Order: torch.ConvNorm}, torch.Tensor{})
			},
			"not like x": func() { torch.ReLUNorm(x, torch.ConvStage{Order: torch.ConvNorm}, torch.Ones([]int64{3}, false)) },
			"a vector": func() {
				torch.ReLUNorm(x, torch.ConvStage{Order: torch.ConvNorm, Gamma: torch.Ones([]int64{4}, false)}, torch.Tensor{})
			},
			"Half": func() { torch.ReLUNorm(x.CastTo(torch.Double), torch.ConvStage{Order: torch.ConvNorm}, torch.Tensor{}) },
			"no double backward": func() {
				y := torch.ReLUNorm(x, torch.ConvStage{Order: torch.ConvNorm}, torch.Tensor{})
				torch.Gradients([]torch.Tensor{y.Sum()}, []torch.Tensor{x}, nil, true)
			},
		} {
			if err := torch.Try(call); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%q: %v", says, err)
			}
		}
	})
}

// guarded lists the optimisers that can leave a step out by themselves.
func guarded() map[string]func() torch.Optimizer {
	return map[string]func() torch.Optimizer{
		"SGD":        func() torch.Optimizer { return torch.SGD(0.1, 0.9, 0, 0.01, true) },
		"Adam":       func() torch.Optimizer { return torch.Adam(0.1, 0.9, 0.99, 0.01) },
		"AdamW":      func() torch.Optimizer { return torch.AdamW(0.1, 0.9, 0.99, 1e-5, 0.01) },
		"RMSprop":    func() torch.Optimizer { return torch.RMSprop(0.1, 0.99, 1e-8, 0.01, 0.9) },
		"LAMB":       func() torch.Optimizer { return torch.LAMB(0.1, 0.9, 0.999, 1e-6, 0.01) },
		"Lion":       func() torch.Optimizer { return torch.Lion(0.1, 0.9, 0.99, 0.01) },
		"Muon":       func() torch.Optimizer { return torch.Muon(0.1, 0.9, 0.01) },
		"MuonSphere": func() torch.Optimizer { return torch.MuonSphere(0.1, 0.6) },
	}
}

// A guarded optimiser leaves out just the steps it is told to, whose gradients are no numbers, state and all; and a rate on
// the device is the rate.
func TestGuardLeavesStepsOut(t *testing.T) {
	devices := []torch.Device{torch.CPU}
	if torch.IsCUDAAvailable() {
		devices = append(devices, torch.NewDevice("cuda:0"))
	}
	for _, device := range devices {
		for name, make := range guarded() {
			torch.Scoped(func(*torch.Scope) {
				run := func(steps []float64, guard, deviceLR bool) []float32 {
					p := torch.TensorOf([]float32{1, -2, 3, 0.5, 4, -1}).View(2, 3).CopyTo(device)
					p.SetRequiresGrad(true)
					o := make()
					defer o.Close()
					o.DeviceLR(deviceLR)
					o.AddParameters([]torch.Tensor{p})
					found := torch.Zeros(nil, false).To(device, torch.Float)
					if guard {
						o.Guard(found)
					}
					for i, skip := range steps {
						o.SetLR(0.1 / float64(i+1))
						no := float32(math.Log(1 - 2*skip)) // 0 or NaN
						p.SetGrad(torch.TensorOf([]float32{1 + no, float32(i), -1, 2, 0.5, float32(-i)}).View(2, 3).CopyTo(device))
						found.FillI(skip)
						o.Step()
					}
					list := torch.Values[float32](p.Detach().To(torch.CPU, torch.Float))
					state := o.State()
					for _, key := range slices.Sorted(maps.Keys(state)) {
						list = append(list, torch.Values[float32](state[key].Flatten(0, -1).To(torch.CPU, torch.Float))...)
					}
					return list
				}
				plain := run([]float64{0, 0, 0}, false, false)
				for what, got := range map[string][]float32{
					"guarded": run([]float64{0, 0, 0}, true, false), "steps left out": run([]float64{0, 0, 0, 1, 1}, true, true),
					"rate on the device": run([]float64{0, 0, 0}, false, true),
				} {
					if !slices.Equal(got, plain) {
						t.Errorf("%s on %v, %s: %v, want %v", name, device, what, got, plain)
					}
				}
			})
		}
	}
	torch.Scoped(func(*torch.Scope) {
		o := torch.Lion(0.1, 0.9, 0.99, 0)
		defer o.Close()
		if err := torch.Try(func() { o.Guard(torch.Zeros([]int64{2}, false)) }); err == nil {
			t.Error("a guard of two values was taken")
		}
	})
}

// LimitGradNorm does what ClipGradNorm does.
func TestLimitGradNormEqualsClip(t *testing.T) {
	for _, limit := range []float64{0.5, 100} {
		torch.Scoped(func(*torch.Scope) {
			params := func() []torch.Tensor {
				a, b := torch.Ones([]int64{2}, true), torch.Ones([]int64{3}, true)
				a.SetGrad(torch.TensorOf([]float32{3, -4}))
				b.SetGrad(torch.TensorOf([]float32{1, 2, 2}))
				return []torch.Tensor{a, b, torch.Ones([]int64{1}, true)}
			}
			one, other := params(), params()
			want, got := torch.ClipGradNorm(one, limit, 2), torch.LimitGradNorm(other, limit, 2).ItemFloat64()
			if math.Abs(want-got) > 1e-5 {
				t.Errorf("norm %g, want %g", got, want)
			}
			for i := range 2 {
				a, b := torch.Values[float32](other[i].Grad()), torch.Values[float32](one[i].Grad())
				for j := range a {
					if math.Abs(float64(a[j]-b[j])) > 1e-6 {
						t.Errorf("limit %g: %v, want %v", limit, a, b)
					}
				}
			}
		})
	}
}

// The scale moves as torch.amp.GradScaler's.
func TestLossScale(t *testing.T) {
	torch.Scoped(func(*torch.Scope) {
		p := torch.Ones([]int64{2}, true)
		scale, tracker, found := torch.Full(nil, 8, false), torch.NewTensor([]int32{0}).Reshape(nil), torch.Zeros(nil, false)
		var scales []float64
		for _, gradient := range []float32{16, 24, float32(math.Inf(1)), 8, 8} {
			p.SetGrad(torch.TensorOf([]float32{gradient, gradient}))
			found.FillI(0)
			torch.UnscaleGrads([]torch.Tensor{p}, scale.Reciprocal(), found)
			if want := math.IsInf(float64(gradient), 0); (found.ItemFloat64() == 1) != want {
				t.Errorf("gradient %g: found %g", gradient, found.ItemFloat64())
			}
			if !math.IsInf(float64(gradient), 0) && torch.Values[float32](p.Grad())[0] != gradient/float32(scale.ItemFloat64()) {
				t.Errorf("gradient %g became %v at scale %g", gradient, torch.Values[float32](p.Grad()), scale.ItemFloat64())
			}
			torch.UpdateScale(scale, tracker, found, 2, 0.5, 2)
			scales = append(scales, scale.ItemFloat64())
		}
		if want := []float64{8, 16, 8, 8, 16}; fmt.Sprint(scales) != fmt.Sprint(want) {
			t.Errorf("scales %v, want %v", scales, want)
		}
	})
}

// pythonTorch is the folder of a Python torch with its CUDA libraries, of the version we are built for.
func pythonTorch(t *testing.T) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	found, _ := filepath.Glob(filepath.Join(cache, "orrery", "peers", "lib", "python3*", "site-packages", "torch"))
	for _, dir := range found {
		version, _ := os.ReadFile(filepath.Join(dir, "version.py"))
		if strings.Contains(string(version), torch.Library().BuiltFor) {
			return dir
		}
	}
	t.Skip("no Python torch with CUDA's libraries of this version in the user's cache (make peers)")
	return ""
}

// Without a GPU the CUDA libraries load, and each says in one line what is missing.
func TestCUDALibrariesLoadWithoutGPU(t *testing.T) {
	if torch.IsCUDAAvailable() {
		t.Skip("there is a GPU")
	}
	if out, _ := load(t, showCUDA+"=1"); !strings.Contains(out, "CUDA driver: no NVIDIA driver") || !strings.Contains(out, "kernels driver: ") {
		t.Errorf("without a driver: %q", out)
	}
	if out, _ := load(t, showCUDA+"=1", "GOTORCH_CUDA=off"); !strings.Contains(out, "CUDA off: ") {
		t.Errorf("switched off: %q", out)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(torch.Library().Path), "libcgotorch_cuda.so")); err != nil {
		t.Skip("libcgotorch_cuda.so is not built; make cuda builds it")
	}
	out, code := load(t, showCUDA+"=1", "GOTORCH_CUDA=load", "LIBTORCH="+pythonTorch(t))
	if want := "kernels driver: no NVIDIA driver is loaded on this machine"; code != 0 || !strings.Contains(out, want) {
		t.Errorf("exit code %d, %q; want %q", code, out, want)
	}
	if strings.Count(out, "\n") > 2 {
		t.Errorf("more than a line each: %q", out)
	}
}

func TestCUDAIsRefusedWithItsReason(t *testing.T) {
	if torch.IsCUDAAvailable() {
		t.Skip("there is a GPU")
	}
	why := torch.Library().CUDAKernels
	if _, err := torch.CUDASymbol("orr_gather_cuda"); err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("CUDASymbol: %v, want %q", err, why)
	}
	cpu := torch.NewDevice("cuda:0")
	if _, err := torch.RecordCUDAGraph(cpu, func() {}); err == nil {
		t.Error("a graph was recorded without a GPU")
	}
	alone(t, func(store *torch.Store, g *torch.ProcessGroup) error { return g.UseNCCL(store, cpu, time.Second) }, "libcgotorch_cuda.so is not in use")
}

// A recorded step does what the steps one by one do.
func TestCUDAGraphReplays(t *testing.T) {
	device := needGPU(t)
	torch.Scoped(func(*torch.Scope) {
		x, sum := torch.Ones([]int64{4}, false).To(device, torch.Float), torch.Zeros([]int64{4}, false).To(device, torch.Float)
		step := func() { sum.AddI(x.MulScalar(2), 1) }
		torch.OnCUDAStream(torch.NewCUDAStream(device), step)
		torch.Synchronize(device)
		g, err := torch.RecordCUDAGraph(device, step)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		x.FillI(5)
		g.Replay()
		g.Replay()
		wantValues(t, "two replays", sum.To(torch.CPU, torch.Float), []float32{22, 22, 22, 22})
		if _, err := torch.RecordCUDAGraph(device, func() { sum.Sum().ItemFloat64() }); err == nil {
			t.Error("a step that waits for the GPU was recorded")
		}
		torch.Synchronize(device)
	})
}

// A step in a graph follows the learning rate.
func TestRecordedOptimizerFollowsTheRate(t *testing.T) {
	device := needGPU(t)
	torch.Scoped(func(*torch.Scope) {
		p := torch.Zeros([]int64{2}, false).To(device, torch.Float)
		p.SetRequiresGrad(true)
		p.SetGrad(torch.Ones([]int64{2}, false).To(device, torch.Float))
		o := torch.SGD(1, 0, 0, 0, false)
		defer o.Close()
		o.DeviceLR(true)
		o.AddParameters([]torch.Tensor{p})
		torch.OnCUDAStream(torch.NewCUDAStream(device), o.Step) // p = -1
		torch.Synchronize(device)
		g, err := torch.RecordCUDAGraph(device, o.Step)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		o.SetLR(0.25)
		g.Replay()
		wantValues(t, "a step of another rate", p.Detach().To(torch.CPU, torch.Float), []float32{-1.25, -1.25})
	})
}

// One process makes a group of NCCL by itself.
func TestNCCL(t *testing.T) {
	device := needGPU(t)
	alone(t, func(store *torch.Store, g *torch.ProcessGroup) error {
		if err := g.UseNCCL(store, device, time.Minute); err != nil {
			return err
		}
		x := torch.TensorOf([]float32{1, 2}).To(device, torch.Float)
		if err := g.AllReduce(x, torch.ReduceSum); err != nil {
			return err
		}
		wantValues(t, "all-reduce", x.To(torch.CPU, torch.Float), []float32{1, 2})
		return g.Barrier()
	}, "")
}

// alone runs f in a group of one process; says is of the error it is to give, "" for none.
func alone(t *testing.T, f func(store *torch.Store, g *torch.ProcessGroup) error, says string) {
	t.Helper()
	store, _ := serveStore(t, "test", time.Minute)
	defer store.Close()
	g, err := torch.NewProcessGroup(store, 0, 1, time.Minute, "127.0.0.1", "")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	torch.Scoped(func(*torch.Scope) { err = f(store, g) })
	if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
		t.Errorf("%v, want %q", err, says)
	}
}
