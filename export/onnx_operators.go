package export

import (
	"fmt"
	"strconv"
	"strings"

	onnx "github.com/wangkuiyi/orrery/export/internal/onnxpb"
)

// operators write an ONNX operator in TorchScript.
var operators map[string]func(call) string

func init() {
	operators = map[string]func(call) string{
		"Conv": func(c call) string {
			p := c.padding()
			return fmt.Sprintf("torch.conv2d(%s, %s, %s, %s, %s, %s, %d)", c.in(0), c.in(1), c.in(2),
				ints(c.ints("strides", 1, 1)), ints(p), ints(c.ints("dilations", 1, 1)), c.int("group", 1))
		},
		"Gemm": func(c call) string {
			a, b := c.in(0), c.in(1)
			if c.int("transA", 0) != 0 {
				a = "torch.t(" + a + ")"
			}
			if c.int("transB", 0) != 0 {
				b = "torch.t(" + b + ")"
			}
			y := fmt.Sprintf("torch.matmul(%s, %s) * %s", a, b, c.float("alpha", 1))
			if bias := c.in(2); bias != "None" {
				y += fmt.Sprintf(" + %s * %s", bias, c.float("beta", 1))
			}
			return y
		},
		"MatMul": plain("torch.matmul(%s, %s)"), "Add": plain("%s + %s"), "Sub": plain("%s - %s"), "Mul": plain("%s * %s"),
		"Div": plain("%s / %s"), "Pow": plain("torch.pow(%s, %s)"), "Max": plain("torch.maximum(%s, %s)"), "Min": plain("torch.minimum(%s, %s)"),
		"Identity": plain("%s"), "Relu": plain("torch.relu(%s)"), "Sigmoid": plain("torch.sigmoid(%s)"), "Tanh": plain("torch.tanh(%s)"),
		"HardSwish": plain("torch.hardswish(%s)"), "Softplus": plain("torch.softplus(%s)"), "Neg": plain("torch.neg(%s)"),
		"Abs": plain("torch.abs(%s)"), "Exp": plain("torch.exp(%s)"), "Log": plain("torch.log(%s)"), "Sqrt": plain("torch.sqrt(%s)"),
		"Erf": plain("torch.erf(%s)"), "Reciprocal": plain("torch.reciprocal(%s)"), "Selu": plain("torch.selu(%s)"),
		"PRelu": func(c call) string {
			return fmt.Sprintf("torch.where(%s < 0, %s * %s, %s)", c.in(0), c.in(0), c.in(1), c.in(0))
		},
		"Elu":       func(c call) string { return fmt.Sprintf("torch.elu(%s, %s)", c.in(0), c.float("alpha", 1)) },
		"Celu":      func(c call) string { return fmt.Sprintf("torch.celu(%s, %s)", c.in(0), c.float("alpha", 1)) },
		"LeakyRelu": func(c call) string { return fmt.Sprintf("torch.leaky_relu(%s, %s)", c.in(0), c.float("alpha", 0.01)) },
		"HardSigmoid": func(c call) string {
			return fmt.Sprintf("torch.clamp(%s * %s + %s, 0., 1.)", c.in(0), c.float("alpha", 0.2), c.float("beta", 0.5))
		},
		"Clip":       func(c call) string { return fmt.Sprintf("torch.clamp(%s, min=%s, max=%s)", c.in(0), c.in(1), c.in(2)) },
		"Softmax":    func(c call) string { return fmt.Sprintf("torch.softmax(%s, %d)", c.in(0), c.int("axis", -1)) },
		"LogSoftmax": func(c call) string { return fmt.Sprintf("torch.log_softmax(%s, %d)", c.in(0), c.int("axis", -1)) },
		"MaxPool": func(c call) string {
			return fmt.Sprintf("torch.max_pool2d(%s, %s, %s, %s, %s, %s)", c.in(0), ints(c.ints("kernel_shape")),
				ints(c.ints("strides", 1, 1)), ints(c.padding()), ints(c.ints("dilations", 1, 1)), truth(c.int("ceil_mode", 0)))
		},
		"AveragePool": func(c call) string {
			return fmt.Sprintf("torch.avg_pool2d(%s, %s, %s, %s, %s, %s)", c.in(0), ints(c.ints("kernel_shape")),
				ints(c.ints("strides", 1, 1)), ints(c.padding()), truth(c.int("ceil_mode", 0)), truth(c.int("count_include_pad", 0)))
		},
		"GlobalAveragePool": plain("torch.mean(%s, [2, 3], True)"), "GlobalMaxPool": plain("torch.amax(%s, [2, 3], True)"),
		"LayerNormalization": func(c call) string {
			return fmt.Sprintf("torch.layer_norm(%s, %s, %s, %s, %s)", c.in(0), ints(c.e.shapes[c.node.Input[1]]), c.in(1), c.in(2), c.float("epsilon", 1e-5))
		},
		"InstanceNormalization": func(c call) string {
			return fmt.Sprintf("torch.instance_norm(%s, %s, %s, None, None, True, 0., %s, False)", c.in(0), c.in(1), c.in(2), c.float("epsilon", 1e-5))
		},
		"ReduceMean": reduction("mean"), "ReduceSum": reduction("sum"), "ReduceMax": reduction("amax"), "ReduceMin": reduction("amin"),
		"Reshape": func(c call) string {
			var sizes []string
			for i, s := range c.list(1) {
				if s == 0 {
					sizes = append(sizes, fmt.Sprintf("torch.size(%s, %d)", c.in(0), i))
				} else {
					sizes = append(sizes, strconv.FormatInt(s, 10))
				}
			}
			return fmt.Sprintf("torch.reshape(%s, [%s])", c.in(0), strings.Join(sizes, ", "))
		},
		"Transpose": func(c call) string { return fmt.Sprintf("torch.permute(%s, %s)", c.in(0), ints(c.ints("perm"))) },
		"Concat": func(c call) string {
			var list []string
			for i := range c.node.Input {
				list = append(list, c.in(i))
			}
			return fmt.Sprintf("torch.cat([%s], %d)", strings.Join(list, ", "), c.int("axis", 0))
		},
		"Gather": func(c call) string {
			if len(c.list(1)) != 1 || len(c.e.shapes[c.node.Input[1]]) != 0 {
				c.fail("its index is not one number")
				return ""
			}
			return fmt.Sprintf("torch.select(%s, %d, %d)", c.in(0), c.int("axis", 0), c.list(1)[0])
		},
		"Slice": func(c call) string {
			y, starts, ends, axes, steps := c.in(0), c.list(1), c.list(2), c.list(3), c.list(4)
			for i, axis := range axes {
				y = fmt.Sprintf("torch.slice(%s, %d, %d, %d, %d)", y, axis, starts[i], ends[i], steps[i])
			}
			return y
		},
		"Expand": func(c call) string {
			sizes := append([]int64(nil), c.list(1)...)
			for i, s := range sizes {
				if s == 1 {
					sizes[i] = -1
				}
			}
			return fmt.Sprintf("torch.expand(%s, %s)", c.in(0), ints(sizes))
		},
		"Pad": padded, "Resize": resized, "Round": plain("torch.round(%s)"),
		"Cast": func(c call) string {
			if to := c.int("to", 0); to != int64(onnx.TensorProto_FLOAT) {
				c.fail("it casts to type %d; expected FLOAT", to)
			}
			return fmt.Sprintf("torch._cast_Float(%s)", c.in(0))
		},
	}
}

// resized is a resize with antialiasing to constant sizes of height and width.
func resized(c call) string {
	sizes, axes := c.list(3), c.ints("axes")
	if len(sizes) != 2 || len(axes) != 2 || axes[0] != 2 || axes[1] != 3 || c.int("antialias", 0) != 1 || c.text("coordinate_transformation_mode", "half_pixel") != "half_pixel" {
		c.fail("expected a resize of height and width to constant sizes, half_pixel, with antialiasing")
	}
	op := map[string]string{"linear": "_upsample_bilinear2d_aa", "cubic": "_upsample_bicubic2d_aa"}[c.text("mode", "nearest")]
	if op == "" || op == "_upsample_bicubic2d_aa" && c.float("cubic_coeff_a", -0.75) != float(-0.5) {
		c.fail("its mode is neither linear nor cubic with -0.5")
	}
	return fmt.Sprintf("torch.%s(%s, %s, False)", op, c.in(0), ints(sizes))
}

// plain fills operands into a form, each once.
func plain(form string) func(call) string {
	return func(c call) string {
		var operands []any
		for i := range strings.Count(form, "%s") {
			operands = append(operands, c.in(i))
		}
		return fmt.Sprintf(form, operands...)
	}
}

func reduction(op string) func(call) string {
	return func(c call) string {
		axes := c.list(1)
		if len(axes) == 0 {
			c.fail("it has no axes")
		}
		return fmt.Sprintf("torch.%s(%s, %s, %s)", op, c.in(0), ints(axes), truth(c.int("keepdims", 1)))
	}
}

func padded(c call) string {
	pads, mode := c.list(1), "constant"
	if a := c.attributes["mode"]; a != nil {
		mode = string(a.GetS())
	}
	rank := len(pads) / 2
	var list []int64 // the last dimension first, as PyTorch has it
	for i := rank - 1; i >= 0; i-- {
		list = append(list, pads[i], pads[rank+i])
	}
	if mode == "constant" {
		return fmt.Sprintf("torch.constant_pad_nd(%s, %s, %s)", c.in(0), ints(list), float(c.number(2)))
	}
	for _, p := range list[min(4, len(list)):] {
		if p != 0 {
			c.fail("it pads other dimensions than height and width")
		}
	}
	op := map[string]string{"reflect": "reflection_pad2d", "edge": "replication_pad2d"}[mode]
	return fmt.Sprintf("torch.%s(%s, %s)", op, c.in(0), ints(list[:4]))
}

// padding is that of pictures, which must be the same on opposite sides.
func (c call) padding() []int64 {
	p := c.ints("pads", 0, 0, 0, 0)
	if len(p) != 4 || p[0] != p[2] || p[1] != p[3] {
		c.fail("pads are %v; expected the same on opposite sides", p)
		return []int64{0, 0}
	}
	return p[:2]
}

func ints(list []int64) string {
	var text []string
	for _, v := range list {
		text = append(text, strconv.FormatInt(v, 10))
	}
	return "[" + strings.Join(text, ", ") + "]"
}

func truth(v int64) string {
	if v != 0 {
		return "True"
	}
	return "False"
}
