package clean

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Prediction is what a trained model said of a picture.
type Prediction struct {
	Path        string  `json:"path"`
	Class       string  `json:"class"`
	Predicted   string  `json:"predicted"` // evaluation.json's name for the class
	Probability float64 `json:"probability"`
	Loss        float64 `json:"loss"`
}

// ReadPredictions reads what predict --json printed (a list, an object with a list, or an object a line), or the evaluation.json of
// a run; given a run folder, its evaluation.json.
func ReadPredictions(name string) ([]Prediction, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, "evaluation.json")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("predictions: %w", err)
	}
	var predictions []Prediction
	decoder := json.NewDecoder(bytes.NewReader(data))
	for {
		var value json.RawMessage
		err := decoder.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("predictions %s: not JSON: %w", name, err)
		}
		some, err := predictionsIn(value)
		if err != nil {
			return nil, fmt.Errorf("predictions %s: %w", name, err)
		}
		predictions = append(predictions, some...)
	}
	if len(predictions) == 0 {
		return nil, fmt.Errorf("predictions %s: holds none; give what orrery predict --json printed, or a run folder", name)
	}
	return predictions, nil
}

func predictionsIn(value json.RawMessage) ([]Prediction, error) {
	if value[0] == '[' {
		var list []Prediction
		return list, json.Unmarshal(value, &list)
	}
	var object struct {
		Prediction
		Predictions []Prediction `json:"predictions"`
		TopLosses   []Prediction `json:"top_losses"`
	}
	if err := json.Unmarshal(value, &object); err != nil {
		return nil, err
	}
	list := append(object.Predictions, object.TopLosses...)
	if object.Path != "" {
		list = append(list, object.Prediction)
	}
	return list, nil
}

// take notes predictions with their pictures. A path may be absolute, or begin above the set: its last two parts, class and file, decide
// when it is not a path within the set.
func (c *Catalogue) take(predictions []Prediction) {
	bySuffix := map[string]*Item{}
	for _, item := range c.items {
		bySuffix[item.Class+"/"+path.Base(item.File)] = item
	}
	for _, p := range predictions {
		file := path.Clean(filepath.ToSlash(p.Path))
		item := c.byFile[file]
		if item == nil {
			parts := strings.Split(file, "/")
			item = bySuffix[strings.Join(parts[max(0, len(parts)-2):], "/")]
		}
		if item == nil {
			continue
		}
		item.Predicted = p.Class
		if p.Predicted != "" {
			item.Predicted = p.Predicted
		}
		item.Probability, item.Loss = p.Probability, p.Loss
	}
}
