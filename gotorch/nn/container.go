package nn

import (
	"fmt"
	"reflect"

	torch "github.com/wangkuiyi/gotorch"
)

// SequentialModule feeds the output of each of its modules to the next.
type SequentialModule struct {
	Module
	Modules []IModule `gotorch:"-"` // called 0, 1, ... in the state
}

// Sequential returns a chain of modules: torch.nn.Sequential.
func Sequential(modules ...IModule) *SequentialModule {
	s := &SequentialModule{Modules: modules}
	s.Init(s)
	return s
}

// Forward feeds inputs to the first module and returns what the last one returns. Each module has a
// method Forward that takes what the one before returns; most take and return one torch.Tensor.
// Convolutions run together with the ReLU and BatchNorm2d behind them, as torch.ConvChain.
func (s *SequentialModule) Forward(inputs ...interface{}) interface{} {
	must(len(s.Modules) > 0, "an empty Sequential has no Forward")
	modules := s.leaves(nil)
	oneByOne := hooked(modules)
	for i := 0; i < len(modules); {
		if x, ok := single(inputs); ok && !oneByOne {
			if stages, n := chain(modules[i:]); n > 0 {
				inputs = []interface{}{torch.ConvChain(x, stages, torch.Tensor{})}
				i += n
				continue
			}
		}
		inputs = s.forward(i, modules[i], inputs)
		i++
	}
	must(len(inputs) == 1, "the last module of a Sequential must return one value, it returned %d", len(inputs))
	return inputs[0]
}

// single is the one tensor that inputs hold, if they are that.
func single(inputs []interface{}) (torch.Tensor, bool) {
	if len(inputs) != 1 {
		return torch.Tensor{}, false
	}
	x, ok := inputs[0].(torch.Tensor)
	return x, ok
}

func (s *SequentialModule) forward(i int, m IModule, inputs []interface{}) []interface{} {
	if f, ok := m.(interface {
		Forward(torch.Tensor) torch.Tensor
	}); ok {
		if x, ok := single(inputs); ok {
			return append(inputs[:0:0], f.Forward(x))
		}
	}
	f := reflect.ValueOf(m).MethodByName("Forward")
	must(f.IsValid(), "module %d of a Sequential, %T, has no Forward", i, m)
	args := make([]reflect.Value, len(inputs))
	for j, x := range inputs {
		args[j] = reflect.ValueOf(x)
	}
	must(f.Type().IsVariadic() || f.Type().NumIn() == len(args),
		"module %d of a Sequential, %T, takes %d values, it was given %d", i, m, f.Type().NumIn(), len(args))
	var out []interface{}
	for _, r := range f.Call(args) {
		out = append(out, r.Interface())
	}
	return out
}

// String lists the modules with their numbers.
func (s *SequentialModule) String() string {
	text := "Sequential("
	for i, m := range s.Modules {
		text += fmt.Sprintf("\n  (%d): %s", i, m.Name())
	}
	return text + "\n)"
}

// FunctionalModule makes a module of a function.
type FunctionalModule struct {
	Module
	function func(torch.Tensor) torch.Tensor
}

// Functional returns a module whose Forward is f.
func Functional(f func(torch.Tensor) torch.Tensor) *FunctionalModule {
	m := &FunctionalModule{function: f}
	m.Init(m)
	return m
}

// Forward calls the function.
func (f *FunctionalModule) Forward(input torch.Tensor) torch.Tensor {
	return f.forwarded(input, f.function(input))
}
