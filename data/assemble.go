package data

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// assemble looks into every listed file and makes the Dataset.
func assemble(ctx context.Context, source string, l *listing, o Options) (*Dataset, error) {
	before := l.used()
	var left int
	if l.entries, left = settleTest(l.entries); left > 0 {
		o.Log.Info("the test pictures are left alone, since there are validation pictures", "count", left)
	}
	after := l.used()
	var classes []string
	for i, c := range l.classes {
		if before[i] && !after[i] {
			o.Log.Warn("a class has test pictures only and is left out", "class", c)
			continue
		}
		classes = append(classes, c)
	}
	if len(classes) < 2 {
		l.classes = classes
		return nil, tooFewClasses(source, l)
	}
	if !l.ordered {
		slices.Sort(classes)
	}
	index := map[string]int{}
	folded := map[string]string{}
	for i, c := range classes {
		index[c] = i
		if other, ok := folded[strings.ToLower(c)]; ok {
			return nil, fmt.Errorf("%s: the classes %q and %q differ only by case; rename or merge one", source, other, c)
		}
		folded[strings.ToLower(c)] = c
	}
	slices.SortFunc(l.entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })

	headers := make([]Header, len(l.entries))
	reasons := make([]string, len(l.entries))
	err := parallel(ctx, len(l.entries), o.Workers, func(i int) {
		h, err := header(l.files, l.entries[i].path, o.MaxPixels)
		headers[i] = h
		if err != nil {
			reasons[i] = plain(err).Error()
		}
	})
	if err != nil {
		return nil, err
	}

	d := &Dataset{Source: source, Classes: classes, Skipped: l.skipped, files: l.files, opts: o}
	// Header after header may be fine and no picture be: decode until one is.
	decoded := make([]bool, len(classes))
	bad := make([]int, len(classes)) // files seen, all bad where none decodes
	firstBad := make([]Skipped, len(classes))
	var scratch Picture
	for i, e := range l.entries {
		label := index[l.classes[e.class]]
		if reasons[i] == "" && !decoded[label] {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := decodeEntry(&scratch, l.files, e.path, d.DecodeOptions()); err != nil {
				reasons[i] = plain(err).Error()
			} else {
				decoded[label] = true
			}
		}
		if reasons[i] != "" && firstBad[label].Path == "" {
			firstBad[label] = Skipped{e.path, reasons[i]}
		}
		bad[label]++
		if reasons[i] != "" {
			d.Skipped = append(d.Skipped, Skipped{e.path, reasons[i]})
			continue
		}
		switch e.part {
		case partTrain:
			d.Train = append(d.Train, len(d.Samples))
		case partValid:
			d.Valid = append(d.Valid, len(d.Samples))
		}
		d.Samples = append(d.Samples, Sample{e.path, label})
		d.Headers = append(d.Headers, headers[i])
	}
	slices.SortFunc(d.Skipped, func(a, b Skipped) int { return strings.Compare(a.Path, b.Path) })
	for label, ok := range decoded {
		if !ok {
			return nil, noneReadable(d, label, bad[label], firstBad[label])
		}
	}
	return d, nil
}

// used tells which classes have entries.
func (l *listing) used() []bool {
	u := make([]bool, len(l.classes))
	for _, e := range l.entries {
		u[e.class] = true
	}
	return u
}

func tooFewClasses(source string, l *listing) error {
	switch {
	case len(l.classes) == 1:
		return fmt.Errorf("%s holds one class folder (%s), but two classes at least are needed%s", source, Printable(l.classes[0]), l.hint)
	case l.stray > 0:
		return fmt.Errorf("%s holds %d files and no class folder; put the pictures of each class into a folder named after it", source, l.stray)
	}
	return fmt.Errorf("%s is empty; put the pictures of each class into a folder of its own, named after the class", source)
}

// noneReadable says that a class has no picture, with the first reason.
func noneReadable(d *Dataset, label, n int, first Skipped) error {
	name := d.Classes[label]
	if n == 0 {
		return fmt.Errorf("%s: the class folder %s holds no pictures; add some or remove the folder", d.Source, Printable(name))
	}
	return fmt.Errorf("%s: none of the %d files of the class %s is a readable picture (%s: %s); replace them or remove the class",
		d.Source, n, Printable(name), Printable(first.Path), first.Reason)
}

// decodeEntry reads and decodes one file, or takes its pixels as they are.
func decodeEntry(p *Picture, f files, path string, o DecodeOptions) error {
	if r, ok := f.(rawPixels); ok {
		return scaledTo(p, o.ShortSide, func(p *Picture) error { return r.picture(p, path) })
	}
	b, err := readFor(p, f, path)
	if err != nil {
		return err
	}
	return DecodeInto(p, b, o)
}

// readFor reads a file that becomes p, into its room where it has one.
func readFor(p *Picture, f files, path string) (b []byte, err error) {
	again, ok := f.(refilled)
	if !ok || p.room == nil {
		return f.read(path)
	}
	if b, err = again.readInto(p.room.file, path); err == nil {
		p.room.file = b
	}
	return b, err
}

func header(f files, path string, maxPixels int) (Header, error) {
	if r, ok := f.(rawPixels); ok {
		return r.header(path), nil
	}
	h, err := f.open(path)
	if err != nil {
		return Header{}, err
	}
	defer h.Close()
	if h.Size() > maxFileBytes {
		return Header{}, fmt.Errorf("the file has %d bytes, more than the limit of %d", h.Size(), int64(maxFileBytes))
	}
	return ReadHeader(h, h.Size(), maxPixels)
}

// parallel calls f for 0..n-1 from several goroutines, until all is done or
// ctx is.
func parallel(ctx context.Context, n, workers int, f func(i int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || ctx.Err() != nil {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}
