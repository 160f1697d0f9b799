package export

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"

	"google.golang.org/protobuf/proto"

	torch "github.com/wangkuiyi/gotorch"

	onnx "github.com/wangkuiyi/orrery/export/internal/onnxpb"
)

// An evaluator runs an ONNX file with libtorch: it knows nothing of how the
// file was made, reads each operator by its specification
// (https://onnx.ai/onnx/operators) and writes the graph as TorchScript. The
// tests hold it against onnxruntime.
type evaluator struct {
	names    map[string]string       // of values in TorchScript
	integers map[string][]int64      // constant integers
	floats   map[string][]float32    // constant floats
	shapes   map[string][]int64      // of constants
	tensors  map[string]torch.Tensor // constant floats, by their attribute's name
	text     strings.Builder         // the source so far
	err      error
}

// loadONNX reads a model of one input and one output.
func loadONNX(path string) (exported, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var m onnx.ModelProto
	if err := proto.Unmarshal(content, &m); err != nil {
		return nil, fmt.Errorf("%s is no ONNX model: %w", path, err)
	}
	g := m.GetGraph()
	if len(g.GetInput()) != 1 || len(g.GetOutput()) != 1 {
		return nil, fmt.Errorf("%s has %d inputs and %d outputs; expected one of each", path, len(g.GetInput()), len(g.GetOutput()))
	}
	e := &evaluator{names: map[string]string{g.Input[0].GetName(): "pictures"}, integers: map[string][]int64{},
		floats: map[string][]float32{}, shapes: map[string][]int64{}, tensors: map[string]torch.Tensor{}}
	for i, t := range g.GetInitializer() {
		if err := e.constant(i, t); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	e.text.WriteString("def forward(self, pictures):\n")
	for i, n := range g.GetNode() {
		if err := e.node(i, n); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	fmt.Fprintf(&e.text, "    return %s\n", e.names[g.Output[0].GetName()])
	var script *torch.Script
	err = torch.Try(func() { script = torch.DefineScript(e.text.String(), e.tensors) })
	return script, err
}

// constant takes in an initializer.
func (e *evaluator) constant(i int, t *onnx.TensorProto) error {
	name, raw := t.GetName(), t.GetRawData()
	e.shapes[name] = t.GetDims()
	elements := int64(1)
	for _, d := range t.GetDims() {
		elements *= d
	}
	switch kind := onnx.TensorProto_DataType(t.GetDataType()); {
	case kind == onnx.TensorProto_INT64 && int64(len(raw)) == 8*elements:
		values := make([]int64, elements)
		for i := range values {
			values[i] = int64(binary.LittleEndian.Uint64(raw[8*i:]))
		}
		e.integers[name] = values
	case kind == onnx.TensorProto_FLOAT && int64(len(raw)) == 4*elements:
		values := make([]float32, elements)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		attribute := fmt.Sprintf("c%d", i)
		e.floats[name], e.names[name] = values, "self."+attribute
		e.tensors[attribute] = torch.NewTensor(values).Reshape(t.GetDims())
	default:
		return fmt.Errorf("the constant %s is a %v of %d bytes; expected FLOAT or INT64 in raw_data", name, kind, len(raw))
	}
	return nil
}

// A call is one operator with its operands in TorchScript.
type call struct {
	e          *evaluator
	node       *onnx.NodeProto
	attributes map[string]*onnx.AttributeProto
}

func (e *evaluator) node(i int, n *onnx.NodeProto) error {
	c := call{e, n, map[string]*onnx.AttributeProto{}}
	for _, a := range n.GetAttribute() {
		c.attributes[a.GetName()] = a
	}
	operator := operators[n.GetOpType()]
	if operator == nil || n.GetDomain() != "" || len(n.GetOutput()) != 1 {
		return fmt.Errorf("the operator %s of %s is not known here", n.GetOpType(), n.GetName())
	}
	text := operator(c)
	if e.err != nil {
		return fmt.Errorf("%s %s: %w", n.GetOpType(), n.GetName(), e.err)
	}
	name := fmt.Sprintf("n%d", i)
	fmt.Fprintf(&e.text, "    %s = %s\n", name, text)
	e.names[n.GetOutput()[0]] = name
	return nil
}

func (c call) fail(format string, args ...any) {
	if c.e.err == nil {
		c.e.err = fmt.Errorf(format, args...)
	}
}

// in is the operand at a place, None where it is left out.
func (c call) in(i int) string {
	if i >= len(c.node.Input) || c.node.Input[i] == "" {
		return "None"
	}
	name, ok := c.e.names[c.node.Input[i]]
	if !ok {
		c.fail("its operand %s is not a float tensor that was made before", c.node.Input[i])
	}
	return name
}

// list is a constant operand of integers.
func (c call) list(i int) []int64 {
	if i >= len(c.node.Input) || c.node.Input[i] == "" {
		return nil
	}
	values, ok := c.e.integers[c.node.Input[i]]
	if !ok {
		c.fail("its operand %s is no constant of integers", c.node.Input[i])
	}
	return values
}

// number is a constant operand of one float.
func (c call) number(i int) float64 {
	if i >= len(c.node.Input) || c.node.Input[i] == "" {
		return 0
	}
	values := c.e.floats[c.node.Input[i]]
	if len(values) != 1 {
		c.fail("its operand %s is not one constant number", c.node.Input[i])
		return 0
	}
	return float64(values[0])
}

func (c call) int(name string, otherwise int64) int64 {
	if a := c.attributes[name]; a != nil {
		return a.GetI()
	}
	return otherwise
}

func (c call) ints(name string, otherwise ...int64) []int64 {
	if a := c.attributes[name]; a != nil {
		return a.GetInts()
	}
	return otherwise
}

func (c call) text(name, otherwise string) string {
	if a := c.attributes[name]; a != nil {
		return string(a.GetS())
	}
	return otherwise
}

func (c call) float(name string, otherwise float64) string {
	if a := c.attributes[name]; a != nil {
		otherwise = float64(a.GetF())
	}
	return float(otherwise)
}
