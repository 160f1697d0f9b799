package export

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// A small is a network of one function over some parts.
type small struct {
	nn.Module
	Parts []nn.IModule
	Table torch.Tensor
	f     func(s *small, x torch.Tensor) torch.Tensor
}

func (s *small) Logits(x torch.Tensor) torch.Tensor { return s.f(s, x) }

// part applies part i, a sequence.
func (s *small) part(i int, x torch.Tensor) torch.Tensor {
	return s.Parts[i].(interface {
		Forward(...interface{}) interface{}
	}).Forward(x).(torch.Tensor)
}

func newSmall(f func(*small, torch.Tensor) torch.Tensor, parts ...nn.IModule) *small {
	s := &small{f: f, Parts: parts, Table: torch.RandN([]int64{3, 7}, true)}
	s.Init(s)
	settle(s, func() { s.Logits(torch.Rand([]int64{8, 3, 12, 12}, false)) })
	return s
}

func conv(in, out, kernel, stride, padding, groups int64) nn.IModule {
	return nn.Conv2d(in, out, kernel, stride, padding, 1, groups, true, "zeros")
}

func norm(n int64) nn.IModule { return nn.BatchNorm2d(n, 1e-5, 0.1, true, true) }

// cases use every operation that can leave. Each takes [N, 3, 12, 12].
func cases() map[string]*small {
	seq := nn.Sequential
	unary := func(f func(x torch.Tensor) torch.Tensor) *small {
		return newSmall(func(_ *small, x torch.Tensor) torch.Tensor {
			return torch.Flatten(f(x.MulScalar(4).AddScalar(-2)), 1, -1)
		})
	}
	first := func(s *small, x torch.Tensor) torch.Tensor { return torch.Flatten(s.part(0, x), 1, -1) }
	list := map[string]*small{
		"conv-norm":          newSmall(first, seq(conv(3, 5, 3, 2, 1, 1), norm(5))),
		"conv-norm-relu":     newSmall(first, seq(conv(3, 5, 3, 1, 0, 1), norm(5), nn.ReLU(), conv(5, 4, 3, 2, 1, 1))),
		"conv-relu-norm":     newSmall(first, seq(conv(3, 4, 3, 1, 1, 1), nn.ReLU(), norm(4), conv(4, 6, 3, 2, 1, 2), nn.ReLU(), norm(6))),
		"norm-into-unpadded": newSmall(first, seq(norm(3), conv(3, 6, 3, 2, 0, 3))),
		"norm-alone":         newSmall(first, seq(conv(3, 4, 3, 1, 1, 1), nn.ReLU(), norm(4))),
		"norm-used-twice": newSmall(func(s *small, x torch.Tensor) torch.Tensor {
			y := s.part(0, x)
			return torch.Flatten(torch.Add(s.part(1, y), y, 1), 1, -1)
		}, seq(conv(3, 4, 3, 1, 1, 1), nn.ReLU(), norm(4)), seq(conv(4, 4, 3, 1, 1, 1), norm(4))),
		"depthwise-dilated": newSmall(first, seq(nn.Conv2d(3, 6, 3, 1, 2, 2, 3, false, "zeros"), norm(6), nn.ReLU())),
		"reflected":         newSmall(first, seq(nn.Conv2d(3, 4, 3, 1, 1, 1, 1, true, "reflect"), nn.Conv2d(4, 4, 3, 1, 1, 1, 1, true, "replicate"))),
		"linear-of-vectors": newSmall(func(s *small, x torch.Tensor) torch.Tensor {
			return F.Linear(torch.MeanDims(x, []int64{-1, -2}, false), torch.Transpose(s.Table, 0, 1), torch.Tensor{})
		}),
		"linear-of-maps": newSmall(func(s *small, x torch.Tensor) torch.Tensor {
			y := torch.Permute(x, []int64{0, 2, 3, 1})
			return torch.Flatten(torch.Matmul(y, s.Table), 1, -1)
		}),
		"layer-norm": newSmall(func(s *small, x torch.Tensor) torch.Tensor {
			y := torch.Permute(x, []int64{0, 2, 3, 1})
			scale := torch.Select(s.Table, 1, 2)
			y = torch.LayerNorm(y, []int64{3}, scale, torch.Tensor{}, 1e-6)
			return torch.Flatten(torch.LayerNorm(y, []int64{3}, torch.Tensor{}, torch.Tensor{}, 1e-5), 1, -1)
		}),
		"group-norm": newSmall(func(s *small, x torch.Tensor) torch.Tensor {
			y := torch.Cat([]torch.Tensor{x, x.MulScalar(2)}, 1)
			y = torch.GroupNorm(y, 2, torch.Select(s.Table, 0, 0).Narrow(0, 0, 6), torch.Select(s.Table, 0, 1).Narrow(0, 0, 6), 1e-5)
			return torch.Flatten(y, 1, -1)
		}),
		"max-pool": newSmall(func(_ *small, x torch.Tensor) torch.Tensor {
			return torch.Flatten(F.MaxPool2d(x, []int64{3, 3}, []int64{2, 2}, []int64{1, 1}, []int64{1, 1}, true), 1, -1)
		}),
		"average-pool": newSmall(func(_ *small, x torch.Tensor) torch.Tensor {
			y := torch.AvgPool2d(x, []int64{2, 2}, []int64{2, 2}, []int64{0, 0}, false, true)
			return torch.Flatten(torch.AvgPool2d(y, []int64{3, 3}, []int64{1, 1}, []int64{1, 1}, false, false), 1, -1)
		}),
		"adaptive-average": newSmall(func(_ *small, x torch.Tensor) torch.Tensor {
			return torch.Flatten(torch.AdaptiveAvgPool2d(x, []int64{5, 3}), 1, -1)
		}),
		"global-pools": newSmall(func(_ *small, x torch.Tensor) torch.Tensor {
			most, _ := torch.AdaptiveMaxPool2d(x, []int64{1, 1})
			y := torch.Add(torch.AdaptiveAvgPool2d(x, []int64{1, 1}), torch.Amax(x, []int64{2, 3}, true), 2)
			y = torch.Cat([]torch.Tensor{y, most}, 1)
			return torch.Squeeze(torch.Squeeze(y, 3), 2)
		}),
		"views": newSmall(func(_ *small, x torch.Tensor) torch.Tensor {
			n := x.Shape()[0]
			y := torch.Transpose(x.View(n, 3, 4, 36), 1, 2)
			return torch.Unsqueeze(torch.Reshape(y, []int64{n, -1}), 1).View(n, -1)
		}),
		"slices": newSmall(func(_ *small, x torch.Tensor) torch.Tensor {
			y := torch.Slice(x, 2, 1, 9, 2)
			return torch.Flatten(torch.Sub(torch.Select(y, 1, 0), torch.Select(y, 1, 2), 0.5), 1, -1)
		}),
		"arithmetic": newSmall(func(s *small, x torch.Tensor) torch.Tensor {
			row := torch.Select(s.Table, 1, 0).View(3, 1, 1)
			y := torch.Add(torch.Mul(x, row), torch.Div(x, torch.AddScalar(torch.Abs(row), 1)), 1.5)
			y = torch.Maximum(y, torch.Minimum(x, torch.Neg(x)))
			return torch.Flatten(torch.SumDims(torch.PowScalar(torch.DivScalar(torch.SubScalar(y, 0.25), 3), 2), []int64{3}, true), 1, -1)
		}),
		"padded": newSmall(func(_ *small, x torch.Tensor) torch.Tensor {
			return torch.Flatten(torch.Pad(x, []int64{0, 1, 2, 1}, "constant", 0.5), 1, -1)
		}),
		"dropout": newSmall(func(_ *small, x torch.Tensor) torch.Tensor {
			return torch.Flatten(torch.Dropout(x, 0.5, false), 1, -1)
		}),
		"prelu": newSmall(func(s *small, x torch.Tensor) torch.Tensor {
			return torch.Flatten(torch.Prelu(torch.SubScalar(x, 0.5), torch.Select(s.Table, 1, 0)), 1, -1)
		}),
	}
	for name, f := range map[string]func(torch.Tensor) torch.Tensor{
		"relu": torch.Relu, "relu6": torch.Relu6, "sigmoid": torch.Sigmoid, "tanh": torch.Tanh, "silu": torch.Silu, "mish": torch.Mish,
		"hardswish": torch.Hardswish, "hardsigmoid": torch.Hardsigmoid, "selu": torch.Selu, "erf": torch.Erf, "exp": torch.Exp,
		"gelu":       func(x torch.Tensor) torch.Tensor { return torch.Gelu(x, "none") },
		"gelu-tanh":  func(x torch.Tensor) torch.Tensor { return torch.Gelu(x, "tanh") },
		"elu":        func(x torch.Tensor) torch.Tensor { return torch.Elu(x, 0.7) },
		"leaky-relu": func(x torch.Tensor) torch.Tensor { return torch.LeakyRelu(x, 0.2) },
		"hardtanh":   func(x torch.Tensor) torch.Tensor { return torch.Hardtanh(x, -0.5, 0.75) },
		"clamp":      func(x torch.Tensor) torch.Tensor { return torch.Clamp(x, -0.25, 0.5) },
		"softplus":   func(x torch.Tensor) torch.Tensor { return torch.Softplus(x, 1, 20) },
		"softmax":    func(x torch.Tensor) torch.Tensor { return torch.Softmax(x, 1) },
		"logsoftmax": func(x torch.Tensor) torch.Tensor { return torch.LogSoftmax(x, -1) },
		"square":     func(x torch.Tensor) torch.Tensor { return torch.Sqrt(torch.Square(x)) },
		"logarithm":  func(x torch.Tensor) torch.Tensor { return torch.Log(torch.AddScalar(torch.Square(x), 1)) },
		"rsqrt":      func(x torch.Tensor) torch.Tensor { return torch.Rsqrt(torch.AddScalar(torch.Abs(x), 1)) },
		"reciprocal": func(x torch.Tensor) torch.Tensor { return torch.Reciprocal(torch.AddScalar(torch.Abs(x), 1)) },
	} {
		list[name] = unary(f)
	}
	return list
}

// TestOperations holds every operation that can be exported, after folding,
// against libtorch's own result: as TorchScript, as ONNX through our reading of
// the file, and as ONNX in onnxruntime.
func TestOperations(t *testing.T) {
	torch.Scoped(func(*torch.Scope) {
		torch.ManualSeed(1)
		dir := t.TempDir()
		x := torch.Rand([]int64{4, 3, 12, 12}, false)
		want := map[string][]float32{}
		for name, model := range cases() {
			n, err := record(model, 12)
			if err == nil {
				err = n.fold()
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if slices.ContainsFunc(n.nodes, func(n *node) bool { return n.op == "batch_norm" }) {
				t.Errorf("%s: a batch_norm is left after folding", name)
			}
			torch.NoGrad(func() { want[name] = torch.Values[float32](model.Logits(x)) })
			script, err := n.script()
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			compare(t, name+" as TorchScript", script, x, want[name])
			folder := filepath.Join(dir, name)
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			writeModel(t, n, len(want[name])/4, filepath.Join(folder, "model.onnx"))
			writeFloats(t, filepath.Join(folder, "input.f32"), torch.Values[float32](x))
			read, err := loadONNX(filepath.Join(folder, "model.onnx"))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			compare(t, name+" as ONNX, read here,", read, x, want[name])
		}
		runONNX(t, dir)
		for name := range want {
			got := readFloats(t, filepath.Join(dir, name, "output.f32"))
			if d := difference(t, name, got, want[name]); d > 2e-5 {
				t.Errorf("%s: onnxruntime differs by %v", name, d)
			}
		}
	})
}

// compare runs and closes an exported model.
func compare(t *testing.T, what string, model exported, x torch.Tensor, want []float32) {
	t.Helper()
	defer model.Close()
	err := torch.Try(func() {
		torch.NoGrad(func() {
			if d := difference(t, what, torch.Values[float32](model.Forward(x)), want); d > 1e-5 {
				t.Errorf("%s differs by %v", what, d)
			}
		})
	})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

func TestRecordRefuses(t *testing.T) {
	torch.Scoped(func(*torch.Scope) {
		for name, c := range map[string]struct {
			f    func(*small, torch.Tensor) torch.Tensor
			want string
		}{
			"a constant": {func(s *small, x torch.Tensor) torch.Tensor { return s.Table.MulScalar(1) }, "does not depend"},
			"a branch on the batch": {func(s *small, x torch.Tensor) torch.Tensor {
				if x.Shape()[0] > 2 {
					x = x.MulScalar(2)
				}
				return torch.Flatten(x, 1, -1)
			}, "three pictures"},
			"the batch in a number": {func(s *small, x torch.Tensor) torch.Tensor {
				return torch.Flatten(x, 1, -1).MulScalar(float64(x.Shape()[0]))
			}, "number of pictures"},
			"dropout in training": {func(s *small, x torch.Tensor) torch.Tensor {
				return torch.Dropout(torch.Flatten(x, 1, -1), 0.5, true)
			}, "training"},
		} {
			_, err := record(newSmall(c.f), 12)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want an error with %q", name, err, c.want)
			}
		}
	})
}
