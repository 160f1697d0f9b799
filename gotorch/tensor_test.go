package gotorch_test

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	torch "github.com/wangkuiyi/gotorch"
)

func TestNewTensorOfEveryKind(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	for _, c := range []struct {
		data  any
		dtype torch.Dtype
		shape []int64
		sum   float64
	}{
		{[]bool{true, false, true}, torch.Bool, []int64{3}, 2},
		{[]uint8{1, 255}, torch.Byte, []int64{2}, 256},
		{[]int8{-1, 3}, torch.Char, []int64{2}, 2},
		{[]int16{-300, 3}, torch.Short, []int64{2}, -297},
		{[]int32{1 << 20}, torch.Int, []int64{1}, 1 << 20},
		{[]int64{1 << 40}, torch.Long, []int64{1}, 1 << 40},
		{[]int{1, 2}, torch.Long, []int64{2}, 3},
		{[]uint16{0x3c00, 0x4000}, torch.Half, []int64{2}, 3},
		{[]float32{0.5, 0.25}, torch.Float, []int64{2}, 0.75},
		{[]float64{0.5, 0.25}, torch.Double, []int64{2}, 0.75},
		{[][]float32{{1, 2, 3}, {4, 5, 6}}, torch.Float, []int64{2, 3}, 21},
		{[][][]int64{{{1}, {2}}, {{3}, {4}}}, torch.Long, []int64{2, 2, 1}, 10},
		{[2][2]float64{{1, 2}, {3, 4}}, torch.Double, []int64{2, 2}, 10},
		{[]float32{}, torch.Float, []int64{0}, 0},
		{[][]float32{{}, {}}, torch.Float, []int64{2, 0}, 0},
	} {
		x := torch.NewTensor(c.data)
		if x.Dtype() != c.dtype || !cmp.Equal(x.Shape(), c.shape) {
			t.Errorf("%T: %s %v, want %s %v", c.data, torch.DtypeName(x.Dtype()), x.Shape(), torch.DtypeName(c.dtype), c.shape)
		}
		if got := x.CastTo(torch.Double).Sum().ItemFloat64(); got != c.sum {
			t.Errorf("%v sums to %v, want %v", c.data, got, c.sum)
		}
	}
	x := torch.NewTensor([]uint16{0x3f80}, map[string]any{"dtype": torch.BFloat16, "requires_grad": true})
	if x.Dtype() != torch.BFloat16 || !x.RequiresGrad() || x.ItemFloat64() != 1 {
		t.Errorf("the options were lost: %v", x)
	}
	for name, data := range map[string]any{
		"nil": nil, "no slice": 3, "ragged": [][]float32{{1}, {2, 3}}, "ragged deeper": [][][]int64{{{1}, {2}}, {{3}}},
		"strings": []string{"a"}, "a size that does not fit": nil,
	} {
		var opts []map[string]any
		if strings.HasPrefix(name, "a size") {
			data, opts = []float32{1}, []map[string]any{{"dtype": torch.Double}}
		}
		if err := torch.Try(func() { torch.NewTensor(data, opts...) }); err == nil {
			t.Errorf("NewTensor accepted %s", name)
		}
	}
}

func TestValuesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := torch.NewScope()
		defer s.Close()
		rows, cols := rapid.Int64Range(0, 5).Draw(t, "rows"), rapid.Int64Range(0, 5).Draw(t, "cols")
		data := rapid.SliceOfN(rapid.Float32(), int(rows*cols), int(rows*cols)).Draw(t, "data")
		x := torch.TensorOf(data, rows, cols)
		if got := torch.Values[float32](x); !cmp.Equal(got, data, nan()) {
			t.Fatalf("got %v, want %v", got, data)
		}
		// A transposed view comes out in the order of its own dimensions.
		y := torch.Values[float32](x.Transpose(0, 1))
		for i := range rows {
			for j := range cols {
				if a, b := y[j*rows+i], data[i*cols+j]; a != b && !(a != a && b != b) {
					t.Fatalf("transposed (%d,%d) is %v, want %v", j, i, a, b)
				}
			}
		}
		z := torch.EmptyOf([]int64{cols, rows}, torch.Float).Transpose(0, 1)
		torch.CopyIn(z, data)
		if got := torch.Values[float32](z); !cmp.Equal(got, data, nan()) {
			t.Fatalf("CopyIn through a view: got %v, want %v", got, data)
		}
	})
}

func nan() cmp.Option {
	return cmp.Comparer(func(a, b float32) bool { return a == b || a != a && b != b })
}

func TestTypedAccessRefuses(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.Ones([]int64{2, 3}, false)
	for name, f := range map[string]func(){
		"another type":      func() { torch.Values[float64](x) },
		"a short slice":     func() { torch.CopyOut(x, make([]float32, 5)) },
		"a long slice":      func() { torch.CopyIn(x, make([]float32, 7)) },
		"a shape too large": func() { torch.TensorOf([]int32{1}, 2) },
		"a nil address":     func() { torch.FromBlob(nil, torch.Float, []int64{2}) },
		"a negative size":   func() { torch.FromBlob(unsafe.Pointer(&[4]float32{}), torch.Float, []int64{-2}) },
		"a size overflow":   func() { torch.FromBlob(unsafe.Pointer(&[4]float32{}), torch.Float, []int64{1 << 40, 1 << 40}) },
		"no dtype":          func() { torch.FromBlob(unsafe.Pointer(&[4]float32{}), 99, []int64{2}) },
		"item of many":      func() { x.Item() },
		"index too short":   func() { x.Index(1) },
		"index too large":   func() { x.Index(1, 3) },
		"zero tensor":       func() { torch.Tensor{}.Shape() },
		"no such device":    func() { torch.NewDevice("abacus") },
		"no CUDA":           func() { x.CUDA(torch.CPU, false) },
		"dtype out of list": func() { x.CastTo(77) },
		"two dims squeezed": func() { x.Squeeze(0, 1) },
		"sum along a word":  func() { x.Sum(map[string]any{"dim": "one"}) },
		"argmax of a word":  func() { x.Argmax("one") },
		"backward of many":  func() { torch.Ones([]int64{2}, true).Backward() },
		"backward of none":  func() { x.Sum().Backward() },
	} {
		if err := torch.Try(f); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestFromBlobCopiesAndBorrowDoesNot(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	data := []float32{1, 2, 3}
	copied := torch.FromBlob(unsafe.Pointer(&data[0]), torch.Float, []int64{3})
	base := torch.TensorOf(data)
	borrowed := torch.Borrow(base.DataPtr(), torch.Float, []int64{3})
	data[0] = 9
	base.FillI(7)
	if got := torch.Values[float32](copied)[0]; got != 1 {
		t.Errorf("the copy changed to %v", got)
	}
	if got := torch.Values[float32](borrowed)[0]; got != 7 {
		t.Errorf("the borrowed memory reads %v, want 7", got)
	}
}

func TestItemByDtype(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	one := torch.Ones(nil, false)
	for d, want := range map[torch.Dtype]any{
		torch.Bool: true, torch.Byte: byte(1), torch.Char: int8(1), torch.Short: int16(1), torch.Int: int32(1), torch.Long: int64(1),
		torch.Half: float32(1), torch.BFloat16: float32(1), torch.Float: float32(1), torch.Double: float64(1),
	} {
		if got := one.CastTo(d).Item(); got != want {
			t.Errorf("%s: %T %v, want %T %v", torch.DtypeName(d), got, got, want, want)
		}
	}
}

// The texts are what libtorch's C++ prints, as in upstream's documentation.
func TestString(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.NewTensor([][]float32{{-0.5, -1}, {1, 0.5}})
	for _, c := range []struct {
		x    torch.Tensor
		want string
	}{
		{torch.Relu(x), " 0.0000  0.0000\n 1.0000  0.5000\n[ CPUFloatType{2,2} ]"},
		{torch.Sigmoid(x), " 0.3775  0.2689\n 0.7311  0.6225\n[ CPUFloatType{2,2} ]"},
		{x.Mean(), "0\n[ CPUFloatType{} ]"},
		{x.Add(x, 1), "-1 -2\n 2  1\n[ CPUFloatType{2,2} ]"},
		{torch.NewTensor([]float64{1, 2}), " 1\n 2\n[ CPUDoubleType{2} ]"},
		{torch.NewTensor([]int64{3}), " 3\n[ CPULongType{1} ]"},
		{torch.Tensor{}, "[ undefined tensor ]"},
	} {
		if got := c.x.String(); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

func TestUpstreamsVariadicForms(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.NewTensor([][]float32{{1, 5, 2}, {7, 0, 3}})
	check := func(name string, got torch.Tensor, want any) {
		t.Helper()
		if err := near(got, torch.NewTensor(want), 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("Sum", x.Sum().View(1), []float32{18})
	check("Sum dim", torch.Sum(x, map[string]any{"dim": 1}), []float32{8, 10})
	check("Sum keepDim", x.Sum(map[string]any{"dim": 0, "keepDim": true}), [][]float32{{8, 5, 5}})
	check("Argmax", x.Argmax().View(1), []int64{3})
	check("Argmax dim", x.Argmax(1), []int64{1, 0})
	check("Argmin keep", x.Argmin(int64(1), true), [][]int64{{0}, {1}})
	check("View", x.View(3, -1), [][]float32{{1, 5}, {2, 7}, {0, 3}})
	check("Squeeze", torch.Squeeze(x.View(1, 2, 1, 3)), [][]float32{{1, 5, 2}, {7, 0, 3}})
	check("Squeeze dim", x.View(1, 2, 3).Squeeze(0), [][]float32{{1, 5, 2}, {7, 0, 3}})
	check("Index", x.Index(1, 2).View(1), []float32{3})
	check("SetData", func() torch.Tensor { y := torch.Zeros([]int64{1}, false); y.SetData(x); return y }(), [][]float32{{1, 5, 2}, {7, 0, 3}})
	check("CopyTo", x.CopyTo(torch.NewDevice("cpu")), [][]float32{{1, 5, 2}, {7, 0, 3}})
	check("To", torch.To(x, torch.NewDevice("cpu"), torch.Long), [][]int64{{1, 5, 2}, {7, 0, 3}})
}

func TestGobAndFiles(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.NewTensor([][]float64{{1, math.Pi}, {3, 4}})
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(map[string]torch.Tensor{"x": x}); err != nil {
		t.Fatal(err)
	}
	m := map[string]torch.Tensor{}
	if err := gob.NewDecoder(&b).Decode(&m); err != nil {
		t.Fatal(err)
	}
	if !torch.Equal(m["x"], x) {
		t.Errorf("gob gave %v", m["x"])
	}
	path := filepath.Join(t.TempDir(), "x.pt")
	x.Save(path)
	if y := torch.Load(path); !torch.Equal(x, y) {
		t.Errorf("the file gave %v", y)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole); n += 37 {
		var y torch.Tensor
		if err := y.GobDecode(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were accepted", n, len(whole))
		}
	}
	if _, err := (torch.Tensor{}).GobEncode(); err == nil {
		t.Error("the zero Tensor was encoded")
	}
	if err := torch.Try(func() { torch.Load(filepath.Join(t.TempDir(), "absent")) }); err == nil {
		t.Error("an absent file was loaded")
	}
}

func TestRandomStateGoesBack(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	torch.ManualSeed(5)
	state := torch.RNGState()
	a := torch.RandN([]int64{10}, false)
	torch.SetRNGState(state)
	b := torch.RandN([]int64{10}, false)
	if !torch.Equal(a, b) {
		t.Error("the state did not go back")
	}
	torch.ManualSeedOn(torch.CPU, 5)
	if !torch.Equal(a, torch.RandN([]int64{10}, false)) {
		t.Error("the seed of one device draws other numbers")
	}
	if err := torch.Try(func() { torch.SetRNGState(torch.Ones([]int64{3}, false)) }); err == nil {
		t.Error("three floats were accepted as a state")
	}
}

func TestModes(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.Ones([]int64{2, 2}, true)
	torch.NoGrad(func() {
		if x.MM(x).RequiresGrad() {
			t.Error("NoGrad recorded")
		}
		torch.EnableGrad(func() {
			if !x.MM(x).RequiresGrad() {
				t.Error("EnableGrad did not record")
			}
		})
		_ = torch.Try(func() { torch.NoGrad(func() { x.View(5) }) })
	})
	if !x.MM(x).RequiresGrad() {
		t.Error("the mode stayed off")
	}
	torch.InferenceMode(func() {
		if x.MM(x).RequiresGrad() {
			t.Error("InferenceMode recorded")
		}
	})
	torch.Autocast(torch.CPU, torch.BFloat16, func() {
		if d := x.MM(x).Dtype(); d != torch.BFloat16 {
			t.Errorf("autocast multiplied in %s", torch.DtypeName(d))
		}
	})
	if d := x.MM(x).Dtype(); d != torch.Float {
		t.Errorf("after autocast: %s", torch.DtypeName(d))
	}
	// Within another one, and where it is off for a part; a panic leaves each as it was.
	torch.Autocast(torch.CPU, torch.BFloat16, func() {
		torch.Autocast(torch.CPU, torch.Half, func() {
			if d := x.MM(x).Dtype(); d != torch.Half {
				t.Errorf("the inner autocast multiplied in %s", torch.DtypeName(d))
			}
		})
		_ = torch.Try(func() { torch.NoAutocast(torch.CPU, func() { x.View(5) }) })
		torch.NoAutocast(torch.CPU, func() {
			if d := x.MM(x).Dtype(); d != torch.Float {
				t.Errorf("without autocast: %s", torch.DtypeName(d))
			}
		})
		if d := x.MM(x).Dtype(); d != torch.BFloat16 {
			t.Errorf("back in the outer autocast: %s", torch.DtypeName(d))
		}
	})
	// In deterministic mode libtorch fills new memory with NaN, so that nothing depends on what was there.
	torch.SetDeterministic(true)
	if !torch.Empty([]int64{64}, false).IsNaN().All().Item().(bool) {
		t.Error("deterministic mode left memory as it was")
	}
	torch.SetDeterministic(false)
	n := torch.NumThreads()
	torch.SetNumThreads(2)
	if torch.NumThreads() != 2 {
		t.Errorf("%d threads, want 2", torch.NumThreads())
	}
	torch.SetNumThreads(int32(n))
}

func TestClipping(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.Full([]int64{2}, 3, true)
	x.Mul(x).Sum().Backward() // the gradient is (6, 6)
	if norm := torch.ClipGradNorm([]torch.Tensor{x}, 1, 2); math.Abs(norm-math.Sqrt(72)) > 1e-6 {
		t.Errorf("the norm before is %v", norm)
	}
	if n := x.Grad().Norm(2, nil, false).ItemFloat64(); math.Abs(n-1) > 1e-5 {
		t.Errorf("the norm after is %v", n)
	}
	torch.ClipGradValue([]torch.Tensor{x}, 0.1)
	if got := torch.Values[float32](x.Grad()); got[0] != 0.1 {
		t.Errorf("the gradient is %v", got)
	}
}

func TestSecondDerivative(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.Full(nil, 2, true)
	unused := torch.Full(nil, 2, true)
	g := torch.Gradients([]torch.Tensor{x.PowScalar(3)}, []torch.Tensor{x, unused}, nil, true)
	if g[1].Defined() {
		t.Error("an unused input has a gradient")
	}
	h := torch.Gradients(g[:1], []torch.Tensor{x}, nil, false)
	if a, b := g[0].ItemFloat64(), h[0].ItemFloat64(); a != 12 || b != 12 {
		t.Errorf("3x² and 6x at 2 are %v and %v", a, b)
	}
}

func ExampleNewTensor() {
	s := torch.NewScope()
	defer s.Close()
	x := torch.NewTensor([][]float32{{1, 2}, {3, 4}})
	fmt.Println(torch.MM(x, x))
	// Output:
	// 7  10
	//  15  22
	// [ CPUFloatType{2,2} ]
}
