package tensorboard

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The bytes of the same events, as TensorBoard 2.20.0's own EventFileWriter's
// protocol buffers and records give them (scripts/golden/report_events.py).
func TestBytesEqualTensorBoards(t *testing.T) {
	var file bytes.Buffer
	at := time.Unix(1_700_000_000, 500_000_000)
	w := NewWriter(&file, at)
	w.Scalar(at, 7, "train/loss", 0.25)
	w.Scalar(at, 300, "é", -1e30)
	w.Histogram(at, 8, "h", Histogram{Min: -1, Max: 3, Sum: 4, SumSquares: 9, Limits: []float64{0, 1.5, 3}, Counts: []float64{2, 0, 200}})
	w.Image(at, 9, "i", 640, 2, []byte("png"))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(golden, hex.EncodeToString(file.Bytes())); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsStay(t *testing.T) {
	w := NewWriter(&bytes.Buffer{}, time.Unix(0, 0))
	w.Histogram(time.Unix(0, 0), 0, "h", Histogram{Limits: []float64{1}})
	w.Scalar(time.Unix(0, 0), 0, "x", 1)
	if err := w.Flush(); err == nil {
		t.Error("a histogram without counts was written")
	}
	full := errors.New("disk full")
	w = NewWriter(failing{full}, time.Unix(0, 0))
	w.Image(time.Unix(0, 0), 0, "x", 1, 1, make([]byte, 1<<20))
	if err := w.Flush(); !errors.Is(err, full) {
		t.Errorf("got %v, want the disk's error", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestFileName(t *testing.T) {
	if got := FileName(time.Unix(1_700_000_000, 0), "orrery"); got != "events.out.tfevents.1700000000.orrery" {
		t.Error(got)
	}
}
