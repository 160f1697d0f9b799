package report

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/wangkuiyi/orrery/report/internal/whole"
)

// A Prediction is what the network said of one picture.
type Prediction struct {
	Path          string    // slash-separated, relative to the set's root
	Label         int       // the actual class's index
	Probabilities []float64 // of each class, summing to 1
}

// WritePredictions writes predictions.csv: the columns path, label, and
// p0, p1, ... with the probability of each class.
func WritePredictions(path string, list []Prediction) error {
	return whole.Write(path, func(w io.Writer) error {
		out := csv.NewWriter(w)
		classes := 0
		if len(list) > 0 {
			classes = len(list[0].Probabilities)
		}
		row := []string{"path", "label"}
		for c := range classes {
			row = append(row, "p"+strconv.Itoa(c))
		}
		if err := out.Write(row); err != nil {
			return err
		}
		for _, p := range list {
			if len(p.Probabilities) != classes {
				return fmt.Errorf("%s has %d probabilities, the first picture %d", p.Path, len(p.Probabilities), classes)
			}
			row = append(row[:0], p.Path, strconv.Itoa(p.Label))
			for _, v := range p.Probabilities {
				row = append(row, strconv.FormatFloat(v, 'g', 9, 64))
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
}

// ReadPredictions reads predictions.csv of a run with so many classes.
func ReadPredictions(path string, classes int) ([]Prediction, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := csv.NewReader(f)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s is empty, want the header path,label,p0,p1 and so on", path)
		}
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(header) != classes+2 || header[0] != "path" || header[1] != "label" {
		return nil, fmt.Errorf("%s: header has %d columns beginning with %q, want path,label and %d probabilities", path, len(header), header[0], classes)
	}
	var list []Prediction
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := in.FieldPos(0)
		p := Prediction{Path: row[0], Probabilities: make([]float64, classes)}
		if p.Label, err = strconv.Atoi(row[1]); err != nil || p.Label < 0 || p.Label >= classes {
			return nil, fmt.Errorf("%s line %d: label is %q, want 0 to %d", path, line, row[1], classes-1)
		}
		for c := range p.Probabilities {
			v, err := strconv.ParseFloat(row[2+c], 64)
			if err != nil || math.IsNaN(v) || v < 0 || v > 1.0001 {
				return nil, fmt.Errorf("%s line %d: p%d is %q, want a probability", path, line, c, row[2+c])
			}
			p.Probabilities[c] = v
		}
		list = append(list, p)
	}
}
