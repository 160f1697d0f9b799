package export

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/proto"

	torch "github.com/wangkuiyi/gotorch"

	onnx "github.com/wangkuiyi/orrery/export/internal/onnxpb"
)

// Opset is the version of ONNX's operators that models are written in, and
// irVersion that of the file's form; ONNX 1.13 of 2022 brought both.
const (
	Opset     = 18
	irVersion = 8
)

// Names of the model's input and output.
const (
	onnxInput  = "pictures"
	onnxOutput = "logits"
)

// A converter writes a network as an ONNX graph.
type converter struct {
	network *network
	graph   *onnx.GraphProto
	shapes  map[string][]int64 // of the network's values
	written map[string]bool    // weights that are initializers already
	extra   int                // values and constants that the network does not name
}

// onnxModel is the network as an ONNX model. metadata goes into its
// metadata_props.
func (n *network) onnxModel(classes int, metadata map[string]string) (*onnx.ModelProto, error) {
	c := &converter{network: n, graph: &onnx.GraphProto{Name: proto.String("orrery")}, shapes: map[string][]int64{}, written: map[string]bool{}}
	c.shapes[input] = []int64{-1, 3, n.size, n.size}
	for _, node := range n.nodes {
		c.shapes[node.out] = node.shape
	}
	for name, weight := range n.weights {
		c.shapes[name] = weight.Shape()
	}
	if n.preparation != nil {
		c.prepare(n.preparation)
	}
	for _, node := range n.nodes {
		convert := conversions[node.op]
		if convert == nil {
			return nil, fmt.Errorf("the operation %s has no form in ONNX here; export as torchscript", node.op)
		}
		if err := convert(c, node); err != nil {
			return nil, fmt.Errorf("operation %s: %w", node.op, err)
		}
	}
	c.emit("Identity", onnxOutput, []string{n.output})
	c.graph.Input = []*onnx.ValueInfoProto{valueInfo(onnxInput, onnx.TensorProto_FLOAT, "batch", 3, n.size, n.size)}
	if n.preparation != nil {
		c.graph.Input[0] = valueInfo(onnxBytes, onnx.TensorProto_UINT8, "batch", "side", "side", 3)
	}
	c.graph.Output = []*onnx.ValueInfoProto{valueInfo(onnxOutput, onnx.TensorProto_FLOAT, "batch", int64(classes))}
	m := &onnx.ModelProto{
		IrVersion:    proto.Int64(irVersion),
		ProducerName: proto.String("orrery"),
		OpsetImport:  []*onnx.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(Opset)}},
		Graph:        c.graph,
	}
	for _, key := range sortedKeys(metadata) {
		m.MetadataProps = append(m.MetadataProps, &onnx.StringStringEntryProto{Key: proto.String(key), Value: proto.String(metadata[key])})
	}
	return m, nil
}

// valueInfo describes a tensor, whose dimensions are names (open sizes) and numbers.
func valueInfo(name string, kind onnx.TensorProto_DataType, dims ...any) *onnx.ValueInfoProto {
	shape := &onnx.TensorShapeProto{}
	for _, dim := range dims {
		d := &onnx.TensorShapeProto_Dimension{}
		switch dim := dim.(type) {
		case string:
			d.Value = &onnx.TensorShapeProto_Dimension_DimParam{DimParam: dim}
		case int:
			d.Value = &onnx.TensorShapeProto_Dimension_DimValue{DimValue: int64(dim)}
		case int64:
			d.Value = &onnx.TensorShapeProto_Dimension_DimValue{DimValue: dim}
		}
		shape.Dim = append(shape.Dim, d)
	}
	return &onnx.ValueInfoProto{Name: proto.String(name), Type: &onnx.TypeProto{Value: &onnx.TypeProto_TensorType{
		TensorType: &onnx.TypeProto_Tensor{ElemType: proto.Int32(int32(kind)), Shape: shape},
	}}}
}

// emit adds an ONNX node that makes out of the inputs; "" is an input left out.
func (c *converter) emit(op, out string, inputs []string, attributes ...*onnx.AttributeProto) string {
	if out == "" {
		out = c.fresh()
	}
	for _, name := range inputs {
		c.weight(name)
	}
	for len(inputs) > 0 && inputs[len(inputs)-1] == "" {
		inputs = inputs[:len(inputs)-1]
	}
	c.graph.Node = append(c.graph.Node, &onnx.NodeProto{
		OpType: proto.String(op), Name: proto.String(out), Input: inputs, Output: []string{out}, Attribute: attributes,
	})
	return out
}

func (c *converter) fresh() string {
	c.extra++
	return fmt.Sprintf("t%d", c.extra)
}

// weight sees to it that a weight that is read is among the initializers.
func (c *converter) weight(name string) {
	t, ok := c.network.weights[name]
	if !ok || c.written[name] {
		return
	}
	c.written[name] = true
	c.initializer(name, t.Shape(), torch.Values[float32](t.To(torch.NewDevice("cpu"), torch.Float)))
}

func (c *converter) initializer(name string, shape []int64, values any) {
	t := &onnx.TensorProto{Name: proto.String(name), Dims: shape}
	switch values := values.(type) {
	case []float32:
		t.DataType = proto.Int32(int32(onnx.TensorProto_FLOAT))
		for _, v := range values {
			t.RawData = binary.LittleEndian.AppendUint32(t.RawData, math.Float32bits(v))
		}
	case []int64:
		t.DataType = proto.Int32(int32(onnx.TensorProto_INT64))
		for _, v := range values {
			t.RawData = binary.LittleEndian.AppendUint64(t.RawData, uint64(v))
		}
	}
	c.graph.Initializer = append(c.graph.Initializer, t)
}

// integers adds a constant vector.
func (c *converter) integers(values ...int64) string {
	name := c.fresh()
	c.initializer(name, []int64{int64(len(values))}, values)
	return name
}

// scalar adds a constant float32 without dimensions.
func (c *converter) scalar(x float64) string {
	name := c.fresh()
	c.initializer(name, nil, []float32{float32(x)})
	return name
}

// matrix adds a constant float32 matrix.
func (c *converter) matrix(rows [][]float32) string {
	name := c.fresh()
	var flat []float32
	for _, row := range rows {
		flat = append(flat, row...)
	}
	c.initializer(name, []int64{int64(len(rows)), int64(len(rows[0]))}, flat)
	return name
}

func attrInt(name string, v int64) *onnx.AttributeProto {
	return &onnx.AttributeProto{Name: proto.String(name), Type: onnx.AttributeProto_INT.Enum(), I: proto.Int64(v)}
}

func attrInts(name string, v ...int64) *onnx.AttributeProto {
	return &onnx.AttributeProto{Name: proto.String(name), Type: onnx.AttributeProto_INTS.Enum(), Ints: v}
}

func attrFloat(name string, v float64) *onnx.AttributeProto {
	return &onnx.AttributeProto{Name: proto.String(name), Type: onnx.AttributeProto_FLOAT.Enum(), F: proto.Float32(float32(v))}
}

func attrString(name, v string) *onnx.AttributeProto {
	return &onnx.AttributeProto{Name: proto.String(name), Type: onnx.AttributeProto_STRING.Enum(), S: []byte(strings.Clone(v))}
}
