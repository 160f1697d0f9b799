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

// goldenCase is one entry of testdata/ops.safetensors or layers.safetensors, which
// scripts/golden/gotorch_ops.py and gotorch_layers.py wrote with PyTorch.
type goldenCase struct {
	Name      string
	Op        string
	Args      []goldenArg
	Outs      int
	Value     *bool
	Tolerance float64 // relative to the largest expected value
	Seed      *int64
	Grad      bool     // PyTorch differentiates it
	Kink      string   // why its gradient is not compared with differences
	Symmetric bool     // its input is a symmetric matrix
	Fixed     []string // the inputs that take no gradient
	Others    []string // the further dtypes that it has results in
	tensors   map[string]torch.Tensor
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

// others are the dtypes beyond Float that results are compared in, with the largest difference, relative
// to the largest expected value: some units in the last place, as processors add up in different orders.
var others = map[string]struct {
	dtype     torch.Dtype
	tolerance float64
}{
	"double":   {torch.Double, 1e-12},
	"bfloat16": {torch.BFloat16, 2.0 / 128},
	"half":     {torch.Half, 2.0 / 1024},
}

func goldens(t testing.TB) []goldenCase {
	var all []goldenCase
	for _, file := range []string{"ops", "layers"} {
		tensors, meta, err := safetensors.LoadWithMetadata("testdata/" + file + ".safetensors")
		if err != nil {
			t.Fatal(err)
		}
		var cases []goldenCase
		if err := json.Unmarshal([]byte(meta["cases"]), &cases); err != nil {
			t.Fatal(err)
		}
		if len(cases) < 100 || meta["torch"] == "" {
			t.Fatalf("%s holds %d cases from torch %q", file, len(cases), meta["torch"])
		}
		for _, c := range cases {
			c.tensors = tensors
			all = append(all, c)
		}
	}
	return all
}

// inputs returns the tensors of a case, those of Float in another dtype; all floats as Double.
func (c goldenCase) inputs(dtype torch.Dtype) map[string]torch.Tensor {
	in := map[string]torch.Tensor{}
	for name, x := range c.tensors {
		if strings.HasPrefix(name, c.Name+".in") {
			if x.Dtype() == torch.Float || isFloating(x) && dtype == torch.Double {
				x = x.CastTo(dtype)
			}
			in[name] = x
		}
	}
	return in
}

// call runs a case's operation with its arguments, each tensor as change makes it.
func (c goldenCase) call(tensors map[string]torch.Tensor, change func(torch.Tensor) torch.Tensor) []torch.Tensor {
	if c.Seed != nil {
		torch.ManualSeed(*c.Seed)
	}
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
	seen := map[string]bool{}
	results := map[string]int{}
	for _, c := range goldens(t) {
		seen[c.Op] = true
		t.Run(c.Name+c.Op, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			out := c.call(c.tensors, torch.Tensor.Clone)
			if c.Value != nil {
				if got := torch.Values[bool](out[0])[0]; got != *c.Value {
					t.Errorf("got %v, want %v", got, *c.Value)
				}
				return
			}
			if len(out) != c.Outs {
				t.Fatalf("got %d results, want %d", len(out), c.Outs)
			}
			c.compare(t, out, "out", c.Tolerance)
			results["float"]++
			for _, word := range c.Others {
				other := others[word]
				out := c.call(c.inputs(other.dtype), torch.Tensor.Clone)
				c.compare(t, out, word, max(other.tolerance, c.Tolerance*other.tolerance/1e-6))
				results[word]++
			}
		})
	}
	t.Log("cases compared: ", results)
	var missing []string
	for name := range operations {
		if !seen[name] && !strings.HasPrefix(name, "Empty") {
			missing = append(missing, name)
		}
	}
	if sort.Strings(missing); len(missing) > 0 {
		t.Errorf("no golden case for %s; add them to scripts/golden/gotorch_ops.py or gotorch_layers.py", strings.Join(missing, ", "))
	}
}

// compare holds the results against those stored under a word.
func (c goldenCase) compare(t *testing.T, out []torch.Tensor, word string, tolerance float64) {
	t.Helper()
	for i, got := range out {
		if err := near(got, c.tensors[fmt.Sprintf("%s.%s%d", c.Name, word, i)], tolerance); err != nil {
			t.Errorf("%s %d: %v", word, i, err)
		}
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
	largest := 0.0
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
	return d == torch.Float || d == torch.Double || d == torch.Half || d == torch.BFloat16
}

// Each operation that PyTorch differentiates has the gradient that central differences give, in float64.
func TestGradients(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	differentiable, checked := map[string]bool{}, map[string]bool{}
	for _, c := range goldens(t) {
		differentiable[c.Op] = differentiable[c.Op] || c.Grad
		if c.Grad && c.Kink == "" {
			t.Run(c.Name+c.Op, func(t *testing.T) {
				checkGradient(t, c)
				checked[c.Op] = true
			})
		}
	}
	for op, is := range differentiable {
		if is && !checked[op] {
			t.Errorf("no gradient of %s was checked", op)
		}
	}
	t.Logf("the gradients of %d operations were checked", len(checked))
}

func checkGradient(t *testing.T, c goldenCase) {
	s := torch.NewScope()
	defer s.Close()
	inputs := c.inputs(torch.Double)
	// A fixed weighted sum of all results, so that no part of the gradient cancels.
	value := func() torch.Tensor {
		total := torch.ZerosOf(nil, torch.Double)
		for i, y := range c.call(inputs, torch.Tensor.Clone) { // a copy, as some work in place
			if isFloating(y) {
				w := torch.ArangeOf(1, float64(y.Numel()+1), 1, torch.Double).Sin().View(y.Shape()...)
				total = total.Add(y.CastTo(torch.Double).Mul(w).Sum(), float32(i+1))
			}
		}
		return total
	}
	for name, x := range inputs {
		if isFloating(x) && !slices.Contains(c.Fixed, name) {
			x.SetRequiresGrad(true)
		}
	}
	value().Backward()
	compared := 0
	for name, x := range inputs {
		if !x.RequiresGrad() || !x.Grad().Defined() {
			continue
		}
		gradient, values := torch.Values[float64](x.Grad()), torch.Values[float64](x)
		const h = 1e-6
		for i, v := range values {
			mirror := i
			if c.Symmetric {
				n := int(x.Shape()[1])
				mirror = i%n*n + i/n
			}
			want := gradient[i]
			if mirror != i {
				want += gradient[mirror]
			}
			at := func(d float64) (y float64) {
				torch.Scoped(func(*torch.Scope) {
					values[i], values[mirror] = v+d, v+d
					torch.CopyIn(x, values)
					torch.NoGrad(func() { y = value().ItemFloat64() })
				})
				return y
			}
			numeric := (at(h) - at(-h)) / (2 * h)
			values[i], values[mirror] = v, v
			if d := math.Abs(numeric - want); !(d <= 1e-5*max(1, math.Abs(numeric))) {
				t.Errorf("%s: the gradient of element %d is %v, by differences %v", name, i, want, numeric)
			}
			compared++
		}
		torch.CopyIn(x, values)
	}
	if compared == 0 {
		t.Error("no input has a gradient")
	}
}
