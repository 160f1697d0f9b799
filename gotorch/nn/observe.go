package nn

import (
	"math"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
)

// An Observer holds statistics of what the layers of a network returned when they last ran in training.
type Observer struct {
	// Names are the layers', as their parameters are named, with their type: 0.0.conv2d.
	Names []string

	modules []*Module
	rows    torch.Tensor // (layers, torch.Statistics) Double on the network's device
}

// Observe has every layer of m that owns parameters, in the order of the fields, keep statistics of its
// output (torch.ActivationStatistics) whenever it runs in training, until Close. Results stay the same
// to the bit, and convolutions stay fused. The statistics belong to the scope that is open.
func Observe(m IModule) *Observer {
	o := &Observer{}
	device, walked := torch.CPU, false
	var walk func(m IModule, prefix string)
	walk = func(m IModule, prefix string) {
		owns := false
		eachPart(m, func(p part) {
			switch {
			case p.module != nil:
				walk(outerOf(p.module), prefix+p.name+".")
			case !p.buffer && !owns:
				owns = true
				module := m.(interface{ base() *Module }).base()
				o.modules = append(o.modules, module)
				o.Names = append(o.Names, prefix+kind(module))
				device = p.value.Interface().(torch.Tensor).Device()
			}
		})
	}
	// A type that wraps a network hands Apply through to it.
	m.Apply(func(n IModule) {
		if !walked {
			walked = true
			walk(n.(*Module).Outer(), "")
		}
	})
	must(len(o.modules) > 0, "%s has no layer with parameters to observe", m.Name())
	o.rows = torch.FullOf([]int64{int64(len(o.modules)), torch.Statistics}, math.NaN(), torch.Double).To(device, torch.Double)
	for i, module := range o.modules {
		module.row = o.rows.Select(0, int64(i))
	}
	return o
}

func (m *Module) base() *Module { return m }

// kind is the module's type as PyTorch calls it, in lower case: nn.Conv2dModule is conv2d.
func kind(m *Module) string {
	name := m.name[strings.LastIndexByte(m.name, '.')+1:]
	return strings.ToLower(strings.TrimSuffix(name, "Module"))
}

// observed is the row to write to now, or none.
func (m *Module) observed() torch.Tensor {
	if !m.isTraining {
		return torch.Tensor{}
	}
	return m.row
}

// Read copies the statistics out, layer by layer; those of a layer that has not run are NaN. It waits
// for the device.
func (o *Observer) Read() []float64 { return torch.Values[float64](o.rows) }

// Close ends the observation.
func (o *Observer) Close() {
	for _, m := range o.modules {
		m.row = torch.Tensor{}
	}
}
