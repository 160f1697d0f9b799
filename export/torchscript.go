package export

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
)

// script compiles the network into a TorchScript module whose forward takes
// pictures, float32 [N, 3, size, size], to logits [N, classes]. Its parameters
// are called as in the run, with underscores for points.
func (n *network) script() (*torch.Script, error) {
	names := n.attributeNames()
	tensors := map[string]torch.Tensor{}
	for value, tensor := range n.weights {
		tensors[names[value]] = tensor
	}
	values := map[string]string{input: "pictures"}
	for value, name := range names {
		values[value] = "self." + name
	}
	var text strings.Builder
	text.WriteString("def forward(self, pictures):\n")
	for _, node := range n.nodes {
		values[node.out] = node.out
		text.WriteString(statement(node, values))
	}
	fmt.Fprintf(&text, "    return %s\n", values[n.output])
	var script *torch.Script
	err := torch.Try(func() { script = torch.DefineScript(text.String(), tensors) })
	return script, err
}

// statement is a line of TorchScript that carries the operation out.
func statement(n *node, values map[string]string) string {
	unused := ""
	for i := range n.more {
		unused += fmt.Sprintf(", %s_%d", n.out, i)
	}
	return fmt.Sprintf("    %s%s = torch.%s(%s)\n", n.out, unused, n.op, arguments(n, values))
}

// precompute carries out what depends on weights alone, whose results are weights then.
func (n *network) precompute() error {
	kept := n.nodes[:0:0]
	for _, node := range n.nodes {
		tensors, values := map[string]torch.Tensor{}, map[string]string{node.out: node.out}
		constant := true
		for value := range node.values() {
			tensor, ok := n.weights[value]
			name := fmt.Sprintf("w%d", len(values))
			tensors[name], values[value] = tensor, "self."+name
			constant = constant && ok
		}
		if !constant {
			kept = append(kept, node)
			continue
		}
		source := fmt.Sprintf("def forward(self):\n%s    return %s\n", statement(node, values), node.out)
		err := torch.Try(func() {
			script := torch.DefineScript(source, tensors)
			defer script.Close()
			torch.NoGrad(func() { n.weights[node.out] = script.Forward() })
		})
		if err != nil {
			return err
		}
	}
	n.nodes = kept
	return nil
}

// attributeNames gives each weight a name that a module's attribute may have.
func (n *network) attributeNames() map[string]string {
	names, taken := map[string]string{}, map[string]bool{"training": true, "forward": true}
	for _, value := range slices.Sorted(maps.Keys(n.weights)) {
		name := strings.Map(func(r rune) rune {
			if r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
				return r
			}
			return '_'
		}, value)
		if name[0] >= '0' && name[0] <= '9' {
			name = "_" + name
		}
		for taken[name] {
			name += "_"
		}
		names[value], taken[name] = name, true
	}
	return names
}

// arguments are those of a call of the operation: the first by its place, the others by their names.
func arguments(n *node, values map[string]string) string {
	var list []string
	for i, a := range n.args {
		text := expression(a, values)
		if i > 0 {
			text = a.Name + "=" + text
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// expression writes an argument in TorchScript.
func expression(a torch.GraphArg, values map[string]string) string {
	switch {
	case a.Value != "":
		return values[a.Value]
	case a.Int != nil:
		return strconv.FormatInt(*a.Int, 10)
	case a.Float != nil:
		return float(*a.Float)
	case a.Bool != nil && *a.Bool:
		return "True"
	case a.Bool != nil:
		return "False"
	case a.String != nil:
		return strconv.Quote(*a.String)
	case a.IsList && len(a.List) == 0:
		return "annotate(List[int], [])"
	case a.IsList:
		var list []string
		for _, e := range a.List {
			list = append(list, expression(e, values))
		}
		return "[" + strings.Join(list, ", ") + "]"
	}
	return "None"
}

// float writes a number so that TorchScript takes it for no integer.
func float(x float64) string {
	switch {
	case math.IsInf(x, 1):
		return `float("inf")`
	case math.IsInf(x, -1):
		return `float("-inf")`
	case math.IsNaN(x):
		return `float("nan")`
	}
	text := strconv.FormatFloat(x, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += "."
	}
	return text
}
