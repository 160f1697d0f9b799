package data

import (
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// DefaultNear is the number of bits, of 256, in which the hashes of two
// pictures may differ that count as near duplicates.
const DefaultNear = 10

// VerifyOptions says what Verify looks for.
type VerifyOptions struct {
	Workers int // goroutines; 0 means those of Open

	// Near is the largest distance of near duplicates; 0 means DefaultNear, less
	// than 0 looks for none.
	Near int

	// Train and Valid are the split to look for leaks in; nil means the one the
	// source brings, if any.
	Train, Valid []int

	Progress func(done, total int) // called now and then, from several goroutines; may be nil
}

// Report is what `orrery data verify` prints. Its lists are never nil.
type Report struct {
	Images         int         `json:"images"`          // pictures that can be read
	Bad            []Skipped   `json:"bad"`             // files that cannot, and why
	Duplicates     [][]string  `json:"duplicates"`      // groups with the same pixels
	NearDuplicates []Near      `json:"near_duplicates"` // pairs that look alike
	Conflicts      []Conflict  `json:"conflicts"`       // duplicates, exact or near, in two classes
	Leaks          []SplitLeak `json:"leaks"`           // duplicates, exact or near, on both sides of the split
}

// Near is two pictures that look alike; Distance is the number of bits, of
// 256, in which their hashes differ.
type Near struct {
	Paths    [2]string `json:"paths"`
	Distance int       `json:"distance"`
}

// Conflict is two pictures that are the same or look alike and bear different
// labels.
type Conflict struct {
	Paths    [2]string `json:"paths"`
	Classes  [2]string `json:"classes"`
	Distance int       `json:"distance"`
}

// SplitLeak is a picture to validate on that training sees, too.
type SplitLeak struct {
	Train    string `json:"train"`
	Valid    string `json:"valid"`
	Distance int    `json:"distance"`
}

// OK says that nothing was found.
func (r *Report) OK() bool {
	return len(r.Bad)+len(r.Duplicates)+len(r.NearDuplicates)+len(r.Conflicts)+len(r.Leaks) == 0
}

// Verify decodes every picture of the set and reports those that are bad,
// duplicates, near duplicates, labelled twice or on both sides of the split.
func (d *Dataset) Verify(ctx context.Context, o VerifyOptions) (*Report, error) {
	if o.Workers <= 0 {
		o.Workers = d.opts.Workers
	}
	if o.Near == 0 {
		o.Near = DefaultNear
	}
	if o.Train == nil && o.Valid == nil {
		o.Train, o.Valid = d.Train, d.Valid
	}
	n := len(d.Samples)
	type looked struct {
		err   string
		sum   uint64
		print Fingerprint
	}
	look := make([]looked, n)
	seed := maphash.MakeSeed()
	scratch := sync.Pool{New: func() any { return &Picture{} }}
	var done atomic.Int64
	err := parallel(ctx, n, o.Workers, func(i int) {
		p := scratch.Get().(*Picture)
		defer scratch.Put(p)
		if err := decodeEntry(p, d.files, d.Samples[i].Path, d.DecodeOptions()); err != nil {
			look[i].err = plain(err).Error()
		} else {
			var h maphash.Hash
			h.SetSeed(seed)
			maphash.WriteComparable(&h, [2]int{p.Width, p.Height})
			h.Write(p.Pix)
			look[i].sum = h.Sum64()
			look[i].print = NewFingerprint(p)
		}
		if k := int(done.Add(1)); o.Progress != nil && (k%64 == 0 || k == n) {
			o.Progress(k, n)
		}
	})
	if err != nil {
		return nil, err
	}

	r := &Report{Bad: append([]Skipped{}, d.Skipped...), Duplicates: [][]string{}, NearDuplicates: []Near{}, Conflicts: []Conflict{}, Leaks: []SplitLeak{}}
	groups := map[uint64][]int{}
	var firsts []int // of each group of equal pictures
	for i := range look {
		if look[i].err != "" {
			r.Bad = append(r.Bad, Skipped{d.Samples[i].Path, look[i].err})
			continue
		}
		r.Images++
		if groups[look[i].sum] == nil {
			firsts = append(firsts, i)
		}
		groups[look[i].sum] = append(groups[look[i].sum], i)
	}
	slices.SortFunc(r.Bad, func(a, b Skipped) int { return strings.Compare(a.Path, b.Path) })

	side := make([]part, n)
	for _, i := range o.Train {
		side[i] = partTrain
	}
	for _, i := range o.Valid {
		side[i] = partValid
	}
	for _, first := range firsts {
		g := groups[look[first].sum]
		if len(g) < 2 {
			continue
		}
		var names []string
		for _, i := range g {
			names = append(names, d.Samples[i].Path)
		}
		r.Duplicates = append(r.Duplicates, names)
		r.compare(d, side, g, g, 0)
	}
	if o.Near > 0 {
		prints := make([]Fingerprint, len(firsts))
		for k, i := range firsts {
			prints[k] = look[i].print
		}
		for _, p := range NearPairs(prints, o.Near) {
			a, b := firsts[p.A], firsts[p.B]
			r.NearDuplicates = append(r.NearDuplicates, Near{[2]string{d.Samples[a].Path, d.Samples[b].Path}, p.Distance})
			r.compare(d, side, groups[look[a].sum], groups[look[b].sum], p.Distance)
		}
	}
	return r, nil
}

// compare looks at two groups of like pictures, or twice the same: it reports
// the first pair of each two labels and the first pair across the split.
func (r *Report) compare(d *Dataset, side []part, a, b []int, distance int) {
	labels := map[[2]int]bool{}
	leak := false
	for _, i := range a {
		for _, j := range b {
			li, lj := d.Samples[i].Label, d.Samples[j].Label
			if li != lj && !labels[[2]int{min(li, lj), max(li, lj)}] {
				labels[[2]int{min(li, lj), max(li, lj)}] = true
				r.Conflicts = append(r.Conflicts, Conflict{[2]string{d.Samples[i].Path, d.Samples[j].Path}, [2]string{d.Classes[li], d.Classes[lj]}, distance})
			}
			if leak {
				continue
			}
			t, v := i, j
			if side[t] == partValid {
				t, v = v, t
			}
			if side[t] == partTrain && side[v] == partValid {
				leak = true
				r.Leaks = append(r.Leaks, SplitLeak{d.Samples[t].Path, d.Samples[v].Path, distance})
			}
		}
	}
}
