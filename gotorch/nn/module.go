// Package nn builds networks of modules: torch.nn.
//
// A module is a struct that embeds [Module] by value; its fields of the types torch.Tensor (a
// parameter, or a buffer when tagged `gotorch:"buffer"`), of module types, and slices of both are its
// parts. A part is called by its field's name in lower case with underscores (RunningMean becomes
// running_mean), as PyTorch calls it, or by its tag (`gotorch:"conv1"`, `gotorch:"buffer,mean"`).
package nn

import (
	"fmt"
	"reflect"
	"sort"
	"strings"
	"unicode"

	torch "github.com/wangkuiyi/gotorch"
)

// IModule is what every module can do.
type IModule interface {
	// Train switches the module and all its parts to training (true) or evaluation.
	Train(on bool)
	// IsTraining tells whether the module is in training.
	IsTraining() bool
	// To moves all parameters and buffers to a device and, when given, to a dtype.
	To(device torch.Device, dtype ...int8)
	// StateDict returns all parameters and buffers by PyTorch's names.
	StateDict() map[string]torch.Tensor
	// SetStateDict copies values into all parameters and buffers.
	SetStateDict(sd map[string]torch.Tensor) error
	// Apply calls f with the module's Module and that of every part.
	Apply(f func(IModule))
	// Name returns the module's type, as in nn.LinearModule.
	Name() string
}

// Module is embedded by value in every module.
type Module struct {
	outer      IModule
	isTraining bool
	name       string
	hooks      []*hookEntry
	row        torch.Tensor // where statistics of what it returns in training go, or none; see Observe
}

// Init connects a module with the struct it is embedded in; every constructor calls it:
//
//	func NewNet() *Net {
//		n := &Net{FC: nn.Linear(10, 10, true)}
//		n.Init(n)
//		return n
//	}
//
// The module is in training afterwards. Calling it again does nothing.
func (m *Module) Init(outer IModule) {
	if m.outer != nil {
		return
	}
	v := reflect.ValueOf(outer)
	must(v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct,
		"a module must be a pointer to a struct, it is %T", outer)
	f := v.Elem().FieldByName("Module")
	must(f.IsValid() && f.Type() == reflect.TypeFor[Module]() && f.CanAddr() && f.Addr().Interface() == m,
		"a module must embed nn.Module by value; %T does not", outer)
	m.outer, m.isTraining, m.name = outer, true, v.Elem().Type().String()
}

func (m *Module) initialised() IModule {
	must(m.outer != nil, "call Init in the module's constructor before using it")
	return m.outer
}

// Name returns the module's type, as in nn.LinearModule.
func (m *Module) Name() string { return m.name }

// Outer returns the module that m is embedded in.
func (m *Module) Outer() IModule { return m.outer }

// Apply calls f with m itself and then with the Module of every part, in the order of the fields.
// m.Outer of the argument is the module.
func (m *Module) Apply(f func(IModule)) {
	outer := m.initialised()
	f(m)
	eachPart(outer, func(p part) {
		if p.module != nil {
			p.module.Apply(f)
		}
	})
}

// Train switches the module and all its parts to training (true) or evaluation.
func (m *Module) Train(on bool) {
	m.Apply(func(n IModule) { n.(*Module).isTraining = on })
}

// Eval is Train(false).
func (m *Module) Eval() { m.Train(false) }

// IsTraining tells whether the module is in training.
func (m *Module) IsTraining() bool { return m.isTraining }

// To moves all parameters and buffers to a device; a dtype, when given, is that of the
// floating-point ones afterwards. The tensors stay the same ones, so optimisers keep them.
func (m *Module) To(device torch.Device, dtype ...int8) {
	eachTensor(m.initialised(), "", func(name string, v reflect.Value, buffer bool) {
		t := v.Interface().(torch.Tensor)
		d := t.Dtype()
		if len(dtype) > 0 && isFloat(d) {
			d = dtype[0]
		}
		torch.Scoped(func(*torch.Scope) { t.SetData(t.Detach().To(device, d)) })
	})
}

func isFloat(d torch.Dtype) bool {
	return d == torch.Half || d == torch.Float || d == torch.Double || d == torch.BFloat16
}

// ToChannelsLast lays the parameters and buffers of four dimensions out as NHWC.
func (m *Module) ToChannelsLast() {
	eachTensor(m.initialised(), "", func(name string, v reflect.Value, buffer bool) {
		t := v.Interface().(torch.Tensor)
		if t.Dim() == 4 {
			torch.Scoped(func(*torch.Scope) { t.SetData(t.Detach().ChannelsLast()) })
		}
	})
}

// NamedTensor is a parameter or buffer with its name.
type NamedTensor struct {
	Name   string
	Tensor torch.Tensor
	Buffer bool
}

// Named returns all parameters and buffers in the order of the fields, which is that of PyTorch's
// state_dict for modules declared alike.
func (m *Module) Named() []NamedTensor {
	var list []NamedTensor
	eachTensor(m.initialised(), "", func(name string, v reflect.Value, buffer bool) {
		list = append(list, NamedTensor{name, v.Interface().(torch.Tensor), buffer})
	})
	return list
}

func (m *Module) collect(parameters, buffers bool) map[string]torch.Tensor {
	r := map[string]torch.Tensor{}
	for _, n := range m.Named() {
		if n.Buffer && buffers || !n.Buffer && parameters {
			r[n.Name] = n.Tensor
		}
	}
	return r
}

func (m *Module) list(buffers bool) []torch.Tensor {
	r := []torch.Tensor{}
	for _, n := range m.Named() {
		if n.Buffer == buffers {
			r = append(r, n.Tensor)
		}
	}
	return r
}

// NamedParameters returns the trainable tensors by their names.
func (m *Module) NamedParameters() map[string]torch.Tensor { return m.collect(true, false) }

// NamedBuffers returns the tensors that are not trained by their names.
func (m *Module) NamedBuffers() map[string]torch.Tensor { return m.collect(false, true) }

// Parameters returns the trainable tensors in the order of the fields.
func (m *Module) Parameters() []torch.Tensor { return m.list(false) }

// Buffers returns the tensors that are not trained in the order of the fields.
func (m *Module) Buffers() []torch.Tensor { return m.list(true) }

// StateDict returns all parameters and buffers by PyTorch's names.
func (m *Module) StateDict() map[string]torch.Tensor { return m.collect(true, true) }

// SetStateDict copies values into all parameters and buffers. Every name must occur on both sides
// with the same shape; otherwise nothing is changed and the error names what does not fit.
func (m *Module) SetStateDict(sd map[string]torch.Tensor) error {
	named := m.Named()
	known := map[string]bool{}
	var missing, unknown []string
	for _, n := range named {
		known[n.Name] = true
		src, ok := sd[n.Name]
		if !ok {
			missing = append(missing, n.Name)
			continue
		}
		if want, have := n.Tensor.Shape(), src.Shape(); !same(want, have) {
			return fmt.Errorf("%s: expected the shape %v, found %v", n.Name, want, have)
		}
	}
	for name := range sd {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	if len(missing)+len(unknown) > 0 {
		sort.Strings(unknown)
		return fmt.Errorf("the state does not fit %s: missing %s; not known %s", m.name, some(missing), some(unknown))
	}
	return torch.Try(func() {
		torch.NoGrad(func() {
			for _, n := range named {
				n.Tensor.CopyI(sd[n.Name])
			}
		})
	})
}

func some(names []string) string {
	switch {
	case len(names) == 0:
		return "nothing"
	case len(names) > 5:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), len(names)-5)
	}
	return strings.Join(names, ", ")
}

func same(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Visitor is the type of a function over the tensor fields of a module. Nothing here takes one: it is for
// programs written for the older gotorch, where it was exported.
type Visitor func(f reflect.StructField, v reflect.Value, prefix string, noSuffix bool) error

// part is a field of a module, or one element of a field that is a slice.
type part struct {
	name   string // without the prefix of the enclosing module
	value  reflect.Value
	module IModule // nil for a tensor
	buffer bool
}

// eachPart calls f with every defined tensor and every module among the fields of m.
func eachPart(m IModule, f func(part)) {
	v := reflect.ValueOf(m).Elem()
	t := v.Type()
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		if field.Type == reflect.TypeFor[Module]() {
			continue
		}
		if !field.IsExported() {
			must(!holdsParts(field.Type), "export the field %s.%s: it holds a part of the module", t.Name(), field.Name)
			continue
		}
		name, buffer := partName(field)
		visit(v.Field(i), name, buffer, f)
	}
}

func visit(v reflect.Value, name string, buffer bool, f func(part)) {
	if v.Type() == reflect.TypeFor[torch.Tensor]() {
		if v.Interface().(torch.Tensor).T != nil {
			f(part{name: name, value: v, buffer: buffer})
		}
		return
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		if !holdsParts(v.Type()) {
			return
		}
		for j := 0; j < v.Len(); j++ {
			// The elements of a Sequential are called 0, 1, ... without the field's name.
			visit(v.Index(j), strings.TrimPrefix(fmt.Sprintf("%s.%d", name, j), "."), buffer, f)
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if m, ok := v.Interface().(IModule); ok {
			f(part{name: name, value: v, module: m})
		}
	}
}

// holdsParts tells whether a type is a tensor, a module, or a list of them.
func holdsParts(t reflect.Type) bool {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	return t == reflect.TypeFor[torch.Tensor]() || t.Implements(reflect.TypeFor[IModule]())
}

func eachTensor(m IModule, prefix string, f func(name string, v reflect.Value, buffer bool)) {
	eachPart(m, func(p part) {
		name := prefix + p.name
		if p.module == nil {
			f(name, p.value, p.buffer)
			return
		}
		eachTensor(outerOf(p.module), name+".", f)
	})
}

// outerOf returns the module itself where a *Module stands for it.
func outerOf(m IModule) IModule {
	if inner, ok := m.(*Module); ok {
		return inner.initialised()
	}
	return m
}

// partName returns the name of a field's part and whether it is a buffer.
func partName(f reflect.StructField) (name string, buffer bool) {
	name = snake(f.Name)
	for _, tag := range strings.Split(f.Tag.Get("gotorch"), ",") {
		switch tag {
		case "", "param":
		case "buffer":
			buffer = true
		case "-":
			name = "" // the elements are called by their numbers alone
		default:
			name = tag
		}
	}
	return name, buffer
}

// snake turns RunningMean into running_mean and FC1 into fc1.
func snake(s string) string {
	var b strings.Builder
	r := []rune(s)
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 {
			beforeLower := i+1 < len(r) && unicode.IsLower(r[i+1])
			if unicode.IsLower(r[i-1]) || unicode.IsUpper(r[i-1]) && beforeLower {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

func must(condition bool, format string, args ...interface{}) {
	if !condition {
		panic(&torch.Error{Op: "nn.Module", Message: fmt.Sprintf(format, args...)})
	}
}
