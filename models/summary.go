package models

import (
	"fmt"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
)

// A Row is one layer of a summary.
type Row struct {
	Layer      string  `json:"layer"` // PyTorch's name of the module
	Name       string  `json:"name"`  // of its first parameter, without .weight; "" for none
	Output     []int64 `json:"output_shape"`
	Parameters int64   `json:"parameters"`
	Trainable  bool    `json:"trainable"`
	MACs       int64   `json:"macs"`    // multiply-adds for one picture
	Formula    string  `json:"formula"` // how the output's side comes about; "" where it stays
}

// A Summary is what a network is made of, at one size of pictures.
type Summary struct {
	Rows       []Row `json:"layers"`
	Parameters int64 `json:"parameters"`
	Trainable  int64 `json:"trainable_parameters"`
	MACs       int64 `json:"macs"` // of convolutions and linear layers, for one picture
}

// Summarize sends one picture of size x size pixels through the model and
// notes what every layer did. The model must be on the CPU.
func Summarize(m Model, size int) (*Summary, error) {
	s := &Summary{}
	names := map[nn.IModule]string{}
	for _, n := range m.Named() {
		if !n.Buffer {
			s.Parameters += n.Tensor.Numel()
			if n.Tensor.RequiresGrad() {
				s.Trainable += n.Tensor.Numel()
			}
		}
	}
	nameLayers(m, names)
	var removes []func()
	training := m.IsTraining()
	defer func() {
		for _, remove := range removes {
			remove()
		}
		m.Train(training)
	}()
	m.Apply(func(layer nn.IModule) {
		removes = append(removes, layer.(*nn.Module).RegisterForwardHook(func(layer nn.IModule, in, out torch.Tensor) {
			s.add(names[layer], layer, in, out)
		}))
	})
	m.Train(false)
	err := torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		torch.NoGrad(func() { m.Logits(torch.Zeros([]int64{1, 3, int64(size), int64(size)}, false)) })
	})
	if err != nil {
		return nil, fmt.Errorf("pictures of %d pixels do not fit: %w", size, err)
	}
	return s, nil
}

// nameLayers finds what each layer's parameters are called.
func nameLayers(m Model, names map[nn.IModule]string) {
	type named interface{ Named() []nn.NamedTensor }
	called := map[*byte]string{}
	key := func(t torch.Tensor) *byte { return (*byte)(t.DataPtr()) }
	for _, n := range m.Named() {
		called[key(n.Tensor)] = n.Name
	}
	m.Apply(func(inner nn.IModule) {
		outer := inner.(*nn.Module).Outer()
		if list := outer.(named).Named(); len(list) > 0 {
			name := called[key(list[0].Tensor)]
			names[outer] = strings.TrimSuffix(name, "."+list[0].Name)
		}
	})
}

func (s *Summary) add(name string, layer nn.IModule, in, out torch.Tensor) {
	row := Row{Layer: layerName(layer), Name: name, Output: append([]int64{}, out.Shape()...)}
	for _, p := range layer.(interface{ Parameters() []torch.Tensor }).Parameters() {
		row.Parameters += p.Numel()
		row.Trainable = row.Trainable || p.RequiresGrad()
	}
	side := func(kernel, stride, padding, dilation int64) {
		n := in.Shape()[2]
		row.Formula = fmt.Sprintf("floor((%d + 2*%d - %d*(%d-1) - 1)/%d) + 1 = %d", n, padding, dilation, kernel, stride, OutputSide(n, kernel, stride, padding, dilation))
	}
	switch l := layer.(type) {
	case *nn.Conv2dModule:
		row.MACs = out.Numel() * l.InChannels / l.Groups * l.KernelSize * l.KernelSize
		side(l.KernelSize, l.Stride, l.Padding, l.Dilation)
	case *Whitening:
		k := l.Weight.Shape()
		row.MACs = out.Numel() * k[1] * k[2] * k[3]
		side(k[2], 1, 0, 1)
	case *nn.LinearModule:
		row.MACs = out.Numel() * l.InFeatures
	case *nn.MaxPool2dModule:
		side(l.KernelSize, l.Stride, l.Padding, l.Dilation)
	case *nn.AvgPool2dModule:
		side(l.KernelSize, l.Stride, l.Padding, 1)
	}
	s.MACs += row.MACs
	s.Rows = append(s.Rows, row)
}

// layerName is PyTorch's name of a layer's type.
func layerName(layer nn.IModule) string {
	if a, ok := layer.(*nn.ActivationModule); ok {
		return a.Function
	}
	name := layer.Name()
	name = strings.TrimSuffix(name[strings.LastIndex(name, ".")+1:], "Module")
	return strings.ToUpper(name[:1]) + name[1:]
}
