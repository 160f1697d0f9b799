// Package data turns a folder of class folders, an archive of one, a .csv, the
// files of a known set or the word "planets" into a Dataset: samples with
// labels, a split and decoded pixels.
package data

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
)

// Sample is one picture of a Dataset.
type Sample struct {
	Path  string // slash-separated, relative to the set's root
	Label int    // index into Dataset.Classes
}

// Skipped is a file that was left out, and why.
type Skipped struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Dataset is a set of labelled pictures. Its exported fields do not change
// after Open; its methods may be called by many goroutines.
type Dataset struct {
	Source  string    // as given to Open
	Classes []string  // sorted, or in the order of the source's label numbers
	Samples []Sample  // sorted by Path
	Skipped []Skipped // sorted by Path
	Headers []Header  // of Samples, in their order

	// Train and Valid are the indices of Samples on either side of the split
	// that the source itself brings; both nil where it brings none.
	Train, Valid []int

	files     files
	opts      Options
	shortSide int // see DecodedAs
	quick     bool
	jpeg      JPEGDecoder
}

// Options says how Open reads.
type Options struct {
	Workers           int  // goroutines that look at files; 0 means one for each core
	MaxPixels         int  // larger pictures are skipped; 0 means DefaultMaxPixels
	IgnoreOrientation bool // leave pixels as stored where EXIF says they lie otherwise
	Log               *slog.Logger

	// Progress, if not nil, is called while the planets are rendered, which
	// happens once for a user.
	Progress func(done, total int)
}

func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.MaxPixels <= 0 {
		o.MaxPixels = DefaultMaxPixels
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// DecodeOptions returns what Picture decodes with.
func (d *Dataset) DecodeOptions() DecodeOptions {
	return DecodeOptions{MaxPixels: d.opts.MaxPixels, IgnoreOrientation: d.opts.IgnoreOrientation, ShortSide: d.shortSide, Quick: d.quick, JPEG: d.jpeg}
}

// DecodedAs returns the same set with its pictures decoded with these options,
// except that MaxPixels stays that of Open. It shares the files of d, which is
// the one to be closed.
func (d *Dataset) DecodedAs(o DecodeOptions) *Dataset {
	view := *d
	view.shortSide, view.quick, view.jpeg, view.opts.IgnoreOrientation = o.ShortSide, o.Quick, o.JPEG, o.IgnoreOrientation
	return &view
}

// Len returns the number of samples.
func (d *Dataset) Len() int { return len(d.Samples) }

// Labels returns the labels of all samples in their order.
func (d *Dataset) Labels() []int64 {
	l := make([]int64, len(d.Samples))
	for i, s := range d.Samples {
		l[i] = int64(s.Label)
	}
	return l
}

// Counts returns the number of samples of each class.
func (d *Dataset) Counts() []int {
	n := make([]int, len(d.Classes))
	for _, s := range d.Samples {
		n[s.Label]++
	}
	return n
}

// Bytes returns the file of sample i as stored.
func (d *Dataset) Bytes(i int) ([]byte, error) {
	b, err := d.files.read(d.Samples[i].Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Printable(d.Samples[i].Path), plain(err))
	}
	return b, nil
}

// Picture reads and decodes sample i into fresh memory.
func (d *Dataset) Picture(i int) (*Picture, error) {
	p := &Picture{}
	if err := d.PictureInto(p, i); err != nil {
		return nil, err
	}
	return p, nil
}

// PictureInto reads and decodes sample i into the memory of p, which grows
// when it is too small. The error names the file.
func (d *Dataset) PictureInto(p *Picture, i int) error {
	if err := decodeEntry(p, d.files, d.Samples[i].Path, d.DecodeOptions()); err != nil {
		return fmt.Errorf("%s: %w", Printable(d.Samples[i].Path), plain(err))
	}
	return nil
}

// Size returns the size of sample i as Picture decodes it, from its header.
func (d *Dataset) Size(i int) (width, height int) {
	return d.Headers[i].decodedSize(d.DecodeOptions())
}

// Close releases what the source holds open.
func (d *Dataset) Close() error {
	if d.files == nil {
		return nil
	}
	return d.files.close()
}

// Open opens a set. source is one of
//   - a folder of class folders, or of a folder train and one valid (val,
//     validation, test) of class folders each;
//   - a .zip or .tar of one, with or without one folder around it;
//   - a .csv or .tsv of path,label[,split], paths relative to it;
//   - a .tar, or a folder of them, in webdataset's layout: KEY.jpg, KEY.cls;
//   - a folder of CIFAR-10's or CIFAR-100's binary files, or of IDX files
//     (MNIST, Fashion-MNIST);
//   - the word "planets", the built-in set.
//
// The header of every file is read now, in parallel; pixels are decoded
// later, except that of each class pictures are decoded until one succeeds.
// Files that are no readable picture end up in Skipped. It is an error when
// fewer than two classes are found or one of them has no readable picture.
func Open(ctx context.Context, source string, o Options) (*Dataset, error) {
	o = o.withDefaults()
	if source == "" {
		return nil, errors.New(`no data given: name a folder of class folders, a .zip of one, or the word "planets"`)
	}
	l, err := list(ctx, source, o)
	if err != nil {
		return nil, err
	}
	d, err := assemble(ctx, source, l, o)
	if err != nil {
		l.files.close()
		return nil, err
	}
	return d, nil
}
