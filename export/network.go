package export

import (
	"fmt"
	"slices"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// A network is a model in evaluation mode as plain data flow, from pictures to logits. Its tensors
// belong to the scope that was open when it was recorded.
type network struct {
	nodes   []*node                 // in the order they run
	weights map[string]torch.Tensor // what the nodes read beside each other's results, by value
	size    int64                   // pictures are float32 [N, 3, size, size]
	output  string                  // the value that holds the logits [N, classes]
	// preparation comes before the nodes in an ONNX model; nil: nothing does.
	preparation *preparation
}

// The value that holds the pictures.
const input = "pictures"

// A node is one operation. Of several results only the first is used.
type node struct {
	op   string           // libtorch's name without "aten::", and without the underscore of its form in place
	args []torch.GraphArg // in the order of libtorch's schema; none is a place in Graph.Constants
	out  string
	more int // results beside the first
	// shape is that of the result; -1 stands for a dimension that depends on how many pictures there are.
	shape []int64
}

// A recordable is what is needed of a models.Model to record it.
type recordable interface {
	Logits(x torch.Tensor) torch.Tensor
	Named() []nn.NamedTensor
}

// record follows the model from pictures of size x size pixels to logits. The
// model must be in evaluation mode.
//
// It does so with two pictures and with three: what differs between the two
// depends on the batch and is kept open.
func record(model recordable, size int64) (*network, error) {
	two, err := trace(model, 2, size)
	if err != nil {
		return nil, err
	}
	three, err := trace(model, 3, size)
	if err != nil {
		return nil, err
	}
	if len(two.Nodes) != len(three.Nodes) {
		return nil, fmt.Errorf("the network does other things with three pictures than with two")
	}
	n := &network{weights: map[string]torch.Tensor{}, size: size}
	names := map[string]string{two.Inputs[0]: input}
	for i, named := range model.Named() {
		names[two.Inputs[i+1]] = named.Name
		n.weights[named.Name] = named.Tensor
	}
	for i, c := range two.Constants {
		n.weights[constantName(i)] = c
	}
	for i := range two.Nodes {
		if err := n.add(two.Nodes[i], three.Nodes[i], names); err != nil {
			return nil, err
		}
	}
	n.output = names[two.Output]
	if err := n.precompute(); err != nil {
		return nil, err
	}
	n.prune()
	if len(n.nodes) == 0 || !n.reads(input) {
		return nil, fmt.Errorf("the recorded network does not depend on its pictures")
	}
	return n, nil
}

func constantName(i int) string { return fmt.Sprintf("constant.%d", i) }

// trace records the model on count black pictures.
func trace(model recordable, count, size int64) (graph *torch.Graph, err error) {
	err = torch.Try(func() {
		torch.NoGrad(func() {
			inputs := []torch.Tensor{torch.Zeros([]int64{count, 3, size, size}, false)}
			for _, named := range model.Named() {
				inputs = append(inputs, named.Tensor)
			}
			graph = torch.Record(inputs, func() torch.Tensor { return model.Logits(inputs[0]) })
		})
	})
	return graph, err
}

// nothing are operations that change no value in evaluation mode.
var nothing = []string{"dropout", "feature_dropout", "alpha_dropout", "contiguous", "detach", "alias", "clone", "to", "lift_fresh"}

// shaped are operations whose argument of that name is the shape of their result.
var shaped = map[string]string{"view": "size", "_unsafe_view": "size", "reshape": "shape"}

// add takes in an operation as recorded with two pictures and with three.
func (n *network) add(two, three torch.GraphNode, names map[string]string) error {
	op := strings.TrimPrefix(two.Op, "aten::")
	if two.Op != three.Op || len(two.Args) != len(three.Args) || len(two.Out) == 0 || two.Shapes[0] == nil {
		return fmt.Errorf("the operation %s cannot be exported", op)
	}
	op = strings.TrimSuffix(op, "_")
	args := make([]torch.GraphArg, len(two.Args))
	for i := range args {
		var err error
		if args[i], err = rename(two.Args[i], names); err != nil {
			return fmt.Errorf("the operation %s %w", op, err)
		}
	}
	if op == "_convolution" { // what the tracer makes of conv2d
		var err error
		if args, err = plainConvolution(args, len(two.Shapes[0])); err != nil {
			return err
		}
		op = "conv2d"
	}
	if slices.Contains(nothing, op) {
		if training(args) {
			return fmt.Errorf("the operation %s runs as in training", op)
		}
		names[two.Out[0]] = args[0].Value
		return nil
	}
	shape := slices.Clone(two.Shapes[0])
	for i, s := range three.Shapes[0] {
		if shape[i] != s {
			shape[i] = -1
		}
	}
	for i := range args {
		if args[i].Name == shaped[op] && args[i].IsList {
			args[i].List = intArgs(shape)
		} else if !sameLiterals(two.Args[i], three.Args[i]) {
			return fmt.Errorf("the operation %s has the number of pictures in its argument %s", op, args[i].Name)
		}
	}
	out := fmt.Sprintf("v%d", len(names))
	names[two.Out[0]] = out
	n.nodes = append(n.nodes, &node{op: op, args: args, out: out, more: len(two.Out) - 1, shape: shape})
	return nil
}

// plainConvolution gives the arguments of conv2d for those of _convolution.
func plainConvolution(args []torch.GraphArg, dims int) ([]torch.GraphArg, error) {
	n := node{args: args}
	if dims != 4 || n.bool("transposed") {
		return nil, fmt.Errorf("transposed convolutions and those of other than pictures cannot be exported")
	}
	var kept []torch.GraphArg
	for _, name := range []string{"input", "weight", "bias", "stride", "padding", "dilation", "groups"} {
		i := slices.IndexFunc(args, func(a torch.GraphArg) bool { return a.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("a convolution was recorded without %s", name)
		}
		kept = append(kept, args[i])
	}
	return kept, nil
}

// training tells whether an operation was called with train=True.
func training(args []torch.GraphArg) bool {
	for _, a := range args {
		if a.Name == "train" && a.Bool != nil {
			return *a.Bool
		}
	}
	return false
}

// rename puts the network's own names for values and constants into an argument.
func rename(a torch.GraphArg, names map[string]string) (torch.GraphArg, error) {
	if a.Constant != nil {
		a.Value, a.Constant = constantName(*a.Constant), nil
	} else if a.Value != "" {
		name, ok := names[a.Value]
		if !ok {
			return a, fmt.Errorf("reads a second result of another, which cannot be exported")
		}
		a.Value = name
	}
	a.List = slices.Clone(a.List)
	for i := range a.List {
		var err error
		if a.List[i], err = rename(a.List[i], names); err != nil {
			return a, err
		}
	}
	return a, nil
}

// sameLiterals compares the numbers of two arguments.
func sameLiterals(a, b torch.GraphArg) bool {
	return equal(a.Int, b.Int) && equal(a.Float, b.Float) && equal(a.Bool, b.Bool) && equal(a.String, b.String) &&
		slices.EqualFunc(a.List, b.List, sameLiterals)
}

func equal[T comparable](a, b *T) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

func intArgs(values []int64) []torch.GraphArg {
	list := make([]torch.GraphArg, len(values))
	for i := range values {
		list[i].Int = &values[i]
	}
	return list
}

// prune leaves out what the logits do not depend on.
func (n *network) prune() {
	needed := map[string]bool{n.output: true}
	kept := n.nodes[:0:0]
	for _, node := range slices.Backward(n.nodes) {
		if needed[node.out] {
			kept = append(kept, node)
			for value := range node.values() {
				needed[value] = true
			}
		}
	}
	slices.Reverse(kept)
	n.nodes = kept
	for name := range n.weights {
		if !needed[name] {
			delete(n.weights, name)
		}
	}
}

// reads tells whether any operation reads the value.
func (n *network) reads(value string) bool { return len(n.users(value)) > 0 }

// users lists the operations that read the value.
func (n *network) users(value string) []*node {
	var list []*node
	for _, node := range n.nodes {
		for v := range node.values() {
			if v == value {
				list = append(list, node)
				break
			}
		}
	}
	return list
}

// maker is the operation that makes the value; nil of pictures and weights.
func (n *network) maker(value string) *node {
	for _, node := range n.nodes {
		if node.out == value {
			return node
		}
	}
	return nil
}
