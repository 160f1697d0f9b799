package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
)

// A Result is result.json.
type Result struct {
	Accuracy         float64 `json:"accuracy"` // on the validation split, in [0, 1]; NaN when not known
	ValidLoss        float64 `json:"valid_loss"`
	TrainImages      int     `json:"train_images"`
	ValidImages      int     `json:"valid_images"`
	SkippedImages    int     `json:"skipped_images"`
	Epochs           int     `json:"epochs"`
	Seconds          float64 `json:"seconds"`
	ImagesPerSecond  float64 `json:"images_per_second"`
	DataWaitFraction float64 `json:"data_wait_fraction"` // of the training time
	PeakRSSBytes     int64   `json:"peak_rss_bytes"`
	Device           string  `json:"device"`
	Threads          int     `json:"threads"`
	LibTorch         string  `json:"libtorch"`
	Commit           string  `json:"commit"`

	// Extra holds every other key but "recipe", as JSON text.
	Extra map[string]json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps what this version does not know in Extra.
func (r *Result) UnmarshalJSON(text []byte) error {
	type plain Result // without methods, so no endless recursion
	nan := math.NaN() // what null and a missing key leave
	r.Accuracy, r.ValidLoss, r.Seconds, r.ImagesPerSecond, r.DataWaitFraction = nan, nan, nan, nan, nan
	if err := json.Unmarshal(text, (*plain)(r)); err != nil {
		return err
	}
	r.Extra = map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &r.Extra); err != nil {
		return err
	}
	for _, known := range []string{"accuracy", "valid_loss", "train_images", "valid_images", "skipped_images", "epochs", "seconds",
		"images_per_second", "data_wait_fraction", "peak_rss_bytes", "device", "threads", "libtorch", "commit", "recipe"} {
		delete(r.Extra, known)
	}
	return nil
}

func readResult(path string) (*Result, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseResult(text)
}

// ParseResult reads the text of result.json.
func ParseResult(text []byte) (*Result, error) {
	r := &Result{}
	if err := parseJSON(text, r); err != nil {
		return nil, err
	}
	return r, nil
}

// An Evaluation is evaluation.json: the trained network on the validation split.
type Evaluation struct {
	Classes []string `json:"classes"`
	// Confusion counts pictures: Confusion[actual][predicted].
	Confusion [][]int   `json:"confusion"`
	TopLosses []TopLoss `json:"top_losses"`
}

// A TopLoss is a picture the network was most wrong about.
type TopLoss struct {
	Path        string  `json:"path"`
	Actual      string  `json:"actual"`
	Predicted   string  `json:"predicted"`
	Loss        float64 `json:"loss"`
	Probability float64 `json:"probability"` // of the predicted class
}

func readEvaluation(path string) (*Evaluation, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseEvaluation(text)
}

// ParseEvaluation reads the text of evaluation.json and checks that its parts fit together.
func ParseEvaluation(text []byte) (*Evaluation, error) {
	e := &Evaluation{}
	if err := parseJSON(text, e); err != nil {
		return nil, err
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Evaluation) check() error {
	if len(e.Confusion) != 0 && len(e.Confusion) != len(e.Classes) {
		return fmt.Errorf("confusion has %d rows for %d classes", len(e.Confusion), len(e.Classes))
	}
	for i, row := range e.Confusion {
		if len(row) != len(e.Classes) {
			return fmt.Errorf("confusion row %d has %d columns for %d classes", i, len(row), len(e.Classes))
		}
		for _, count := range row {
			if count < 0 {
				return fmt.Errorf("confusion row %d has the count %d", i, count)
			}
		}
	}
	return nil
}
