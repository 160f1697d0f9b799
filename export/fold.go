package export

import (
	"fmt"
	"slices"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
)

// fold takes every BatchNorm out of the network. In evaluation it is an affine
// map y = a*x + c of each channel, a = weight/sqrt(running_var+eps) and
// c = bias - running_mean*a, which goes
//
//   - into the convolution before it: a scales its weight and bias;
//   - or into the convolutions after it, as in fastai's order of ReLU and
//     BatchNorm: a scales their weights; what c adds depends on how much of the
//     kernel lies in the padding, so it becomes a constant picture [1, K, H, W];
//   - or, where there is neither, stays as a multiplication and an addition.
//
// The arithmetic is done in float64 and rounded once.
func (n *network) fold() error {
	return torch.Try(func() {
		torch.NoGrad(func() {
			for _, norm := range slices.Clone(n.nodes) {
				if norm.op == "batch_norm" {
					n.foldOne(norm)
				}
			}
		})
		n.prune()
	})
}

func (n *network) foldOne(norm *node) {
	scale, shift := n.affine(norm)
	in := norm.value("input")
	if before := n.maker(in); before != nil && before.op == "conv2d" && len(n.users(in)) == 1 && n.weights[before.value("weight")].Defined() {
		n.foldIntoBefore(before, scale, shift)
		n.replace(norm.out, in)
		return
	}
	after := n.users(norm.out)
	if norm.out != n.output && len(after) > 0 && !slices.ContainsFunc(after, func(u *node) bool { return !n.absorbs(u, norm.out) }) {
		for _, conv := range after {
			n.foldIntoAfter(conv, norm, scale, shift)
		}
		n.replace(norm.out, in)
		return
	}
	n.spellOut(norm, in, scale, shift)
}

// affine gives BatchNorm's a and c, float64 [channels].
func (n *network) affine(norm *node) (scale, shift torch.Tensor) {
	variance, mean := n.double(norm.value("running_var")), n.double(norm.value("running_mean"))
	scale = torch.Rsqrt(torch.AddScalar(variance, norm.numberOr("eps", 1e-5)))
	if weight := norm.value("weight"); weight != "" {
		scale = torch.Mul(scale, n.double(weight))
	}
	shift = torch.Neg(torch.Mul(mean, scale))
	if bias := norm.value("bias"); bias != "" {
		shift = torch.Add(shift, n.double(bias), 1)
	}
	return scale, shift
}

// double is a weight in float64, contiguous.
func (n *network) double(name string) torch.Tensor {
	return n.weights[name].To(torch.NewDevice("cpu"), torch.Double)
}

// keep stores a weight that stands in the place of the one of that name, rounded
// to float32, and gives its own name.
func (n *network) keep(name string, t torch.Tensor) string {
	base, _, _ := strings.Cut(name, ".folded")
	name = base + ".folded"
	for i := 2; n.weights[name].Defined(); i++ {
		name = fmt.Sprintf("%s.folded%d", base, i)
	}
	n.weights[name] = t.To(torch.NewDevice("cpu"), torch.Float)
	return name
}

// biasName is what the bias of a convolution is called after its weight.
func biasName(conv *node) string {
	return strings.Replace(conv.value("weight"), "weight", "bias", 1)
}

func (n *network) foldIntoBefore(conv *node, scale, shift torch.Tensor) {
	weight := n.double(conv.value("weight"))
	k := weight.Shape()[0]
	bias := shift
	if b := conv.value("bias"); b != "" {
		bias = torch.Add(torch.Mul(n.double(b), scale), shift, 1)
	}
	conv.set("weight", n.keep(conv.value("weight"), torch.Mul(weight, scale.View(k, 1, 1, 1))))
	conv.set("bias", n.keep(biasName(conv), bias))
}

// absorbs tells whether a user of a BatchNorm's result is a convolution that its map can go into.
func (n *network) absorbs(u *node, value string) bool {
	return u.op == "conv2d" && u.value("input") == value && n.weights[u.value("weight")].Defined()
}

func (n *network) foldIntoAfter(conv, norm *node, scale, shift torch.Tensor) {
	weight := n.double(conv.value("weight"))
	shape, groups := weight.Shape(), conv.int("groups", 1)
	// Output channel k reads the input channels of its group.
	perOutput := func(v torch.Tensor) torch.Tensor {
		return torch.RepeatInterleave(v.View(groups, 1, shape[1], 1, 1), shape[0]/groups, 1).View(shape[0], shape[1], 1, 1)
	}
	scaled := torch.Mul(weight, perOutput(scale))
	height, width := norm.shape[2], norm.shape[3]
	constant := torch.Expand(shift.View(1, -1, 1, 1), []int64{1, norm.shape[1], height, width})
	stride, padding, dilation := conv.pair("stride", 1), conv.pair("padding", 0), conv.pair("dilation", 1)
	picture := torch.Conv2d(constant, weight, torch.Tensor{}, stride[:], padding[:], dilation[:], groups)
	if b := conv.value("bias"); b != "" {
		picture = torch.Add(picture, n.double(b).View(1, -1, 1, 1), 1)
	}
	conv.set("weight", n.keep(conv.value("weight"), scaled))
	if padding == [2]int64{} { // the same everywhere
		conv.set("bias", n.keep(biasName(conv), torch.Select(torch.Select(picture, 3, 0), 2, 0).View(-1)))
		return
	}
	conv.set("bias", "")
	raw := conv.out + "raw"
	one := int64(1)
	add := &node{op: "add", out: conv.out, shape: conv.shape, args: []torch.GraphArg{
		{Name: "self", Value: raw}, {Name: "other", Value: n.keep(biasName(conv), picture)}, {Name: "alpha", Int: &one},
	}}
	conv.out = raw
	at := slices.Index(n.nodes, conv)
	n.nodes = slices.Insert(n.nodes, at+1, add)
}

// spellOut replaces the normalisation by a multiplication and an addition.
func (n *network) spellOut(norm *node, in string, scale, shift torch.Tensor) {
	shape := []int64{1, -1}
	for range len(norm.shape) - 2 {
		shape = append(shape, 1)
	}
	one := int64(1)
	scaled := norm.out + "scaled"
	name := norm.value("running_mean")
	at := slices.Index(n.nodes, norm)
	n.nodes = slices.Replace(n.nodes, at, at+1,
		&node{op: "mul", out: scaled, shape: norm.shape, args: []torch.GraphArg{
			{Name: "self", Value: in}, {Name: "other", Value: n.keep(name, scale.View(shape...))},
		}},
		&node{op: "add", out: norm.out, shape: norm.shape, args: []torch.GraphArg{
			{Name: "self", Value: scaled}, {Name: "other", Value: n.keep(name, shift.View(shape...))}, {Name: "alpha", Int: &one},
		}})
}

// replace has every user of one value read another.
func (n *network) replace(old, new string) {
	if n.output == old {
		n.output = new
	}
	for _, node := range n.nodes {
		substitute(node.args, old, new)
	}
	n.nodes = slices.DeleteFunc(n.nodes, func(node *node) bool { return node.out == old })
}

func substitute(args []torch.GraphArg, old, new string) {
	for i := range args {
		if args[i].Value == old {
			args[i].Value = new
		}
		substitute(args[i].List, old, new)
	}
}
