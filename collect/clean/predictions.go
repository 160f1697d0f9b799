package clean

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
)

// Predictions are what a trained network says of the pictures of a set.
type Predictions struct {
	Classes  []string     // the network's
	Pictures []Prediction // known already

	// More, when set, shows the network the files given, paths within the set, and calls found with the probability of each class. It
	// may leave out files that it cannot read.
	More func(ctx context.Context, files []string, found func(file string, probabilities []float64)) error
}

// Prediction is the probability of each of the network's classes for one picture.
type Prediction struct {
	Path          string // slash-separated, relative to the set
	Probabilities []float64
}

// ReadPredictions reads a run's predictions.csv, the pictures it was validated on, with the classes of its evaluation.json. A run without
// them knows none.
func ReadPredictions(run string) ([]Prediction, error) {
	name := filepath.Join(run, "evaluation.json")
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var evaluation struct {
		Classes []string `json:"classes"`
	}
	if err := json.Unmarshal(data, &evaluation); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	name = filepath.Join(run, "predictions.csv")
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	predictions, err := readPredictions(file, len(evaluation.Classes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return predictions, nil
}

// readPredictions reads the columns path, label, p0, p1 and so on. The label is what the picture was when the run was made; its folder
// says what it is now.
func readPredictions(r io.Reader, classes int) ([]Prediction, error) {
	rows := csv.NewReader(r)
	rows.FieldsPerRecord = classes + 2
	rows.ReuseRecord = true
	header, err := rows.Read()
	if err != nil || header[0] != "path" || header[1] != "label" {
		return nil, fmt.Errorf("want the columns path, label and %d probabilities: %v", classes, err)
	}
	var predictions []Prediction
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return predictions, nil
		}
		if err != nil {
			return nil, err
		}
		p := Prediction{row[0], make([]float64, classes)}
		for i := range p.Probabilities {
			if p.Probabilities[i], err = strconv.ParseFloat(row[2+i], 64); err != nil || !(p.Probabilities[i] >= 0 && p.Probabilities[i] <= 1.0001) {
				line, _ := rows.FieldPos(2 + i)
				return nil, fmt.Errorf("line %d: %q is not a probability", line, row[2+i])
			}
		}
		predictions = append(predictions, p)
	}
}

// take notes the predictions known already with their pictures.
func (c *Catalogue) take(p *Predictions) {
	if p == nil {
		return
	}
	c.predictions = p
	for _, prediction := range p.Pictures {
		if item := c.byFile[prediction.Path]; item != nil {
			item.guess(p.Classes, prediction.Probabilities)
		}
	}
}

// Predict shows the network every picture outside the trash of which nothing is known yet. report is called with how many are done.
func (c *Catalogue) Predict(ctx context.Context, report func(done, all int)) error {
	if c.predictions == nil || c.predictions.More == nil {
		return nil
	}
	var files []string
	items := map[string]*Item{} // by the file as it was given: steps may move it meanwhile
	c.mu.Lock()
	for _, item := range c.items {
		if item.File != "" && !item.Trashed && item.probabilities == nil {
			files = append(files, item.File)
			items[item.File] = item
		}
	}
	c.toAsk = len(files)
	c.mu.Unlock()
	if len(files) == 0 {
		return nil
	}
	return c.predictions.More(ctx, files, func(file string, probabilities []float64) {
		c.mu.Lock()
		if item := items[file]; item != nil {
			item.guess(c.predictions.Classes, probabilities)
			c.asked++
		}
		asked := c.asked
		c.mu.Unlock()
		report(asked, len(files))
	})
}

// guess notes what the network said.
func (i *Item) guess(classes []string, probabilities []float64) {
	best := 0
	i.classes, i.probabilities = classes, make([]float32, len(probabilities))
	for at, p := range probabilities {
		i.probabilities[at] = float32(p)
		if p > probabilities[best] {
			best = at
		}
	}
	i.Predicted, i.Probability = classes[best], probabilities[best]
	i.lose()
}

// leastProbability is what a smaller one counts as: the loss ends at 69.
const leastProbability = 1e-30

// lose computes the loss, in nats, of the class that the picture is in now. A class that the network does not know has none.
func (i *Item) lose() {
	i.Loss, i.lost = 0, false
	for at, p := range i.probabilities {
		if i.classes[at] == i.Class {
			i.Loss, i.lost = max(0, -math.Log(max(float64(p), leastProbability))), true
		}
	}
}
