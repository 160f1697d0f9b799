package augment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// List is a pipeline in the order it runs. In YAML it is a sequence of transforms, each a name or
// a name with its settings; what is not set has the default:
//
//   - resize: {size: 460}
//   - flip
//   - rotate: {max: 20}
//   - sample: {size: 200}
type List []Transform

// defaults are the transforms with the settings a recipe leaves out.
var defaults = []Transform{
	Resize{Size: 460, Method: MethodCrop},
	CenterCrop{Size: 224},
	RandomResizedCrop{Size: 224, MinScale: 0.08, MaxScale: 1, MinRatio: 3. / 4, MaxRatio: 4. / 3},
	RandAugment{Ops: 2, Magnitude: 9, Bins: 31},
	TrivialAugment{Bins: 31},
	Flip{P: 0.5},
	AlternatingFlip{},
	Shift{Max: 2},
	Dihedral{P: 0.5},
	Rotate{Max: 10, P: 0.75},
	Zoom{Min: 1, Max: 1.1, P: 0.75},
	Warp{Max: 0.2, P: 0.75},
	Sample{Size: 200},
	Brightness{Max: 0.2, P: 0.75},
	Contrast{Max: 0.2, P: 0.75},
	Saturation{Max: 0.2, P: 0.75},
	Hue{Max: 0.1, P: 0.75},
	Grayscale{P: 0.1},
	Blur{Kernel: 5, MinSigma: 0.1, MaxSigma: 2, P: 0.5},
	Normalize{Mean: []float32{0.485, 0.456, 0.406}, Std: []float32{0.229, 0.224, 0.225}},
	RandomErasing{P: 0.5, MaxArea: 0.3, MinAspect: 0.3, Count: 1},
	MixUp{Alpha: 0.4},
	CutMix{Alpha: 1},
}

// Names lists the names of all transforms.
func Names() []string {
	var out []string
	for _, t := range defaults {
		out = append(out, t.Name())
	}
	return out
}

// UnmarshalYAML reads the sequence form. Unknown names and keys are errors that name the nearest.
func (l *List) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.SequenceNode {
		return fmt.Errorf("line %d: transforms: want a list", node.Line)
	}
	var out List
	for _, n := range node.Content {
		var name string
		var settings *yaml.Node
		switch {
		case n.Kind == yaml.ScalarNode:
			name = n.Value
		case n.Kind == yaml.MappingNode && len(n.Content) == 2:
			name, settings = n.Content[0].Value, n.Content[1]
		default:
			return fmt.Errorf("line %d: a transform is a name, or a name with its settings", n.Line)
		}
		t, err := read(name, settings)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		out = append(out, t)
	}
	*l = out
	return nil
}

// MarshalYAML writes the sequence form.
func (l List) MarshalYAML() (any, error) {
	out := make([]map[string]Transform, len(l))
	for i, t := range l {
		out[i] = map[string]Transform{t.Name(): t}
	}
	return out, nil
}

// MarshalJSON writes the sequence form.
func (l List) MarshalJSON() ([]byte, error) {
	text, err := yaml.Marshal(l)
	if err != nil {
		return nil, err
	}
	var plain any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		return nil, err
	}
	return json.Marshal(plain)
}

// UnmarshalJSON reads the sequence form, for which JSON is YAML enough.
func (l *List) UnmarshalJSON(text []byte) error { return yaml.Unmarshal(text, l) }

// read makes a transform from its defaults and a node of settings.
func read(name string, settings *yaml.Node) (Transform, error) {
	i := slices.IndexFunc(defaults, func(t Transform) bool { return t.Name() == name })
	if i < 0 {
		return nil, fmt.Errorf("unknown transform %q: did you mean %q?", name, nearest(name, Names()))
	}
	var text []byte
	if settings != nil {
		var err error
		if text, err = yaml.Marshal(settings); err != nil {
			return nil, err
		}
	}
	switch t := defaults[i].(type) {
	case Resize:
		return settle(t, text)
	case CenterCrop:
		return settle(t, text)
	case RandomResizedCrop:
		return settle(t, text)
	case RandAugment:
		return settle(t, text)
	case TrivialAugment:
		return settle(t, text)
	case Flip:
		return settle(t, text)
	case AlternatingFlip:
		return settle(t, text)
	case Shift:
		return settle(t, text)
	case Dihedral:
		return settle(t, text)
	case Rotate:
		return settle(t, text)
	case Zoom:
		return settle(t, text)
	case Warp:
		return settle(t, text)
	case Sample:
		return settle(t, text)
	case Brightness:
		return settle(t, text)
	case Contrast:
		return settle(t, text)
	case Saturation:
		return settle(t, text)
	case Hue:
		return settle(t, text)
	case Grayscale:
		return settle(t, text)
	case Blur:
		return settle(t, text)
	case Normalize:
		return settle(Normalize{Mean: slices.Clone(t.Mean), Std: slices.Clone(t.Std)}, text)
	case RandomErasing:
		return settle(t, text)
	case MixUp:
		return settle(t, text)
	case CutMix:
		return settle(t, text)
	}
	return nil, fmt.Errorf("transform %q cannot be read", name)
}

// settle overrides t's defaults by YAML settings; unknown keys are errors.
func settle[T Transform](t T, text []byte) (Transform, error) {
	if len(bytes.TrimSpace(text)) > 0 {
		d := yaml.NewDecoder(bytes.NewReader(text))
		d.KnownFields(true)
		if err := d.Decode(&t); err != nil {
			return nil, fmt.Errorf("%s: %s", t.Name(), plain(err))
		}
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", t.Name(), err)
	}
	return t, nil
}

// plain is the decoder's message on one line without its line numbers, which count from the
// settings and not from the file.
func plain(err error) string {
	s := strings.TrimPrefix(err.Error(), "yaml: unmarshal errors:\n  ")
	s, _, _ = strings.Cut(s, "\n")
	if _, rest, ok := strings.Cut(s, ": "); ok && strings.HasPrefix(s, "line ") {
		s = rest
	}
	s, _, _ = strings.Cut(s, " in type ")
	return strings.Replace(s, "field ", "unknown key ", 1)
}

// nearest is the choice with the fewest edits from word.
func nearest(word string, choices []string) string {
	best, least := "", 1<<30
	for _, c := range choices {
		if d := distance(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
