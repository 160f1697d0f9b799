package planets

import (
	"context"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// features are the mean and, in the second half, the deviation of each channel.
type features [6]float64

func featuresOf(t *testing.T, path string) (f features) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, err := jpeg.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	n := 0.0
	box := img.Bounds()
	var squares [3]float64
	for y := box.Min.Y; y < box.Max.Y; y += 3 {
		for x := box.Min.X; x < box.Max.X; x += 3 {
			r, g, b, _ := img.At(x, y).RGBA()
			for k, v := range [3]uint32{r, g, b} {
				f[k] += float64(v) / 65535
				squares[k] += float64(v) / 65535 * float64(v) / 65535
			}
			n++
		}
	}
	for k := range 3 {
		f[k] /= n
		f[k+3] = squares[k]/n - f[k]*f[k]
		if f[k+3] > 0 {
			f[k+3] = float64(sqrt(float32(f[k+3])))
		}
	}
	return f
}

// nearestMean is the accuracy on a fifth of the set of a classifier that knows
// each class's mean over the rest, by the first n features.
func nearestMean(all []features, labels []int, n int, split uint64) float64 {
	order := rand.New(rand.NewPCG(split, 0)).Perm(len(all))
	valid, train := order[:len(order)/5], order[len(order)/5:]
	var centre [4]features
	var count [4]float64
	for _, i := range train {
		count[labels[i]]++
		for k := range n {
			centre[labels[i]][k] += all[i][k]
		}
	}
	right := 0
	for _, i := range valid {
		best, nearest := 0, 1e9
		for c := range centre {
			d := 0.0
			for k := range n {
				e := all[i][k] - centre[c][k]/count[c]
				d += e * e
			}
			if d < nearest {
				best, nearest = c, d
			}
		}
		if best == labels[i] {
			right++
		}
	}
	return float64(right) / float64(len(valid))
}

// Colour alone must not tell the planets apart: structure carries the class.
// ORRERY_PLANETS_FULL=1 measures the whole default set.
func TestMeanColourDoesNotClassify(t *testing.T) {
	count := 480
	if os.Getenv("ORRERY_PLANETS_FULL") != "" {
		count = DefaultCount
	}
	dir := filepath.Join(t.TempDir(), "set")
	if err := Render(context.Background(), dir, Options{Count: count, Seed: DefaultSeed}); err != nil {
		t.Fatal(err)
	}
	m, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	class := map[string]int{}
	for i, c := range Classes {
		class[c] = i
	}
	var all []features
	var labels []int
	for _, f := range m.Files {
		all = append(all, featuresOf(t, filepath.Join(dir, f.Path)))
		labels = append(labels, class[filepath.Dir(f.Path)])
	}
	for what, n := range map[string]int{"mean colour": 3, "mean and deviation": 6} {
		const splits = 10
		sum := 0.0
		for split := range uint64(splits) {
			sum += nearestMean(all, labels, n, split)
		}
		accuracy := sum / splits
		t.Logf("nearest %s: accuracy %.3f on %d pictures", what, accuracy, count)
		if accuracy >= 0.50 {
			t.Errorf("nearest %s reaches %.3f, want below 0.50", what, accuracy)
		}
		if accuracy < 0.15 {
			t.Errorf("nearest %s reaches %.3f: worse than chance, the test itself is broken", what, accuracy)
		}
	}
}
