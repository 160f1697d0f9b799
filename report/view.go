package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"
)

// scoresView is the part of the page that Interpretation fills.
type scoresView struct {
	Classes     []ClassScore
	Confused    []Confused
	Calibration string
}

// How many rows the page's lists have at most.
const (
	shownConfused  = 10
	shownTopLosses = 12
)

func (r *Run) scores() *scoresView {
	i := r.Interpretation
	if i == nil {
		return nil
	}
	v := &scoresView{Classes: i.Classes, Confused: i.Confused[:min(len(i.Confused), shownConfused)]}
	if i.ECE != nil {
		v.Calibration = fmt.Sprintf("Expected calibration error %s over %d bins of confidence; the right class is among the first five for %s.",
			percent(*i.ECE), len(i.Calibration), percent(*i.Top5))
	}
	return v
}

// layerView is one module's panel.
type layerView struct {
	Index          int
	Name, NearZero string
	Dead           bool
	ColorDim       template.URL
	Moments, Zero  string // the charts' ids
}

// layers describes the activations of every module, with their charts.
func (r *Run) layers() ([]layerView, []Chart, error) {
	a := r.Activations
	if a == nil || len(a.Steps) == 0 {
		return nil, nil, nil
	}
	zero, hundred := 0.0, 100.0
	var views []layerView
	var charts []Chart
	for m, state := range a.Summary() {
		uri, err := imageURI(a.ColorDimImage(m, colorDimColumns))
		if err != nil {
			return nil, nil, err
		}
		v := layerView{Index: m, Name: state.Module, Dead: state.Dead, NearZero: percent(state.NearZero), ColorDim: uri,
			Moments: fmt.Sprintf("moments-%d", m), Zero: fmt.Sprintf("zero-%d", m)}
		means, stds, near := a.Series(a.Mean, m), a.Series(a.Std, m), a.Series(a.NearZero, m)
		moments := Chart{ID: v.Moments, XLabel: "step", Whole: true, Small: true, Series: []Series{{"mean", nil, 1, "line"}, {"std", nil, 2, "line"}}}
		share := Chart{ID: v.Zero, XLabel: "step", Whole: true, Small: true, Min: &zero, Max: &hundred, Series: []Series{{"% near zero", nil, 3, "line"}}}
		for _, i := range Thin(stds, chartPoints/6) {
			x := float64(a.Steps[i])
			moments.X, share.X = append(moments.X, x), append(share.X, x)
			moments.Series[0].Values = append(moments.Series[0].Values, means[i])
			moments.Series[1].Values = append(moments.Series[1].Values, stds[i])
			share.Series[0].Values = append(share.Series[0].Values, 100*near[i])
		}
		views, charts = append(views, v), append(charts, moments, share)
	}
	return views, charts, nil
}

func imageURI(m image.Image) (template.URL, error) {
	var text bytes.Buffer
	if err := png.Encode(&text, m); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(text.Bytes())), nil
}
