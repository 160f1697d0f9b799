package models

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wangkuiyi/gotorch/nn"
)

// Layers are a network as a plain list, as a .yaml file holds it under the key
// "layers":
//
//	layers:
//	  - conv: {out: 32, kernel: 3, stride: 2}
//	  - batchnorm
//	  - relu
//	  - adaptive_avgpool
//	  - flatten
//	  - linear: {out: classes}
//
// The number of input channels or features is that of the layer before. The
// parameters are called 0.weight, 0.bias, 1.weight, ..., as in PyTorch's Sequential.
type Layers []Layer

// A Layer is one entry: a type and its settings. Which of them count depends on the type.
type Layer struct {
	Type string `yaml:"-"`
	// Out is the number of output channels of conv, features of linear: a number, or "classes".
	Out string `yaml:"out,omitempty"`
	// Kernel, Stride, Padding, Dilation of conv, maxpool and avgpool, in pixels. Left out, the stride is 1
	// for conv and the kernel for pools; the padding is kernel/2 for conv and 0 for pools.
	Kernel   int64  `yaml:"kernel,omitempty"`
	Stride   int64  `yaml:"stride,omitempty"`
	Padding  *int64 `yaml:"padding,omitempty"`
	Dilation int64  `yaml:"dilation,omitempty"`
	// Groups of conv: a number, or "channels" for a depthwise one.
	Groups string `yaml:"groups,omitempty"`
	// Bias of conv and linear; true when left out.
	Bias *bool `yaml:"bias,omitempty"`
	// P is the probability of dropout.
	P float64 `yaml:"p,omitempty"`
	// Size is the side of adaptive_avgpool's and adaptive_maxpool's output; 1 when left out.
	Size int64 `yaml:"size,omitempty"`
}

// LayerTypes lists the types that a layer file may name.
func LayerTypes() []string {
	return append([]string{"conv", "linear", "batchnorm", "maxpool", "avgpool", "adaptive_avgpool", "adaptive_maxpool", "dropout", "flatten"}, ActivationNames()...)
}

// ReadLayers reads a .yaml file of layers.
func ReadLayers(path string) (Layers, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	var file struct {
		Layers Layers `yaml:"layers"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("model %s: %s", path, strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", ""))
	}
	if len(file.Layers) == 0 {
		return nil, fmt.Errorf("model %s: it has no layers; a layer file is a list under the key layers", path)
	}
	return file.Layers, nil
}

// UnmarshalYAML reads a type alone, or a type with its settings.
func (l *Layer) UnmarshalYAML(node *yaml.Node) error {
	at := func(err error) error { return fmt.Errorf("line %d: %w", node.Line, err) }
	var settings *yaml.Node
	switch {
	case node.Kind == yaml.ScalarNode:
		l.Type = node.Value
	case node.Kind == yaml.MappingNode && len(node.Content) == 2:
		l.Type, settings = node.Content[0].Value, node.Content[1]
	default:
		return at(errors.New("a layer is a type, or a type with its settings, such as conv: {out: 32, kernel: 3}"))
	}
	if !slices.Contains(LayerTypes(), l.Type) {
		return at(fmt.Errorf("layer %q is not known; it must be one of %s", l.Type, strings.Join(LayerTypes(), ", ")))
	}
	if settings == nil {
		return nil
	}
	text, err := yaml.Marshal(settings)
	if err != nil {
		return at(err)
	}
	type plain Layer // without this method
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode((*plain)(l)); err != nil {
		message := strings.TrimSpace(err.Error()[strings.LastIndex(err.Error(), ": ")+2:])
		return at(fmt.Errorf("%s: %s", l.Type, strings.TrimSuffix(message, " in type models.plain")))
	}
	return nil
}

// MarshalYAML writes what UnmarshalYAML reads.
func (l Layer) MarshalYAML() (any, error) {
	type plain Layer
	if empty := (Layer{Type: l.Type}); l == empty {
		return l.Type, nil
	}
	return map[string]any{l.Type: plain(l)}, nil
}

// maps follows the shape of what flows through the layers.
type maps struct {
	channels, side int64 // side 0 after flatten: channels features
	size           int64 // of the pictures
}

// build makes the network; the last linear or convolution with its followers is the head.
func (ls Layers) build(o Options) (*network, error) {
	if o.Size < 1 {
		return nil, fmt.Errorf("size is %d pixels; a network of layers needs the pictures' size", o.Size)
	}
	at := maps{channels: 3, side: int64(o.Size), size: int64(o.Size)}
	var modules []nn.IModule
	var names []string
	var cut []int
	for i, l := range ls {
		m, err := l.module(&at, int64(o.Classes))
		if err != nil {
			return nil, fmt.Errorf("layer %d (%s): %w", i, l.Type, err)
		}
		if l.Type == "conv" || l.Type == "linear" {
			if len(names) > 0 {
				cut = append(cut, len(modules))
			}
			names = append(names, fmt.Sprintf("%d-%s", i, l.Type))
		}
		modules = append(modules, m)
	}
	switch {
	case len(names) == 0:
		return nil, errors.New("no layer has weights; it needs a conv or linear")
	case at.side != 0:
		return nil, fmt.Errorf("the last layer gives maps of %dx%d pixels; end with flatten, or adaptive_avgpool and flatten", at.side, at.side)
	case at.channels != int64(o.Classes):
		return nil, fmt.Errorf("the last layer gives %d values a picture, but there are %d classes; write out: classes in the last conv or linear", at.channels, o.Classes)
	}
	return layerwise(nn.Sequential(modules...), names, append(cut, len(modules))), nil
}

// IsLayerFile tells whether a model's name is that of a layer file.
func IsLayerFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}
