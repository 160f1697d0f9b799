package bench

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"
)

// near allows for the last bits.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Abs(want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func millisecond(list ...float64) (times []time.Duration, total time.Duration) {
	for _, v := range list {
		d := time.Duration(v * float64(time.Millisecond))
		times, total = append(times, d), total+d
	}
	return times, total
}

func passOf(images int, steps ...float64) pass {
	p := pass{images: images}
	p.steps, p.total = millisecond(steps...)
	return p
}

func TestSumUp(t *testing.T) {
	// 5 and 5 steps of 8 pictures: 100 and 150 ms, that is 400 and 266.67 images/s; together 80 pictures in 250 ms.
	a, b := passOf(40, 10, 20, 20, 20, 30), passOf(40, 20, 20, 30, 40, 40)
	a.waits, a.first, a.peak, b.peak = 50*time.Millisecond, 70*time.Millisecond, 5, 7
	row := Row{BatchSize: 8}
	row.sumUp([]pass{a, b})
	near(t, "images/s", row.ImagesPerSecond, 320)
	near(t, "ms/step", row.MsPerStep, 25)
	// Sorted: 10 20 20 20 20 20 30 30 40 40; ranks 4.5, 8.1, 8.91; quartiles at 2.25 and 6.75.
	near(t, "p50", row.P50, 20)
	near(t, "p90", row.P90, 40)
	near(t, "p99", row.P99, 40)
	near(t, "spread", row.Spread, (30.0-20)/20)
	near(t, "the second repeat", row.Repeats[1], 40/0.15)
	near(t, "repeat spread", row.RepeatSpread, (400-40/0.15)/400) // of two the upper one is nearest to the middle
	near(t, "waiting", row.DataWait, 0.2)
	near(t, "first step", row.FirstStepMs, 70)
	if row.Steps != 10 || row.PeakMemoryBytes != 7 {
		t.Errorf("%d steps, peak %d; want 10 and 7", row.Steps, row.PeakMemoryBytes)
	}
	// Where steps overlap, the whole decides.
	a.total = 80 * time.Millisecond
	row = Row{}
	row.sumUp([]pass{a})
	near(t, "images/s of overlapping steps", row.ImagesPerSecond, 500)
	near(t, "ms/step of overlapping steps", row.MsPerStep, 16)
}

// TestContract holds the names of the fields that scripts rely on.
func TestContract(t *testing.T) {
	row := Row{Split: &Split{}, Floor: &Floor{}, Energy: &Energy{}, Cost: &Cost{}, Repeats: []float64{1}}
	text, err := json.Marshal(Report{Rows: []Row{row}, Comparisons: []Comparison{{}}, Ceilings: []Ceilings{{}}, Notes: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Rows                  []map[string]any
		Machine               map[string]any
		Ceilings, Comparisons []map[string]any
		Notes                 []string
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	has := func(what string, object map[string]any, keys ...string) {
		t.Helper()
		for _, key := range keys {
			if _, ok := object[key]; !ok {
				t.Errorf("%s lacks %q", what, key)
			}
		}
	}
	has("a row", got.Rows[0], "work", "input", "pixels", "device", "model", "batch_size", "images_per_second", "ms_per_step", "p50_ms", "p90_ms", "p99_ms", "spread",
		"data_wait_fraction", "repeats", "repeat_spread", "peak_memory_bytes", "split", "floor", "energy", "cost")
	has("the machine", got.Machine, "cores", "threads", "libtorch", "kernels", "commit", "load", "command")
	has("a split", got.Rows[0]["split"].(map[string]any), "data_ms", "forward_ms", "backward_ms", "optimizer_ms")
	has("a floor", got.Rows[0]["floor"].(map[string]any), "flops", "bytes", "ms", "reached")
	has("energy", got.Rows[0]["energy"].(map[string]any), "joules_per_1000_images", "source")
	has("a cost", got.Rows[0]["cost"].(map[string]any), "per_1000_images")
	has("ceilings", got.Ceilings[0], "device", "flops", "bytes_per_second")
	has("a comparison", got.Comparisons[0], "cpu_images_per_second", "cuda_images_per_second", "ratio")
	// What was not measured is not there.
	text, err = json.Marshal(Row{})
	if err != nil {
		t.Fatal(err)
	}
	var bare map[string]any
	if err := json.Unmarshal(text, &bare); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"energy", "cost", "floor", "split", "error"} {
		if _, ok := bare[key]; ok {
			t.Errorf("a bare row has %q: %s", key, text)
		}
	}
}

func TestQuantile(t *testing.T) {
	list := []int{1, 2, 3, 4, 5}
	got := []int{quantile(list, 0), quantile(list, 0.5), quantile(list, 0.9), quantile(list, 1), quantile([]int{7}, 0.99)}
	if want := []int{1, 3, 5, 5, 7}; !slices.Equal(got, want) {
		t.Errorf("quantiles %v, want %v", got, want)
	}
}
