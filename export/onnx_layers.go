package export

import (
	"fmt"
	"math"
	"slices"

	onnx "github.com/wangkuiyi/orrery/export/internal/onnxpb"
)

// conversions write one operation of libtorch each; the operators are those of
// https://onnx.ai/onnx/operators in the version Opset.
var conversions map[string]func(*converter, *node) error

func init() {
	conversions = map[string]func(*converter, *node) error{
		"conv2d": convolution, "linear": linear, "addmm": addmm, "matmul": two("MatMul"), "mm": two("MatMul"), "bmm": two("MatMul"),
		"max_pool2d": maxPool, "avg_pool2d": averagePool, "adaptive_avg_pool2d": adaptiveAverage, "adaptive_max_pool2d": adaptiveMax,
		"layer_norm": layerNorm, "group_norm": groupNorm, "instance_norm": instanceNorm,

		"relu": one("Relu"), "relu6": clip(0, 6), "hardtanh": bounded("min_val", "max_val"), "clamp": bounded("min", "max"),
		"clamp_min": bounded("min", ""), "clamp_max": bounded("", "max"),
		"sigmoid": one("Sigmoid"), "tanh": one("Tanh"), "hardswish": one("HardSwish"), "hardsigmoid": hardSigmoid,
		"silu": silu, "gelu": gelu, "mish": mish, "softplus": softplus, "prelu": prelu, "selu": one("Selu"),
		"elu": slope("Elu", "alpha", 1), "celu": slope("Celu", "alpha", 1), "leaky_relu": slope("LeakyRelu", "negative_slope", 0.01),
		"softmax": along("Softmax"), "log_softmax": along("LogSoftmax"),

		"add": sum("Add"), "sub": sum("Sub"), "mul": two("Mul"), "div": division, "rsub": reversed, "pow": two("Pow"),
		"maximum": two("Max"), "minimum": two("Min"), "neg": one("Neg"), "abs": one("Abs"), "exp": one("Exp"), "log": one("Log"),
		"sqrt": one("Sqrt"), "rsqrt": rsqrt, "square": square, "erf": one("Erf"), "reciprocal": one("Reciprocal"),
		"mean": reduce("ReduceMean"), "sum": reduce("ReduceSum"), "amax": reduce("ReduceMax"), "amin": reduce("ReduceMin"),

		"flatten": reshape, "view": reshape, "reshape": reshape, "_unsafe_view": reshape, "squeeze": reshape, "unsqueeze": reshape,
		"permute": permute, "transpose": transpose, "t": transpose, "cat": concat, "select": selectOne, "slice": slice,
		"pad": pad, "constant_pad_nd": constantPad, "reflection_pad2d": edgePad("reflect"), "replication_pad2d": edgePad("edge"),
		"channel_shuffle": channelShuffle, "expand": expand,
	}
}

// first is the value of an operation's first argument.
func (n *node) first() string { return n.args[0].Value }

// operand is an argument that may be a tensor or a number.
func (c *converter) operand(n *node, name string) (string, error) {
	if v := n.value(name); v != "" {
		return v, nil
	}
	if x, ok := n.number(name); ok {
		return c.scalar(x), nil
	}
	return "", fmt.Errorf("the argument %s is neither a tensor nor a number", name)
}

func one(op string) func(*converter, *node) error {
	return func(c *converter, n *node) error {
		c.emit(op, n.out, []string{n.first()})
		return nil
	}
}

func two(op string) func(*converter, *node) error {
	return func(c *converter, n *node) error {
		second, err := c.operand(n, n.args[1].Name)
		c.emit(op, n.out, []string{n.first(), second})
		return err
	}
}

// sum is Add or Sub with alpha*other.
func sum(op string) func(*converter, *node) error {
	return func(c *converter, n *node) error {
		other, err := c.operand(n, "other")
		if alpha := n.numberOr("alpha", 1); alpha != 1 {
			other = c.emit("Mul", "", []string{other, c.scalar(alpha)})
		}
		c.emit(op, n.out, []string{n.first(), other})
		return err
	}
}

// reversed is other - alpha*self.
func reversed(c *converter, n *node) error {
	other, err := c.operand(n, "other")
	c.emit("Sub", n.out, []string{other, c.emit("Mul", "", []string{n.first(), c.scalar(n.numberOr("alpha", 1))})})
	return err
}

func division(c *converter, n *node) error {
	if mode := n.text("rounding_mode"); mode != "" {
		return fmt.Errorf("rounding_mode %s has no form here", mode)
	}
	return two("Div")(c, n)
}

func convolution(c *converter, n *node) error {
	stride, padding, dilation := n.pair("stride", 1), n.pair("padding", 0), n.pair("dilation", 1)
	kernel := c.shapes[n.value("weight")]
	c.emit("Conv", n.out, []string{n.value("input"), n.value("weight"), n.value("bias")},
		attrInts("kernel_shape", kernel[2], kernel[3]), attrInts("strides", stride[:]...),
		attrInts("pads", padding[0], padding[1], padding[0], padding[1]), attrInts("dilations", dilation[:]...),
		attrInt("group", n.int("groups", 1)))
	return nil
}

func linear(c *converter, n *node) error {
	in, weight, bias := n.value("input"), n.value("weight"), n.value("bias")
	if len(c.shapes[in]) == 2 {
		c.emit("Gemm", n.out, []string{in, weight, bias}, attrInt("transB", 1))
		return nil
	}
	transposed := c.emit("Transpose", "", []string{weight}, attrInts("perm", 1, 0))
	if bias == "" {
		c.emit("MatMul", n.out, []string{in, transposed})
		return nil
	}
	c.emit("Add", n.out, []string{c.emit("MatMul", "", []string{in, transposed}), bias})
	return nil
}

func addmm(c *converter, n *node) error {
	c.emit("Gemm", n.out, []string{n.value("mat1"), n.value("mat2"), n.value("self")},
		attrFloat("alpha", n.numberOr("alpha", 1)), attrFloat("beta", n.numberOr("beta", 1)))
	return nil
}

func pooling(n *node) []*onnx.AttributeProto {
	kernel, padding := n.pair("kernel_size", 1), n.pair("padding", 0)
	stride := kernel
	if len(n.ints("stride")) > 0 {
		stride = n.pair("stride", 1)
	}
	ceil := int64(0)
	if n.bool("ceil_mode") {
		ceil = 1
	}
	return []*onnx.AttributeProto{
		attrInts("kernel_shape", kernel[:]...), attrInts("strides", stride[:]...),
		attrInts("pads", padding[0], padding[1], padding[0], padding[1]), attrInt("ceil_mode", ceil),
	}
}

func maxPool(c *converter, n *node) error {
	dilation := n.pair("dilation", 1)
	c.emit("MaxPool", n.out, []string{n.first()}, append(pooling(n), attrInts("dilations", dilation[:]...))...)
	return nil
}

func averagePool(c *converter, n *node) error {
	if n.arg("divisor_override") != nil || n.bool("ceil_mode") {
		return fmt.Errorf("divisor_override and ceil_mode have no form in ONNX that equals PyTorch's")
	}
	include := int64(0)
	if n.bool("count_include_pad") {
		include = 1
	}
	c.emit("AveragePool", n.out, []string{n.first()}, append(pooling(n), attrInt("count_include_pad", include))...)
	return nil
}

// adaptiveAverage averages windows that begin at floor(i*in/out) and end before
// ceil((i+1)*in/out): a matrix from either side.
func adaptiveAverage(c *converter, n *node) error {
	from, to := c.shapes[n.first()], n.pair("output_size", 1)
	if to == [2]int64{1, 1} {
		c.emit("GlobalAveragePool", n.out, []string{n.first()})
		return nil
	}
	rows := c.matrix(windows(from[2], to[0], false))
	columns := c.matrix(windows(from[3], to[1], true))
	c.emit("MatMul", n.out, []string{c.emit("MatMul", "", []string{rows, n.first()}), columns})
	return nil
}

// windows is the matrix [out, in] of adaptive averages, or its transpose.
func windows(in, out int64, transposed bool) [][]float32 {
	rows, columns := out, in
	if transposed {
		rows, columns = in, out
	}
	m := make([][]float32, rows)
	for i := range m {
		m[i] = make([]float32, columns)
	}
	for o := range out {
		begin, end := o*in/out, ((o+1)*in+out-1)/out
		for i := begin; i < end; i++ {
			if v := float32(1 / float64(end-begin)); transposed {
				m[i][o] = v
			} else {
				m[o][i] = v
			}
		}
	}
	return m
}

func adaptiveMax(c *converter, n *node) error {
	if n.pair("output_size", 1) != [2]int64{1, 1} {
		return fmt.Errorf("only an output of 1x1 has a form in ONNX")
	}
	c.emit("GlobalMaxPool", n.out, []string{n.first()})
	return nil
}

func layerNorm(c *converter, n *node) error {
	shape := n.ints("normalized_shape")
	weight := n.value("weight")
	if weight == "" { // ONNX wants one
		weight = c.ones(shape)
	}
	c.emit("LayerNormalization", n.out, []string{n.value("input"), weight, n.value("bias")},
		attrInt("axis", -int64(len(shape))), attrFloat("epsilon", n.numberOr("eps", 1e-5)))
	return nil
}

func (c *converter) ones(shape []int64) string {
	count := int64(1)
	for _, s := range shape {
		count *= s
	}
	name := c.fresh()
	c.initializer(name, shape, slices.Repeat([]float32{1}, int(count)))
	return name
}

func instanceNorm(c *converter, n *node) error {
	return c.normalise(n, n.value("input"), c.shapes[n.value("input")][1])
}

func groupNorm(c *converter, n *node) error {
	return c.normalise(n, n.value("input"), n.int("num_groups", 1))
}

// normalise gives each of the groups of channels of each picture mean 0 and
// variance 1, then applies the channels' weight and bias.
func (c *converter) normalise(n *node, in string, groups int64) error {
	shape := c.shapes[in]
	if n.value("running_mean") != "" && !n.bool("use_input_stats") {
		return fmt.Errorf("running statistics have no form here")
	}
	folded := c.emit("Reshape", "", []string{in, c.integers(0, groups, -1)})
	zeros := c.fresh()
	c.initializer(zeros, []int64{groups}, make([]float32, groups))
	normal := c.emit("InstanceNormalization", "", []string{folded, c.ones([]int64{groups}), zeros}, attrFloat("epsilon", n.numberOr("eps", 1e-5)))
	out := c.emit("Reshape", "", []string{normal, c.integers(shape...)})
	channels := slices.Repeat([]int64{1}, len(shape))
	channels[1] = shape[1]
	if w := n.value("weight"); w != "" {
		out = c.emit("Mul", "", []string{out, c.emit("Reshape", "", []string{w, c.integers(channels...)})})
	}
	if b := n.value("bias"); b != "" {
		out = c.emit("Add", "", []string{out, c.emit("Reshape", "", []string{b, c.integers(channels...)})})
	}
	c.emit("Identity", n.out, []string{out})
	return nil
}

// slope is an activation with one number.
func slope(op, name string, otherwise float64) func(*converter, *node) error {
	return func(c *converter, n *node) error {
		if n.numberOr("scale", 1) != 1 || n.numberOr("input_scale", 1) != 1 {
			return fmt.Errorf("scale and input_scale have no form in ONNX")
		}
		c.emit(op, n.out, []string{n.first()}, attrFloat("alpha", n.numberOr(name, otherwise)))
		return nil
	}
}

func clip(low, high float64) func(*converter, *node) error {
	return func(c *converter, n *node) error {
		c.emit("Clip", n.out, []string{n.first(), c.scalar(low), c.scalar(high)})
		return nil
	}
}

func bounded(low, high string) func(*converter, *node) error {
	return func(c *converter, n *node) error {
		var bounds [2]string
		for i, name := range []string{low, high} {
			if x, ok := n.number(name); name != "" && ok && !math.IsInf(x, 0) {
				bounds[i] = c.scalar(x)
			}
		}
		c.emit("Clip", n.out, []string{n.first(), bounds[0], bounds[1]})
		return nil
	}
}

func along(op string) func(*converter, *node) error {
	return func(c *converter, n *node) error {
		c.emit(op, n.out, []string{n.first()}, attrInt("axis", n.int("dim", -1)))
		return nil
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
