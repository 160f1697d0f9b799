package report

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/internal/testdata"
)

// hostile is a class name that would run as a script if it were not escaped.
const hostile = `<script>document.title="owned"</script>`

// sampleClasses are those of most samples.
var sampleClasses = []string{"earth", "jupiter", "neptune", "saturn"}

// writeSample makes a run folder as the trainer would: a falling loss over
// epochs of so many steps, a one-cycle schedule, an evaluation.
func writeSample(t testing.TB, epochs, steps int, classes []string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "planets-cnn8")
	if err := os.MkdirAll(filepath.Join(dir, "plots"), 0o777); err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	put("recipe.yaml", fmt.Sprintf("data: planets\nmodel: cnn8\nrelu: true\nbatchnorm: true\nepochs: %d\nbatch_size: 128\nlr: 0.003\n"+
		"schedule: one-cycle\nweight_decay: 0.01\nvalid_pct: 0.2\nseed: 42\nsplit_seed: 42\nitem_size: 460\nsize: 200\npixels: exact\ndevice: auto\namp: auto\nworkers: 0\nthreads: 0\n", epochs))
	var history, table strings.Builder
	history.WriteString(historyHeader + "\n")
	table.WriteString(stepsHeader + stepsLater + "\n")
	mean, bias, total := 0.0, 1.0, epochs*steps
	smoothed := 0.0
	for e := range epochs {
		for s := range steps {
			i := e*steps + s
			part := float64(i) / float64(total)
			loss := 0.62 + 0.9*math.Exp(-4*part) + 0.12*random.NormFloat64()
			mean, bias = 0.98*mean+0.02*loss, bias*0.98
			smoothed = mean / (1 - bias)
			lr, momentum := 0.003*math.Sin(math.Pi*math.Sqrt(part)), 0.95-0.1*math.Sin(math.Pi*math.Sqrt(part))
			fmt.Fprintf(&table, "%d,%d,%.9g,%.6f,%.6f,%.6f,%.2f,%.6f,%.1f\n", i, e, lr, momentum, loss, smoothed, 182+9*random.NormFloat64(), 0.002*random.Float64(), 900+float64(i%7)/2)
		}
		fmt.Fprintf(&history, "%d,%.6f,%.6f,%.6f,%.3f\n", e, smoothed, smoothed+0.07, 0.8-0.4*math.Exp(-float64(e)), 14.2+random.Float64())
	}
	put("history.csv", history.String())
	put("steps.csv", table.String())
	put("result.json", `{"accuracy":0.7815,"valid_loss":0.612345,"train_images":2254,"valid_images":563,"skipped_images":2,"epochs":5,"seconds":73.4,
"images_per_second":181.7,"data_wait_fraction":0.0123,"peak_rss_bytes":1503238553,"device":"cpu","threads":2,"libtorch":"2.11.0","commit":"0123abc","recipe":{"lr":0.003},"go":"go1.26.8","command":["orrery","train","my photos","--lr","0.003"],"first_step_seconds":0.812345,"classes":["a","b"]}`)
	put("log.jsonl", `{"time":"2026-11-24T03:00:00Z","level":"INFO","msg":"found pictures","images":2817,"classes":4}
{"time":"2026-11-24T03:00:01Z","level":"WARN","msg":"left out","path":"earth/<b>x</b>.jpg","reason":"truncated"}
`)
	n := len(classes)
	confusion := make([][]int, n)
	for i := range confusion {
		confusion[i] = make([]int, n)
		for j := range confusion[i] {
			confusion[i][j] = random.IntN(18)
		}
		confusion[i][i] = 80 + random.IntN(60)
	}
	evaluation := Evaluation{Classes: classes, Confusion: confusion}
	for i := range 9 {
		evaluation.TopLosses = append(evaluation.TopLosses, TopLoss{Path: fmt.Sprintf("%s/%04d.jpg", classes[i%n], i),
			Actual: classes[i%n], Predicted: classes[(i+1)%n], Loss: 6.5 - 0.3*float64(i), Probability: 0.99 - 0.01*float64(i)})
	}
	text, err := json.Marshal(evaluation)
	if err != nil {
		t.Fatal(err)
	}
	put("evaluation.json", string(text))
	predictions := make([]Prediction, 60)
	for i := range predictions {
		p := Prediction{Path: fmt.Sprintf("%s/%04d.jpg", classes[i%n], i), Label: i % n, Probabilities: make([]float64, n)}
		sum := 0.0
		for c := range p.Probabilities {
			p.Probabilities[c] = random.Float64()
			if c == p.Label {
				p.Probabilities[c] += 0.5
			}
			sum += p.Probabilities[c]
		}
		for c := range p.Probabilities {
			p.Probabilities[c] /= sum
		}
		predictions[i] = p
	}
	if err := WritePredictions(filepath.Join(dir, "predictions.csv"), predictions); err != nil {
		t.Fatal(err)
	}
	if err := WriteActivations(filepath.Join(dir, "activations.npz"), sampleActivations(min(total, 500))); err != nil {
		t.Fatal(err)
	}
	testdata.WritePNG(t, filepath.Join(dir, "plots", "show-batch.png"), Grid(samplePictures(9), sampleTitles(9, classes), 3, 200))
	return dir
}

func sampleTitles(n int, classes []string) []string {
	titles := make([]string, n)
	for i := range titles {
		titles[i] = classes[i%len(classes)]
	}
	return titles
}

// samplePictures are discs on dark grounds, of mixed sizes.
func samplePictures(n int) []image.Image {
	list := make([]image.Image, n)
	for k := range list {
		w, h := 200, 200-20*(k%4)
		m := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				c := color.RGBA{10, 12, 30, 255}
				if dx, dy := x-w/2, y-h/2; dx*dx+dy*dy < 60*60 {
					c = color.RGBA{uint8(60 + 20*k), uint8(40 + y), uint8(200 - 20*k), 255}
				}
				m.SetRGBA(x, y, c)
			}
		}
		list[k] = m
	}
	return list
}
