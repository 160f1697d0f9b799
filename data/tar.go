package data

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// tarFiles are one or more .tar files, read by offset.
type tarFiles struct {
	shards  []*os.File
	ids     []string
	entries map[string]tarEntry
}

type tarEntry struct {
	shard        int
	offset, size int64
}

func (t *tarFiles) close() error {
	var errs []error
	for _, f := range t.shards {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (t *tarFiles) open(p string) (file, error) {
	e, ok := t.entries[p]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return stored{io.NewSectionReader(t.shards[e.shard], e.offset, e.size)}, nil
}

func (t *tarFiles) read(p string) ([]byte, error) {
	e, ok := t.entries[p]
	if !ok {
		return nil, fs.ErrNotExist
	}
	b := make([]byte, e.size)
	if n, err := t.shards[e.shard].ReadAt(b, e.offset); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = errors.New("the archive ends before it does")
		}
		return nil, err
	}
	return b, nil
}

func (t *tarFiles) identity(p string) (string, error) {
	e, ok := t.entries[p]
	if !ok {
		return "", fs.ErrNotExist
	}
	return fmt.Sprintf("%s\x00%d\x00%d", t.ids[e.shard], e.offset, e.size), nil
}

// listTar lists tar files: shards in webdataset's layout when they hold .cls
// files, or else a tar of class folders.
func listTar(ctx context.Context, source string, shards []string) (_ *listing, err error) {
	t := &tarFiles{entries: map[string]tarEntry{}}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	l := &listing{files: t}
	slices.Sort(shards)
	var found []string // paths in the order of the archives
	labelled := false
	for i, shard := range shards {
		f, err := os.Open(shard)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shard, plain(err))
		}
		t.shards = append(t.shards, f)
		id, err := fileIdentity(shard)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shard, plain(err))
		}
		t.ids = append(t.ids, id)
		prefix := ""
		if len(shards) > 1 {
			prefix = filepath.Base(shard) + "/"
		}
		names, err := t.index(ctx, l, i, prefix)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shard, err)
		}
		found = append(found, names...)
	}
	for _, p := range found {
		labelled = labelled || strings.HasSuffix(p, ".cls")
	}
	if !labelled {
		t.classFolders(l, found, len(shards) > 1)
		return l, nil
	}
	names := classNames(filepath.Join(filepath.Dir(shards[0]), "classes.txt"), filepath.Join(filepath.Dir(shards[0]), "classnames.txt"))
	if err := t.webdataset(l, found, names); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return l, nil
}

// index reads the headers of one tar and remembers where its files lie.
func (t *tarFiles) index(ctx context.Context, l *listing, shard int, prefix string) ([]string, error) {
	f := t.shards[shard]
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var names []string
	skip := func(name, reason string) { l.skipped = append(l.skipped, Skipped{prefix + name, reason}) }
	r := tar.NewReader(f)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			if len(names) > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
				return nil, errors.New("the archive is truncated; download or pack it again")
			}
			return nil, fmt.Errorf("not a readable tar (%w); download or pack it again", err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		p := prefix + name
		_, twice := t.entries[p]
		switch {
		case h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader || hasJunk(name):
			continue
		case !safeName(name):
			skip(name, "unsafe name: it points outside the archive")
			continue
		case h.Typeflag != tar.TypeReg:
			skip(name, "not a regular file ("+kindOf(h.FileInfo().Mode())+")")
			continue
		case twice:
			skip(name, "the archive has this name twice; the first one counts")
			continue
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if h.Size > fi.Size()-at {
			return nil, fmt.Errorf("the archive is truncated at %s; download or pack it again", Printable(name))
		}
		if isSparse(h) {
			skip(name, "a sparse file, which is not supported")
			continue
		}
		t.entries[p] = tarEntry{shard, at, h.Size}
		names = append(names, p)
	}
}

// isSparse tells whether the file's bytes do not lie one after another.
func isSparse(h *tar.Header) bool {
	return h.Typeflag == tar.TypeGNUSparse || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.size"] != ""
}

// classFolders takes the archives as folders of class folders. The entries of
// several lose the archives' names.
func (t *tarFiles) classFolders(l *listing, found []string, several bool) {
	prefix := ""
	if !several {
		prefix = commonTop(found)
	}
	kept := make([]string, 0, len(found))
	for _, p := range found {
		q := strings.TrimPrefix(p, prefix)
		if several {
			_, q, _ = strings.Cut(p, "/")
		}
		if q != p {
			if _, twice := t.entries[q]; twice {
				l.skipped = append(l.skipped, Skipped{p, "another archive has this name; the first one counts"})
				continue
			}
			t.entries[q] = t.entries[p]
			delete(t.entries, p)
		}
		kept = append(kept, q)
	}
	l.classify(kept)
}

// pictureSuffixes are what webdataset's pictures are called; a key's other
// files (.json, .txt) are no concern of ours.
var pictureSuffixes = []string{"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm"}

// webdataset makes samples of files that share a key: KEY.jpg and KEY.cls,
// the latter a class number or name.
func (t *tarFiles) webdataset(l *listing, found []string, names []string) error {
	type sample struct{ picture, label string }
	samples := map[string]*sample{}
	var keys []string
	for _, p := range found {
		dir, base := path.Split(p)
		stem, ext, ok := strings.Cut(base, ".")
		if !ok {
			continue
		}
		key := dir + stem
		s := samples[key]
		if s == nil {
			s = &sample{}
			samples[key] = s
			keys = append(keys, key)
		}
		switch ext = strings.ToLower(ext); {
		case ext == "cls":
			b, err := t.read(p)
			if err != nil || len(b) > 1000 {
				return fmt.Errorf("%s: the label cannot be read", Printable(p))
			}
			s.label = strings.TrimSpace(string(b))
		case slices.Contains(pictureSuffixes, ext) && s.picture == "":
			s.picture = p
		}
	}
	labels := map[string]int{}
	for _, k := range keys {
		switch s := samples[k]; {
		case s.picture == "" && s.label == "":
			delete(samples, k)
		case s.picture == "":
			l.skipped = append(l.skipped, Skipped{k + ".cls", "a label without a picture"})
			delete(samples, k)
		case s.label == "":
			l.skipped = append(l.skipped, Skipped{s.picture, "a picture without a label (.cls)"})
			delete(samples, k)
		default:
			labels[s.label] = -1
		}
	}
	if err := l.numberLabels(labels, names); err != nil {
		return err
	}
	split := shardSides(found)
	for _, k := range keys {
		s, ok := samples[k]
		if !ok {
			continue
		}
		e := entry{path: s.picture, class: labels[s.label]}
		if split {
			e.part = shardSide(s.picture)
		}
		l.entries = append(l.entries, e)
	}
	return nil
}

// shardSides tells whether every shard's name begins with a side of a split, as in
// train-0007.tar.
func shardSides(found []string) bool {
	var train, other bool
	for _, p := range found {
		switch shardSide(p) {
		case partTrain:
			train = true
		case partUnknown:
			return false
		default:
			other = true
		}
	}
	return train && other
}

func shardSide(p string) part {
	shard, _, ok := strings.Cut(p, ".tar/")
	if !ok {
		return partUnknown
	}
	word := strings.FieldsFunc(shard, func(r rune) bool { return r == '-' || r == '_' || r == '.' })
	for _, w := range word {
		if p := partOf(w); p != partUnknown {
			return p
		}
	}
	return partUnknown
}

// numberLabels fills in the class of every label. Labels that are all numbers
// index names, or are classes of their own in the order of the numbers; other
// labels are class names.
func (l *listing) numberLabels(labels map[string]int, names []string) error {
	numbers := true
	most := 0
	for s := range labels {
		n, err := strconv.Atoi(s)
		numbers = numbers && err == nil && n >= 0
		most = max(most, n)
	}
	switch {
	case numbers && names != nil:
		if most >= len(names) {
			return fmt.Errorf("label %d, but there are only %d class names", most, len(names))
		}
		used := make([]int, len(names)) // 1 + the class of a name, 0 where it has no picture
		for s := range labels {
			n, _ := strconv.Atoi(s)
			used[n] = 1
		}
		for n := range used {
			if used[n] > 0 {
				l.classes = append(l.classes, names[n])
				used[n] = len(l.classes)
			}
		}
		l.ordered = true
		for s := range labels {
			n, _ := strconv.Atoi(s)
			labels[s] = used[n] - 1
		}
	default:
		for s := range labels {
			l.classes = append(l.classes, s)
		}
		slices.SortFunc(l.classes, func(a, b string) int {
			if numbers {
				x, _ := strconv.Atoi(a)
				y, _ := strconv.Atoi(b)
				if x != y {
					return x - y
				}
			}
			return strings.Compare(a, b)
		})
		l.ordered = true
		for i, s := range l.classes {
			labels[s] = i
		}
	}
	return nil
}
