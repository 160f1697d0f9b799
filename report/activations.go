package report

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"

	"github.com/wangkuiyi/orrery/report/npz"
)

// HistogramBins is how many bins over [0, 10) an activation histogram has.
const HistogramBins = 40

// Activations are the statistics of each module's output, kept for every
// training step, as fastai's ActivationStats(with_hist=True) takes them.
//
// In activations.npz, with S steps and M modules, they are the arrays
//
//	modules    [M]         text, such as "0.conv"
//	steps      [S]         int64, counted from 0 over the run
//	mean       [S, M]      float32
//	std        [S, M]      float32, unbiased
//	near_zero  [S, M]      float32, the fraction of values <= 0.05, in [0, 1]
//	histogram  [S, M, 40]  uint32, counts in 40 equal bins over 0..10
type Activations struct {
	Modules             []string
	Steps               []int64
	Mean, Std, NearZero []float32 // row-major, [S, M]
	Histogram           []uint32  // row-major, [S, M, HistogramBins]
}

// LoadActivations reads activations.npz.
func LoadActivations(path string) (*Activations, error) {
	arrays, err := npz.Read(path)
	if err != nil {
		return nil, err
	}
	a, err := activationsOf(arrays)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// DecodeActivations reads the content of activations.npz, which has so many bytes.
func DecodeActivations(r io.ReaderAt, size int64) (*Activations, error) {
	arrays, err := npz.Decode(r, size)
	if err != nil {
		return nil, err
	}
	return activationsOf(arrays)
}

func activationsOf(arrays map[string]npz.Array) (*Activations, error) {
	a := &Activations{}
	a.Modules, _ = arrays["modules"].Data.([]string)
	a.Steps, _ = arrays["steps"].Data.([]int64)
	a.Mean, _ = arrays["mean"].Data.([]float32)
	a.Std, _ = arrays["std"].Data.([]float32)
	a.NearZero, _ = arrays["near_zero"].Data.([]float32)
	a.Histogram, _ = arrays["histogram"].Data.([]uint32)
	if err := a.check(); err != nil {
		return nil, err
	}
	return a, nil
}

// WriteActivations writes activations.npz, whole or not at all.
func WriteActivations(path string, a *Activations) error {
	if err := a.check(); err != nil {
		return err
	}
	s, m := len(a.Steps), len(a.Modules)
	return npz.Write(path,
		npz.Array{Name: "modules", Shape: []int{m}, Data: a.Modules},
		npz.Array{Name: "steps", Shape: []int{s}, Data: a.Steps},
		npz.Array{Name: "mean", Shape: []int{s, m}, Data: a.Mean},
		npz.Array{Name: "std", Shape: []int{s, m}, Data: a.Std},
		npz.Array{Name: "near_zero", Shape: []int{s, m}, Data: a.NearZero},
		npz.Array{Name: "histogram", Shape: []int{s, m, HistogramBins}, Data: a.Histogram})
}

func (a *Activations) check() error {
	if len(a.Modules) == 0 {
		return errors.New("activations: no array \"modules\" with the modules' names")
	}
	n := len(a.Steps) * len(a.Modules)
	for _, array := range []struct {
		name string
		have int
		want int
	}{{"mean", len(a.Mean), n}, {"std", len(a.Std), n}, {"near_zero", len(a.NearZero), n}, {"histogram", len(a.Histogram), n * HistogramBins}} {
		if array.have != array.want {
			return fmt.Errorf("activations: array %q has %d values; %d steps of %d modules want %d", array.name, array.have, len(a.Steps), len(a.Modules), array.want)
		}
	}
	return nil
}

// Series gives one module's statistic against the steps. values is Mean, Std or NearZero.
func (a *Activations) Series(values []float32, module int) []float64 {
	list := make([]float64, len(a.Steps))
	for s := range list {
		list[s] = float64(values[s*len(a.Modules)+module])
	}
	return list
}

// ColorDim is fastai's color_dim as numbers: log1p of the counts, with bins as
// rows, lowest bin first, and steps as columns. More than columns steps are
// averaged before the logarithm; columns of 0 keeps all.
func (a *Activations) ColorDim(module, columns int) [][]float64 {
	n := len(a.Steps)
	if columns <= 0 || columns > n {
		columns = n
	}
	rows := make([][]float64, HistogramBins)
	for b := range rows {
		rows[b] = make([]float64, columns)
		for c := range columns {
			from, to := c*n/columns, (c+1)*n/columns
			sum := 0.0
			for s := from; s < to; s++ {
				sum += float64(a.Histogram[(s*len(a.Modules)+module)*HistogramBins+b])
			}
			rows[b][c] = math.Log1p(sum / float64(to-from))
		}
	}
	return rows
}

// ColorDimImage draws ColorDim with one pixel a bin and column, the lowest bin
// at the bottom, the least value dark and the greatest bright.
func (a *Activations) ColorDimImage(module, columns int) *image.Paletted {
	rows := a.ColorDim(module, columns)
	m := image.NewPaletted(image.Rect(0, 0, max(1, len(rows[0])), HistogramBins), heatScale)
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range rows {
		for _, v := range row {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	for b, row := range rows {
		for c, v := range row {
			index := 0
			if high > low {
				index = int(math.Round(255 * (v - low) / (high - low)))
			}
			m.SetColorIndex(c, HistogramBins-1-b, uint8(index))
		}
	}
	return m
}

// heatScale runs from dark violet over green to yellow, evenly in lightness.
var heatScale = func() color.Palette {
	stops := []color.RGBA{{68, 1, 84, 255}, {72, 40, 120, 255}, {62, 74, 137, 255}, {49, 104, 142, 255}, {38, 130, 142, 255},
		{31, 158, 137, 255}, {53, 183, 121, 255}, {110, 206, 88, 255}, {181, 222, 43, 255}, {253, 231, 37, 255}}
	scale := make(color.Palette, 256)
	for i := range scale {
		at := float64(i) / 255 * float64(len(stops)-1)
		k := min(int(at), len(stops)-2)
		part := at - float64(k)
		mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + part*(float64(b)-float64(a)))) }
		a, b := stops[k], stops[k+1]
		scale[i] = color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
	}
	return scale
}()

// A ModuleState is how a module's output looked in the last steps.
type ModuleState struct {
	Module string `json:"module"`
	// Means over the last tenth of the steps, at least one.
	Mean     float64 `json:"mean"`
	Std      float64 `json:"std"`
	NearZero float64 `json:"near_zero"`
	Dead     bool    `json:"dead"` // more than 95 % near zero
}

// Summary tells for every module how it ended.
func (a *Activations) Summary() []ModuleState {
	n := len(a.Steps)
	from := n - max(1, n/10)
	list := make([]ModuleState, len(a.Modules))
	for m, name := range a.Modules {
		s := ModuleState{Module: name, Mean: math.NaN(), Std: math.NaN(), NearZero: math.NaN()}
		if n > 0 {
			s.Mean, s.Std, s.NearZero = mean(a.Series(a.Mean, m)[from:]), mean(a.Series(a.Std, m)[from:]), mean(a.Series(a.NearZero, m)[from:])
			s.Dead = s.NearZero > 0.95
		}
		list[m] = s
	}
	return list
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
