package report

import (
	"bytes"
	"image/png"
	"math"
	"strings"
	"testing"
)

func TestBarPlot(t *testing.T) {
	p := BarPlot{Title: "Rates", Label: "images/s", Bars: []Bar{
		{"cpu cnn8 64 train", 250, "250", 0}, {"cpu cnn8 64 predict", 900, "900", 1}, {"nothing", math.NaN(), "", 0}, {"odd\x00name", math.Inf(1), "inf", 5},
	}}
	svg, err := p.Draw(".svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"Rates", "images/s", "cpu cnn8 64 predict", " 900"} {
		if !strings.Contains(string(svg), word) {
			t.Errorf("the SVG lacks %q", word)
		}
	}
	picture, err := p.Draw(".png")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := png.Decode(bytes.NewReader(picture)); err != nil || m.Bounds().Dx() < 1000 {
		t.Errorf("the PNG: %v", err)
	}
	if _, err := p.Draw(".pdf"); err == nil || !strings.Contains(err.Error(), ".pdf") {
		t.Errorf("a PDF: %v", err)
	}
	if _, err := (BarPlot{Title: "Empty"}).Draw(".png"); err == nil {
		t.Error("a plot of nothing was drawn")
	}
}
