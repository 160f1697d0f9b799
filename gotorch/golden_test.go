package gotorch_test

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"
)

// goldenCase is one entry of testdata/ops.safetensors, which scripts/golden/gotorch_ops.py wrote
// with PyTorch.
type goldenCase struct {
	Name      string
	Op        string
	Args      []goldenArg
	Outs      int
	Value     *bool
	Grad      bool
	Tolerance float64
	Seed      *int64
	Fixed     []string // the inputs that take no gradient
}

type goldenArg struct {
	None    bool
	Tensor  string
	Tensors []string
	Dtype   *int8
	Ints    []int64
	Int     *int64
	Float   *float64
	Bool    *bool
	String  *string
}

func goldens(t testing.TB) ([]goldenCase, map[string]torch.Tensor) {
	tensors, meta, err := safetensors.LoadWithMetadata("testdata/ops.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	if err := json.Unmarshal([]byte(meta["cases"]), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 200 || meta["torch"] == "" {
		t.Fatalf("the golden file holds %d cases from torch %q", len(cases), meta["torch"])
	}
	return cases, tensors
}

// call runs a case's operation with its arguments; change may replace each tensor.
func (c goldenCase) call(tensors map[string]torch.Tensor, change func(torch.Tensor) torch.Tensor) []torch.Tensor {
	op := reflect.ValueOf(operations[c.Op])
	var args []reflect.Value
	add := func(v any, i int) { args = append(args, reflect.ValueOf(v).Convert(op.Type().In(i))) }
	for i, a := range c.Args {
		switch {
		case a.None:
			add(torch.Tensor{}, i)
		case a.Tensor != "":
			add(change(tensors[a.Tensor]), i)
		case a.Tensors != nil:
			var list []torch.Tensor
			for _, name := range a.Tensors {
				list = append(list, change(tensors[name]))
			}
			add(list, i)
		case a.Dtype != nil:
			add(*a.Dtype, i)
		case a.Int != nil:
			add(*a.Int, i)
		case a.Float != nil:
			add(*a.Float, i)
		case a.Bool != nil:
			add(*a.Bool, i)
		case a.String != nil:
			add(*a.String, i)
		default:
			add(a.Ints, i)
		}
	}
	var out []torch.Tensor
	for _, r := range op.Call(args) {
		switch v := r.Interface().(type) {
		case torch.Tensor:
			out = append(out, v)
		case []torch.Tensor:
			out = append(out, v...)
		case bool:
			out = append(out, torch.TensorOf([]bool{v}))
		}
	}
	return out
}

func TestOperationsEqualPyTorch(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	cases, tensors := goldens(t)
	seen := map[string]bool{}
	for _, c := range cases {
		seen[c.Op] = true
		t.Run(c.Name+c.Op, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			if c.Seed != nil {
				torch.ManualSeed(*c.Seed)
			}
			out := c.call(tensors, torch.Tensor.Clone)
			if c.Value != nil {
				if got := torch.Values[bool](out[0])[0]; got != *c.Value {
					t.Errorf("got %v, want %v", got, *c.Value)
				}
				return
			}
			if len(out) != c.Outs {
				t.Fatalf("got %d results, want %d", len(out), c.Outs)
			}
			for i, got := range out {
				if err := near(got, tensors[fmt.Sprintf("%s.out%d", c.Name, i)], c.Tolerance); err != nil {
					t.Errorf("result %d: %v", i, err)
				}
			}
		})
	}
	var missing []string
	for name := range operations {
		if !seen[name] && !strings.HasPrefix(name, "Empty") {
			missing = append(missing, name)
		}
	}
	if sort.Strings(missing); len(missing) > 0 {
		t.Errorf("no golden case for %s; add them to scripts/golden/gotorch_ops.py", strings.Join(missing, ", "))
	}
}

// near compares two tensors: shape, dtype, and values to tolerance times the largest expected one.
func near(got, want torch.Tensor, tolerance float64) error {
	if g, w := fmt.Sprint(got.Shape()), fmt.Sprint(want.Shape()); g != w {
		return fmt.Errorf("shape %s, want %s", g, w)
	}
	if g, w := got.Dtype(), want.Dtype(); g != w {
		return fmt.Errorf("dtype %s, want %s", torch.DtypeName(g), torch.DtypeName(w))
	}
	g, w := torch.Values[float64](got.CastTo(torch.Double)), torch.Values[float64](want.CastTo(torch.Double))
	largest := 1.0
	for _, x := range w {
		if !math.IsInf(x, 0) && !math.IsNaN(x) {
			largest = max(largest, math.Abs(x))
		}
	}
	for i := range w {
		same := g[i] == w[i] || math.IsNaN(g[i]) && math.IsNaN(w[i])
		if !same && !(math.Abs(g[i]-w[i]) <= tolerance*largest) {
			return fmt.Errorf("element %d is %v, want %v", i, g[i], w[i])
		}
	}
	return nil
}

func isFloating(t torch.Tensor) bool {
	d := t.Dtype()
	return d == torch.Float || d == torch.Double
}

// TestGradients compares each differentiable operation's gradient with central differences, in
// float64.
func TestGradients(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	cases, tensors := goldens(t)
	checked := 0
	for _, c := range cases {
		if !c.Grad {
			continue
		}
		t.Run(c.Name+c.Op, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			inputs := map[string]torch.Tensor{}
			for name, x := range tensors {
				if strings.HasPrefix(name, c.Name+".in") {
					if isFloating(x) {
						x = x.CastTo(torch.Double).Clone()
					}
					inputs[name] = x
				}
			}
			// A fixed weighted sum of all results, so that no part of the gradient cancels.
			value := func() torch.Tensor {
				total := torch.ZerosOf(nil, torch.Double)
				for i, y := range c.call(inputs, func(x torch.Tensor) torch.Tensor { return x }) {
					if isFloating(y) {
						w := torch.ArangeOf(1, float64(y.Numel()+1), 1, torch.Double).Sin().View(y.Shape()...)
						total = total.Add(y.Mul(w).Sum(), float32(i+1))
					}
				}
				return total
			}
			for name, x := range inputs {
				if isFloating(x) && !slices.Contains(c.Fixed, name) {
					x.SetRequiresGrad(true)
				}
			}
			if y := value(); y.RequiresGrad() {
				y.Backward()
			} else {
				return // nothing of it depends on an input, as for Zeros
			}
			for name, x := range inputs {
				if !isFloating(x) || !x.Grad().Defined() {
					continue
				}
				checked++
				gradient := torch.Values[float64](x.Grad())
				values := torch.Values[float64](x)
				const h = 1e-6
				for i, v := range values {
					at := func(d float64) float64 {
						var y float64
						torch.Scoped(func(*torch.Scope) {
							values[i] = v + d
							torch.CopyIn(x, values)
							torch.NoGrad(func() { y = value().ItemFloat64() })
						})
						return y
					}
					numeric := (at(h) - at(-h)) / (2 * h)
					values[i] = v
					if d := math.Abs(numeric - gradient[i]); !(d <= 1e-5*max(1, math.Abs(numeric))) {
						t.Errorf("%s: the gradient of element %d is %v, by differences %v", name, i, gradient[i], numeric)
					}
				}
				torch.CopyIn(x, values)
			}
		})
	}
	if checked < 150 {
		t.Errorf("only %d gradients were checked", checked)
	}
}
