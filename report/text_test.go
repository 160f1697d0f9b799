package report

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTextFitsTheTerminal(t *testing.T) {
	r, err := Load(writeSample(t, 5, 17, []string{"a", "b"}))
	if err != nil {
		t.Fatal(err)
	}
	r.Name = "evil\x1b]0;owned\a\x9b2J\nname"
	text := r.Text(TextOptions{Width: 72, Rows: 8})
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 72 {
			t.Errorf("a line of %d columns: %q", n, line)
		}
	}
	if strings.ContainsAny(text, "\x1b\a\r") || strings.Contains(text, "\u009b") {
		t.Errorf("control characters reach the terminal: %q", text[:80])
	}
	for _, want := range []string{"cnn8 on planets", "loss: train, o valid", "accuracy 0.7815", "0.756536", "0 step", "84"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	if strings.Count(text, "o") < 5 {
		t.Error("validation points are missing")
	}
	t.Log("\n" + text)
	colored := r.Text(TextOptions{Width: 72, Rows: 8, Color: true})
	if !strings.Contains(colored, "\x1b[34m") {
		t.Error("no colours where they were asked for")
	}
	(&Run{Name: "empty"}).Text(TextOptions{}) // draws nothing, and does not fail
}

// A falling straight line of 4 x 8 dots, by hand.
func TestTextChart(t *testing.T) {
	got := textChart(TextOptions{Width: 14, Rows: 2}, "t", "step", curve{xs: []float64{0, 1, 2}, ys: []float64{1, math.NaN(), 3}}, curve{xs: []float64{2}, ys: []float64{3}})
	want := "         t\n      3 │   o\n      1 │    \n         0 step 2\n"
	if got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	got = textChart(TextOptions{Width: 14, Rows: 2}, "t", "s", curve{xs: []float64{0, 7}, ys: []float64{1, 0}}, curve{})
	want = "         t\n      1 │⠑⢄  \n      0 │  ⠑⢄\n         0 s 7\n"
	if got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}
