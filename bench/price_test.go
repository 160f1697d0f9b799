package bench

import (
	"maps"
	"strings"
	"testing"
)

func TestParsePrices(t *testing.T) {
	for text, want := range map[string]Prices{
		"":                   nil,
		"0.5":                {"cpu": 0.5, "cuda": 0.5},
		"cpu=0.4,cuda=3.5":   {"cpu": 0.4, "cuda": 3.5},
		" cuda=2 , cpu=1e-1": {"cuda": 2, "cpu": 0.1},
		"cuda=3":             {"cuda": 3},
	} {
		if got, err := ParsePrices(text); err != nil || !maps.Equal(got, want) {
			t.Errorf("%q gives %v, %v; want %v", text, got, err, want)
		}
	}
	for text, word := range map[string]string{
		"-1": `"-1"`, "0": "above 0", "cheap": `"cheap"`, "NaN": "NaN", "Inf": "Inf", "cpu=-0.4": "cpu=-0.4", "tpu=3": "tpu", "1,2": "name each", "cpu=1,cpu=2": "twice", "cpu=": "cpu=",
	} {
		_, err := ParsePrices(text)
		if err == nil || !strings.Contains(err.Error(), word) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v; want one line with %q", text, err, word)
		}
	}
	if price, ok := (Prices{"cuda": 3}).of("cuda:1"); !ok || price != 3 {
		t.Errorf("cuda:1 costs %v, %v", price, ok)
	}
	if _, ok := (Prices{"cuda": 3}).of("cpu"); ok {
		t.Error("a device without a price has one")
	}
}

func TestCost(t *testing.T) {
	c := costOf(3.6, 100, 2000) // a tenth of a cent a second
	near(t, "1,000 images", c.Per1000Images, 0.01)
	near(t, "an epoch", c.PerEpoch, 0.02)
	if c := costOf(3.6, 100, 0); c.PerEpoch != 0 {
		t.Errorf("an epoch without a set costs %v", c.PerEpoch)
	}
}

func TestCompare(t *testing.T) {
	row := func(device string, batch int, rate float64) Row {
		return Row{Work: Train, Input: Synthetic, Pixels: "exact", Device: device, Model: "cnn8", BatchSize: batch, ImagesPerSecond: rate}
	}
	broken := row("cuda:0", 64, 0)
	broken.Error = "out of memory"
	rows := []Row{row("cpu", 32, 50), row("cpu", 64, 60), row("cuda:0", 32, 600), broken}
	list := compare(rows, Prices{"cpu": 0.4, "cuda": 3.5})
	if len(list) != 1 {
		t.Fatalf("%d comparisons: %+v", len(list), list)
	}
	near(t, "ratio", list[0].Ratio, 12)
	near(t, "break-even", list[0].BreakEven, 4.8)
	if list[0].Cheaper != "cuda" || list[0].Device != "cuda:0" || list[0].CPU != 50 || list[0].CUDA != 600 {
		t.Errorf("%+v", list[0])
	}
	if list := compare(rows, Prices{"cpu": 0.4, "cuda": 5}); list[0].Cheaper != "cpu" {
		t.Errorf("at 5 an hour %s is cheaper", list[0].Cheaper)
	}
	if list := compare(rows, nil); list[0].Cheaper != "" || list[0].BreakEven != 0 || list[0].Ratio != 12 {
		t.Errorf("without prices %+v", list[0])
	}
	if list := compare(rows[:2], nil); list != nil {
		t.Errorf("without a GPU %+v", list)
	}
}
