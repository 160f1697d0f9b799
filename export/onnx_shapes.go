package export

import (
	"fmt"
	"math"
	"slices"
)

// Operations that are several in ONNX, and those that move values about.

func hardSigmoid(c *converter, n *node) error { // max(0, min(1, x/6 + 1/2))
	c.emit("HardSigmoid", n.out, []string{n.first()}, attrFloat("alpha", 1./6), attrFloat("beta", 0.5))
	return nil
}

func silu(c *converter, n *node) error {
	c.emit("Mul", n.out, []string{n.first(), c.emit("Sigmoid", "", []string{n.first()})})
	return nil
}

// gelu is x/2*(1+erf(x/sqrt 2)), or with the approximation x/2*(1+tanh(sqrt(2/pi)*(x+0.044715*x^3))).
func gelu(c *converter, n *node) error {
	x := n.first()
	var inner string
	if n.text("approximate") == "tanh" {
		cube := c.emit("Mul", "", []string{c.emit("Mul", "", []string{x, x}), x})
		cubic := c.emit("Add", "", []string{x, c.emit("Mul", "", []string{cube, c.scalar(0.044715)})})
		inner = c.emit("Tanh", "", []string{c.emit("Mul", "", []string{cubic, c.scalar(math.Sqrt(2 / math.Pi))})})
	} else {
		inner = c.emit("Erf", "", []string{c.emit("Mul", "", []string{x, c.scalar(1 / math.Sqrt2)})})
	}
	half := c.emit("Mul", "", []string{x, c.scalar(0.5)})
	c.emit("Mul", n.out, []string{half, c.emit("Add", "", []string{inner, c.scalar(1)})})
	return nil
}

func mish(c *converter, n *node) error { // x*tanh(softplus(x))
	c.emit("Mul", n.out, []string{n.first(), c.emit("Tanh", "", []string{c.emit("Softplus", "", []string{n.first()})})})
	return nil
}

func softplus(c *converter, n *node) error {
	if n.numberOr("beta", 1) != 1 {
		return fmt.Errorf("beta has no form in ONNX")
	}
	return one("Softplus")(c, n)
}

func prelu(c *converter, n *node) error {
	weight := n.value("weight")
	if shape := c.shapes[weight]; len(shape) == 1 && shape[0] > 1 { // one slope a channel
		per := slices.Repeat([]int64{1}, len(c.shapes[n.first()])-1)
		per[0] = shape[0]
		weight = c.emit("Reshape", "", []string{weight, c.integers(per...)})
	}
	c.emit("PRelu", n.out, []string{n.first(), weight})
	return nil
}

func rsqrt(c *converter, n *node) error {
	c.emit("Reciprocal", n.out, []string{c.emit("Sqrt", "", []string{n.first()})})
	return nil
}

func square(c *converter, n *node) error {
	c.emit("Mul", n.out, []string{n.first(), n.first()})
	return nil
}

// reduce takes the axes as an input, as Opset wants it.
func reduce(op string) func(*converter, *node) error {
	return func(c *converter, n *node) error {
		keep := int64(0)
		if n.bool("keepdim") {
			keep = 1
		}
		inputs := []string{n.first()}
		if dims := n.ints("dim"); len(dims) > 0 {
			inputs = append(inputs, c.integers(dims...))
		}
		c.emit(op, n.out, inputs, attrInt("keepdims", keep))
		return nil
	}
}

// reshape leaves the size that depends on the batch, -1, to Reshape.
func reshape(c *converter, n *node) error {
	if count(n.shape, -1) > 1 {
		return fmt.Errorf("two dimensions of the result depend on the number of pictures")
	}
	c.emit("Reshape", n.out, []string{n.first(), c.integers(n.shape...)})
	return nil
}

func count(list []int64, x int64) int {
	total := 0
	for _, v := range list {
		if v == x {
			total++
		}
	}
	return total
}

func permute(c *converter, n *node) error {
	dims := n.ints("dims")
	for i, d := range dims {
		dims[i] = wrap(d, len(dims))
	}
	c.emit("Transpose", n.out, []string{n.first()}, attrInts("perm", dims...))
	return nil
}

// wrap counts a negative dimension from the end.
func wrap(dim int64, rank int) int64 {
	if dim < 0 {
		return dim + int64(rank)
	}
	return dim
}

func transpose(c *converter, n *node) error {
	rank := len(c.shapes[n.first()])
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	if rank > 1 {
		a, b := wrap(n.int("dim0", 0), rank), wrap(n.int("dim1", 1), rank)
		perm[a], perm[b] = perm[b], perm[a]
	}
	c.emit("Transpose", n.out, []string{n.first()}, attrInts("perm", perm...))
	return nil
}

func concat(c *converter, n *node) error {
	var inputs []string
	for _, a := range n.args[0].List {
		inputs = append(inputs, a.Value)
	}
	c.emit("Concat", n.out, inputs, attrInt("axis", n.int("dim", 0)))
	return nil
}

func selectOne(c *converter, n *node) error {
	index := c.fresh()
	c.initializer(index, nil, []int64{n.int("index", 0)})
	c.emit("Gather", n.out, []string{n.first(), index}, attrInt("axis", n.int("dim", 0)))
	return nil
}

func slice(c *converter, n *node) error {
	c.emit("Slice", n.out, []string{n.first(), c.integers(n.int("start", 0)), c.integers(n.int("end", math.MaxInt64)),
		c.integers(n.int("dim", 0)), c.integers(n.int("step", 1))})
	return nil
}

func expand(c *converter, n *node) error {
	shape := slices.Clone(n.shape)
	for i := range shape {
		shape[i] = max(shape[i], 1) // 1 leaves a dimension as it is
	}
	c.emit("Expand", n.out, []string{n.first(), c.integers(shape...)})
	return nil
}

func pad(c *converter, n *node) error {
	modes := map[string]string{"": "constant", "constant": "constant", "reflect": "reflect", "replicate": "edge"}
	mode, ok := modes[n.text("mode")]
	if !ok {
		return fmt.Errorf("the mode %s has no form in ONNX", n.text("mode"))
	}
	return c.pad(n, n.ints("pad"), mode, n.numberOr("value", 0))
}

func constantPad(c *converter, n *node) error {
	return c.pad(n, n.ints("pad"), "constant", n.numberOr("value", 0))
}

func edgePad(mode string) func(*converter, *node) error {
	return func(c *converter, n *node) error { return c.pad(n, n.ints("padding"), mode, 0) }
}

// pad takes PyTorch's list, (before, after) of the last dimension first, to
// ONNX's, all befores and then all afters from the first dimension on.
func (c *converter) pad(n *node, list []int64, mode string, value float64) error {
	rank := len(c.shapes[n.first()])
	pads := make([]int64, 2*rank)
	for i := range len(list) / 2 {
		pads[rank-1-i], pads[2*rank-1-i] = list[2*i], list[2*i+1]
	}
	inputs := []string{n.first(), c.integers(pads...)}
	if mode == "constant" {
		inputs = append(inputs, c.scalar(value))
	}
	c.emit("Pad", n.out, inputs, attrString("mode", mode))
	return nil
}

func channelShuffle(c *converter, n *node) error {
	shape, groups := c.shapes[n.first()], n.int("groups", 1)
	split := c.emit("Reshape", "", []string{n.first(), c.integers(0, groups, shape[1]/groups, shape[2], shape[3])})
	turned := c.emit("Transpose", "", []string{split}, attrInts("perm", 0, 2, 1, 3, 4))
	c.emit("Reshape", n.out, []string{turned, c.integers(0, shape[1], shape[2], shape[3])})
	return nil
}
