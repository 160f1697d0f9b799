package trainer

import (
	"fmt"
	"math"
)

// A Rung is one step of the article's ladder: a name and what it changes.
type Rung struct {
	Name   string
	Recipe Recipe
}

// Rungs are the article's six, over a base recipe that gives data, sizes,
// seed, rate and device: each trains from scratch.
func Rungs(base Recipe) []Rung {
	rung := func(name string, change func(*Recipe)) Rung {
		r := base
		r.Model, r.ReLU, r.BatchNorm, r.Schedule, r.BatchSize, r.Epochs = "cnn8", true, true, OneCycle, 64, 1
		change(&r)
		return Rung{name, r}
	}
	return []Rung{
		rung("plain", func(r *Recipe) { r.ReLU, r.BatchNorm, r.Schedule = false, false, Flat }),
		rung("relu", func(r *Recipe) { r.BatchNorm, r.Schedule = false, Flat }),
		rung("batchnorm", func(r *Recipe) { r.Schedule = Flat }),
		rung("one-cycle", func(r *Recipe) {}),
		rung("batch-128", func(r *Recipe) { r.BatchSize = 128 }),
		rung("five-epochs", func(r *Recipe) { r.BatchSize, r.Epochs = 128, 5 }),
	}
}

// A RungResult gathers a rung's runs, one a seed.
type RungResult struct {
	Name            string    `json:"name"`
	Accuracy        float64   `json:"accuracy"` // mean
	Spread          float64   `json:"spread"`   // sample standard deviation; 0 for one run
	Accuracies      []float64 `json:"accuracies"`
	Seconds         float64   `json:"seconds"` // mean
	ImagesPerSecond float64   `json:"images_per_second"`
	Runs            []string  `json:"runs"` // their folders
}

// Summarize means and spreads the runs of one rung.
func Summarize(name string, results []*Result, dirs []string) RungResult {
	rung := RungResult{Name: name, Runs: dirs}
	n := float64(len(results))
	for _, r := range results {
		rung.Accuracies = append(rung.Accuracies, r.Accuracy)
		rung.Accuracy += r.Accuracy / n
		rung.Seconds += r.Seconds / n
		rung.ImagesPerSecond += r.ImagesPerSecond / n
	}
	if len(results) > 1 {
		for _, a := range rung.Accuracies {
			rung.Spread += (a - rung.Accuracy) * (a - rung.Accuracy) / (n - 1)
		}
		rung.Spread = math.Sqrt(rung.Spread)
	}
	return rung
}

// RungDir is the run folder of a rung's run inside a ladder's folder.
func RungDir(position int, name string, seed int64) string {
	return fmt.Sprintf("%d-%s-seed%d", position+1, name, seed)
}
