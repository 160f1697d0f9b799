package models

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	"github.com/wangkuiyi/gotorch/pth"
	"github.com/wangkuiyi/gotorch/safetensors"
)

// A layout is one library's way to call a network's parameters.
type layout struct {
	name string
	// foreign is what the library calls the parameter that this package calls ours; "" when it has none.
	foreign func(ours string) string
	// normEps is the BatchNorms' where it differs from ours; 0 where it does not.
	normEps float64
}

// own is the layout with this package's names.
func own(name string) layout {
	return layout{name: name, foreign: func(ours string) string { return ours }}
}

// A Match tells what became of a file of weights.
type Match struct {
	Layout  string   `json:"layout"`  // whose names the file has
	Prefix  string   `json:"prefix"`  // before each of them in the file
	Matched []string `json:"matched"` // our names, taken from the file
	Missing []string `json:"missing"` // our names that the file lacks; they keep fresh values
	Resized []string `json:"resized"` // our names that have another shape there, such as a head for other classes; fresh values
	Ignored []string `json:"ignored"` // the file's names without use here
}

// String is one line.
func (m Match) String() string {
	return fmt.Sprintf("%s layout: %d tensors matched, %d missing, %d of another shape (fresh), %d ignored", m.Layout, len(m.Matched), len(m.Missing), len(m.Resized), len(m.Ignored))
}

// LoadPretrained copies the tensors of a file (.safetensors, or PyTorch's .pth, .pt,
// .bin, read without running any code in it) into the model that New made under that name.
// torchvision's, timm's and Hugging Face's names are recognised, also behind a
// prefix such as "model." or "module.". The head keeps its fresh values when
// the file's has other classes. A body that the file does not fill is an error:
// they are the weights of another network.
func LoadPretrained(path, name string, m Model) (*Match, error) {
	tensors, err := readWeights(path)
	if err != nil {
		return nil, err
	}
	layouts := []layout{own("this package's")}
	if info, err := Find(name); err == nil && len(info.layouts) > 0 {
		layouts = info.layouts
	}
	best := &Match{}
	var from map[string]torch.Tensor
	var chosen layout
	for _, l := range layouts {
		for _, prefix := range prefixes(tensors, l, m) {
			match, found := l.match(prefix, tensors, m)
			if best.Layout == "" || len(match.Matched) > len(best.Matched) {
				best, from, chosen = match, found, l
			}
		}
	}
	if err := best.judge(path, name, m); err != nil {
		return best, err
	}
	state := m.StateDict()
	for ours, t := range from {
		state[ours] = t
	}
	if err := m.SetStateDict(state); err != nil {
		return best, fmt.Errorf("%s: %w", path, err)
	}
	if chosen.normEps > 0 {
		moveEps(m, chosen.normEps)
	}
	return best, nil
}

func readWeights(path string) (map[string]torch.Tensor, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	} else if info.IsDir() {
		return nil, fmt.Errorf("weights %s: a folder; give the .safetensors, .pth or .pt file in it", path)
	}
	read := pth.Load
	if strings.EqualFold(filepath.Ext(path), ".safetensors") {
		read = safetensors.Load
	}
	tensors, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("weights: %w", err)
	}
	return tensors, nil
}

// prefixes are what stands before the layout's names in the file: "" and all that occur before
// the name of the model's first parameter.
func prefixes(tensors map[string]torch.Tensor, l layout, m Model) []string {
	list := []string{""}
	first := ""
	for _, n := range m.Named() {
		if first = l.foreign(n.Name); first != "" {
			break
		}
	}
	for name := range tensors {
		if prefix, ok := strings.CutSuffix(name, "."+first); ok {
			list = append(list, prefix+".")
		}
	}
	sort.Strings(list)
	return list
}

// match compares the file's tensors with the model's, under one layout and prefix.
func (l layout) match(prefix string, tensors map[string]torch.Tensor, m Model) (*Match, map[string]torch.Tensor) {
	match, found, used := &Match{Layout: l.name, Prefix: prefix}, map[string]torch.Tensor{}, map[string]bool{}
	for _, n := range m.Named() {
		foreign := l.foreign(n.Name)
		t, ok := tensors[prefix+foreign]
		if foreign == "" || !ok {
			match.Missing = append(match.Missing, n.Name)
			continue
		}
		used[prefix+foreign] = true
		if fitted, ok := fit(t, n.Tensor.Shape()); ok {
			match.Matched, found[n.Name] = append(match.Matched, n.Name), fitted
		} else {
			match.Resized = append(match.Resized, n.Name)
		}
	}
	for name := range tensors {
		if !used[name] {
			match.Ignored = append(match.Ignored, name)
		}
	}
	sort.Strings(match.Ignored)
	return match, found
}

// fit gives t in the wanted shape when only dimensions of size 1 differ, as between a linear
// layer and a 1x1 convolution.
func fit(t torch.Tensor, shape []int64) (torch.Tensor, bool) {
	without := func(s []int64) []int64 {
		return slices.DeleteFunc(slices.Clone(s), func(n int64) bool { return n == 1 })
	}
	if !slices.Equal(without(t.Shape()), without(shape)) {
		return t, false
	}
	return t.Reshape(shape), true
}

// judge refuses weights that leave a part of the body as it was drawn. Counts of batches do not matter.
func (m *Match) judge(path, name string, model Model) error {
	stages := model.Stages()
	head := map[string]bool{}
	for _, p := range stages[len(stages)-1].Parameters() {
		for _, n := range model.Named() {
			if n.Tensor.DataPtr() == p.DataPtr() {
				head[n.Name] = true
			}
		}
	}
	var lost []string
	for _, ours := range append(slices.Clone(m.Missing), m.Resized...) {
		if !head[ours] && !strings.HasSuffix(ours, "num_batches_tracked") {
			lost = append(lost, ours)
		}
	}
	if len(lost) == 0 {
		return nil
	}
	shown := strings.Join(lost[:min(3, len(lost))], ", ")
	if len(lost) > 3 {
		shown += ", ..."
	}
	return fmt.Errorf("weights %s: not those of %s: %d of its %d tensors are missing there or have another shape (%s); choose the --model they belong to",
		path, name, len(lost), len(lost)+len(m.Matched), shown)
}

// moveEps takes over BatchNorms that were trained with another eps: the variance grows by the difference,
// so var + eps, all that evaluation sees of either, is what it was.
func moveEps(m Model, eps float64) {
	torch.NoGrad(func() {
		m.Apply(func(inner nn.IModule) {
			if b, ok := inner.(*nn.Module).Outer().(*nn.BatchNorm2dModule); ok {
				b.RunningVar.AddScalarI(eps - b.Eps)
			}
		})
	})
}
