package export

import (
	"iter"

	torch "github.com/wangkuiyi/gotorch"
)

// values yields the values that the operation reads, in order.
func (n *node) values() iter.Seq[string] {
	return func(yield func(string) bool) { eachValue(n.args, yield) }
}

func eachValue(args []torch.GraphArg, yield func(string) bool) bool {
	for _, a := range args {
		if a.Value != "" && !yield(a.Value) || !eachValue(a.List, yield) {
			return false
		}
	}
	return true
}

// arg finds an argument by its name in libtorch's schema; nil where there is none or it is None.
func (n *node) arg(name string) *torch.GraphArg {
	for i := range n.args {
		a := &n.args[i]
		if a.Name == name && (a.Value != "" || a.Int != nil || a.Float != nil || a.Bool != nil || a.String != nil || a.IsList) {
			return a
		}
	}
	return nil
}

// value is the value in an argument, "" where there is none.
func (n *node) value(name string) string {
	if a := n.arg(name); a != nil {
		return a.Value
	}
	return ""
}

// ints are the integers of an argument: a list, or one.
func (n *node) ints(name string) []int64 {
	a := n.arg(name)
	if a == nil {
		return nil
	}
	if a.Int != nil {
		return []int64{*a.Int}
	}
	var list []int64
	for _, e := range a.List {
		if e.Int != nil {
			list = append(list, *e.Int)
		}
	}
	return list
}

// pair is ints for the two directions of pictures, where one number may stand for both.
func (n *node) pair(name string, otherwise int64) [2]int64 {
	switch list := n.ints(name); len(list) {
	case 0:
		return [2]int64{otherwise, otherwise}
	case 1:
		return [2]int64{list[0], list[0]}
	default:
		return [2]int64{list[0], list[1]}
	}
}

func (n *node) int(name string, otherwise int64) int64 {
	if list := n.ints(name); len(list) > 0 {
		return list[0]
	}
	return otherwise
}

func (n *node) bool(name string) bool {
	a := n.arg(name)
	return a != nil && a.Bool != nil && *a.Bool
}

func (n *node) text(name string) string {
	if a := n.arg(name); a != nil && a.String != nil {
		return *a.String
	}
	return ""
}

// number is a float or integer argument; ok is false where there is none.
func (n *node) number(name string) (x float64, ok bool) {
	switch a := n.arg(name); {
	case a == nil:
		return 0, false
	case a.Float != nil:
		return *a.Float, true
	case a.Int != nil:
		return float64(*a.Int), true
	}
	return 0, false
}

func (n *node) numberOr(name string, otherwise float64) float64 {
	if x, ok := n.number(name); ok {
		return x
	}
	return otherwise
}

// set replaces or adds the value of an argument.
func (n *node) set(name, value string) {
	for i := range n.args {
		if n.args[i].Name == name {
			n.args[i] = torch.GraphArg{Name: name, Value: value}
			return
		}
	}
	n.args = append(n.args, torch.GraphArg{Name: name, Value: value})
}
