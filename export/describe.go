package export

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/trainer"
)

// A Description is what a program that runs an exported model must know. It is
// the text "orrery.json" among the metadata of an ONNX model and the extra files
// of a TorchScript module, and config.json beside safetensors.
type Description struct {
	Producer string   `json:"producer"` // "orrery"
	Model    string   `json:"model"`
	Classes  []string `json:"classes"` // in the order of the logits
	Input    Input    `json:"input"`
	// Preprocessing are the transforms of validation, in order, as the recipe
	// writes them; docs: package augment. Where they are inside the model, only the
	// crop of the central square is left to do before it.
	Preprocessing []any          `json:"preprocessing"`
	Inside        bool           `json:"preprocessing_inside,omitempty"`
	Pixels        string         `json:"pixels"` // their arithmetic: exact or fast
	Recipe        map[string]any `json:"recipe"`
}

// Input is the tensor a model takes.
type Input struct {
	Shape    []any  `json:"shape"`    // ["batch", 3, size, size], or ["batch", "side", "side", 3] with the preprocessing inside
	Dtype    string `json:"dtype"`    // "float32", or "uint8"
	Channels string `json:"channels"` // "RGB"
	// Range of the values before a normalize step: what 0 and 255 become.
	Range [2]float64 `json:"range"`
}

// inValidation are the transforms that act on a picture outside training.
var inValidation = map[string]bool{"resize": true, "center_crop": true, "random_resized_crop": true, "sample": true, "normalize": true}

func description(saved *trainer.Saved, inside bool) (*Description, error) {
	size := saved.Recipe.Size
	d := &Description{
		Producer: "orrery", Model: saved.Recipe.Model, Classes: saved.Classes, Pixels: saved.Recipe.Pixels,
		Input: Input{Shape: []any{"batch", 3, size, size}, Dtype: "float32", Channels: "RGB", Range: [2]float64{0, 1}},
	}
	if inside {
		d.Inside, d.Input = true, Input{Shape: []any{"batch", "side", "side", 3}, Dtype: "uint8", Channels: "RGB", Range: [2]float64{0, 255}}
	}
	var acting augment.List
	for _, t := range saved.Pipeline().List() {
		if inValidation[t.Name()] {
			acting = append(acting, t)
		}
	}
	if err := viaYAML(acting, &d.Preprocessing); err != nil {
		return nil, err
	}
	return d, viaYAML(saved.Recipe, &d.Recipe)
}

// viaYAML takes a value with its YAML names to plain maps and lists.
func viaYAML(from, to any) error {
	text, err := yaml.Marshal(from)
	if err != nil {
		return fmt.Errorf("description: %w", err)
	}
	return yaml.Unmarshal(text, to)
}

// describe gives the texts that an exported file carries; inside tells that the preprocessing is in it.
func describe(saved *trainer.Saved, inside bool) (map[string]string, error) {
	d, err := description(saved, inside)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	classes := &strings.Builder{}
	if err := json.NewEncoder(classes).Encode(saved.Classes); err != nil {
		return nil, err
	}
	return map[string]string{"orrery.json": string(text), "classes.json": strings.TrimSpace(classes.String())}, nil
}
