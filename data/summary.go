package data

import "slices"

// Summary is what `orrery data ls` prints.
type Summary struct {
	Source  string         `json:"source"`
	Classes map[string]int `json:"classes"` // pictures of each class
	Images  int            `json:"images"`
	Train   int            `json:"train,omitempty"` // where the source brings a split
	Valid   int            `json:"valid,omitempty"`
	Skipped []Skipped      `json:"skipped"`
	Formats map[string]int `json:"formats"`
	Bytes   int64          `json:"bytes"`  // of the files
	Pixels  int64          `json:"pixels"` // of all pictures
	Width   Range          `json:"width"`
	Height  Range          `json:"height"`
}

// Range is the spread of a number over all pictures.
type Range struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	Max    int `json:"max"`
}

func rangeOf(v []int) Range {
	if len(v) == 0 {
		return Range{}
	}
	slices.Sort(v)
	return Range{v[0], v[len(v)/2], v[len(v)-1]}
}

// Summary counts what the set holds, from the headers alone.
func (d *Dataset) Summary() Summary {
	s := Summary{Source: d.Source, Classes: map[string]int{}, Images: len(d.Samples), Train: len(d.Train), Valid: len(d.Valid),
		Skipped: append([]Skipped{}, d.Skipped...), Formats: map[string]int{}}
	for i, n := range d.Counts() {
		s.Classes[d.Classes[i]] = n
	}
	var widths, heights []int
	for i, h := range d.Headers {
		s.Formats[h.Format]++
		s.Bytes += h.Bytes
		w, ht := d.Size(i)
		s.Pixels += int64(w) * int64(ht)
		widths, heights = append(widths, w), append(heights, ht)
	}
	s.Width, s.Height = rangeOf(widths), rangeOf(heights)
	return s
}
