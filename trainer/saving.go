package trainer

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Saving says when checkpoints are written and how many are kept. It changes
// nothing of what a run computes.
type Saving struct {
	// Every, Steps and Epochs: save when so much time, so many steps or epochs
	// went by; 0 does not count that way. The best epoch is always saved, and so
	// is a training that is stopped.
	Every  time.Duration
	Steps  int
	Epochs int
	// Keep is how many of the newest checkpoints are kept, at least 1; the best
	// is kept besides.
	Keep int
	// Retry is how long after a failed save the next is tried; Patience how long
	// the end of a training waits for a disk that refuses its results.
	Retry, Patience time.Duration
}

// DefaultSaving is every five minutes and every epoch, three kept.
func DefaultSaving() Saving {
	return Saving{Every: 5 * time.Minute, Epochs: 1, Keep: 3, Retry: 30 * time.Second, Patience: time.Minute}
}

// dueAtEnd tells whether a checkpoint is to be written after an epoch, counted from 1.
func (s Saving) dueAtEnd(epoch int) bool { return s.Epochs > 0 && epoch%s.Epochs == 0 }

// ParseSaveEvery reads a comma-separated list of times ("5m", "30s"), steps
// ("500steps") and epochs ("2epochs") into s; "never" alone leaves the best
// epoch and the stop of a training.
func (s Saving) ParseSaveEvery(text string) (Saving, error) {
	s.Every, s.Steps, s.Epochs = 0, 0, 0
	if text == "never" {
		return s, nil
	}
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		count := func(words ...string) (int, bool) {
			for _, word := range words {
				if digits, ok := strings.CutSuffix(part, word); ok {
					n, err := strconv.Atoi(strings.TrimSpace(digits))
					return n, err == nil && n > 0
				}
			}
			return 0, false
		}
		if n, ok := count("steps", "step"); ok {
			s.Steps = n
		} else if n, ok := count("epochs", "epoch"); ok {
			s.Epochs = n
		} else if d, err := time.ParseDuration(part); err == nil && d > 0 {
			s.Every = d
		} else {
			return s, fmt.Errorf("%q is no interval between checkpoints; give a time such as 5m, a number of steps such as 500steps, of epochs such as 2epochs, several with commas, or never", part)
		}
	}
	return s, nil
}
