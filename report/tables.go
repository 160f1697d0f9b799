package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

// An Epoch is a row of history.csv.
type Epoch struct {
	Epoch     int     // from 0
	TrainLoss float64 // the smoothed loss when the epoch ended
	ValidLoss float64
	Accuracy  float64 // on the validation split, in [0, 1]
	Seconds   float64 // training and validation
}

// A Step is a row of steps.csv.
type Step struct {
	Step            int // from 0, over the whole run
	Epoch           int // from 0
	LearningRate    float64
	Momentum        float64 // Adam's first beta
	Loss            float64 // this batch's
	SmoothedLoss    float64 // exponential mean, beta 0.98, debiased
	ImagesPerSecond float64
	DataWait        float64 // seconds the step waited for its batch
	Memory          float64 // MiB that the process held; NaN when not known
}

const (
	historyHeader = "epoch,train_loss,valid_loss,accuracy,seconds"
	stepsHeader   = "step,epoch,lr,momentum,loss,smoothed_loss,images_per_second,data_wait_seconds"
	// Columns that runs of earlier versions lack; a row without them has NaN there.
	stepsLater = ",memory_mib"
)

func readHistory(path string) ([]Epoch, error) {
	var list []Epoch
	err := readNumbers(path, historyHeader, "", func(v []float64) { list = AddEpoch(list, epochOf(v)) })
	return list, err
}

func readSteps(path string) ([]Step, error) {
	var list []Step
	err := readNumbers(path, stepsHeader, stepsLater, func(v []float64) { list = AddStep(list, stepOf(v)) })
	return list, err
}

// AddEpoch appends a row. A resumed run writes an epoch again: then the later
// row is the true one, and those from its epoch on go.
func AddEpoch(list []Epoch, e Epoch) []Epoch {
	for len(list) > 0 && list[len(list)-1].Epoch >= e.Epoch {
		list = list[:len(list)-1]
	}
	return append(list, e)
}

// AddStep is AddEpoch for steps.
func AddStep(list []Step, s Step) []Step {
	for len(list) > 0 && list[len(list)-1].Step >= s.Step {
		list = list[:len(list)-1]
	}
	return append(list, s)
}

// ParseEpoch reads one line of history.csv.
func ParseEpoch(line string) (Epoch, error) {
	v, err := parseNumbers(line, strings.Count(historyHeader, ",")+1, 0)
	if err != nil {
		return Epoch{}, err
	}
	return epochOf(v), nil
}

// ParseStep reads one line of steps.csv.
func ParseStep(line string) (Step, error) {
	v, err := parseNumbers(line, strings.Count(stepsHeader, ",")+1, strings.Count(stepsLater, ","))
	if err != nil {
		return Step{}, err
	}
	return stepOf(v), nil
}

func epochOf(v []float64) Epoch {
	return Epoch{Epoch: int(v[0]), TrainLoss: v[1], ValidLoss: v[2], Accuracy: v[3], Seconds: v[4]}
}

func stepOf(v []float64) Step {
	return Step{Step: int(v[0]), Epoch: int(v[1]), LearningRate: v[2], Momentum: v[3],
		Loss: v[4], SmoothedLoss: v[5], ImagesPerSecond: v[6], DataWait: v[7], Memory: v[8]}
}

// readNumbers calls row for every line of a CSV file of numbers. The header
// must begin with the expected columns; the later ones, and then others, may
// follow. A last line without its newline is taken for a write that was cut
// short and left out.
func readNumbers(path, header, later string, row func(v []float64)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<16)
	columns, more := strings.Count(header, ",")+1, strings.Count(later, ",")
	for line := 1; ; line++ {
		text, err := in.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if errors.Is(err, io.EOF) {
			if line == 1 {
				return fmt.Errorf("no header line, want %q", header)
			}
			if text != "" {
				return fmt.Errorf("line %d is cut short and left out", line)
			}
			return nil
		}
		text = strings.TrimRight(text, "\r\n")
		if line == 1 {
			if text != header && !strings.HasPrefix(text, header+",") {
				return fmt.Errorf("header is %q, want %q", short(text), header)
			}
			continue
		}
		values, err := parseNumbers(text, columns, more)
		if err != nil {
			return fmt.Errorf("line %d: %w; it and what follows are left out", line, err)
		}
		row(values)
	}
}

// parseNumbers reads the first n comma-separated numbers of a line, and more of
// them that may be missing. An empty or missing field is NaN: not measured.
func parseNumbers(text string, n, more int) ([]float64, error) {
	fields := strings.Split(text, ",")
	if len(fields) < n {
		return nil, fmt.Errorf("%d columns, want %d", len(fields), n)
	}
	values := make([]float64, n+more)
	for i := range values {
		if i >= len(fields) {
			values[i] = math.NaN()
			continue
		}
		field := strings.TrimSpace(fields[i])
		if field == "" {
			field = "NaN"
		}
		v, err := strconv.ParseFloat(field, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, fmt.Errorf("column %d is %q, not a number", i+1, short(field))
		}
		values[i] = v
	}
	return values, nil
}

// short cuts a text that an error shows to one readable piece.
func short(s string) string {
	const limit = 80
	runes := []rune(s)
	if len(runes) <= limit {
		return s
	}
	return string(runes[:limit]) + "..."
}
