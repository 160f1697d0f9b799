package data

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits on what an archive may claim. Pictures hardly deflate, so a high
// ratio means a bomb; small entries may be anything.
const (
	maxZipEntries = 5_000_000
	maxZipRatio   = 200
	ratioFreeSize = 1 << 20 // bytes: the ratio of smaller entries is not looked at
)

// zipFiles is a set in a .zip, read by offset, never unpacked.
type zipFiles struct {
	f       *os.File
	id      string // of the archive
	entries map[string]*zip.File
}

func (z *zipFiles) close() error { return z.f.Close() }

func (z *zipFiles) open(p string) (file, error) {
	e, ok := z.entries[p]
	if !ok {
		return nil, fs.ErrNotExist
	}
	size := int64(e.UncompressedSize64)
	if e.Method == zip.Store {
		off, err := e.DataOffset()
		if err != nil {
			return nil, err
		}
		return stored{io.NewSectionReader(z.f, off, size)}, nil
	}
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	return &inflating{r: r, size: size}, nil
}

func (z *zipFiles) identity(p string) (string, error) {
	e, ok := z.entries[p]
	if !ok {
		return "", fs.ErrNotExist
	}
	return fmt.Sprintf("%s\x00%s\x00%d\x00%08x", z.id, e.Name, e.UncompressedSize64, e.CRC32), nil
}

func (z *zipFiles) read(p string) ([]byte, error) {
	e, ok := z.entries[p]
	if !ok {
		return nil, fs.ErrNotExist
	}
	r, err := e.Open() // checks the CRC
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, e.UncompressedSize64)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, zipError(err)
	}
	var one [1]byte
	if n, err := r.Read(one[:]); n != 0 || err != io.EOF {
		if n != 0 {
			err = errors.New("the archive lies about its size")
		}
		return nil, zipError(err)
	}
	return b, nil
}

func zipError(err error) error {
	switch {
	case errors.Is(err, zip.ErrChecksum):
		return errors.New("damaged in the archive: its checksum does not match")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("damaged in the archive: shorter than the archive says")
	}
	return fmt.Errorf("damaged in the archive: %w", err)
}

type stored struct{ *io.SectionReader }

func (stored) Close() error { return nil }

// inflating gives random access to a deflated entry by keeping what was
// inflated so far: a header lies at the start.
type inflating struct {
	r    io.ReadCloser
	size int64
	buf  []byte
	err  error
}

func (z *inflating) Size() int64  { return z.size }
func (z *inflating) Close() error { return z.r.Close() }

func (z *inflating) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= z.size {
		return 0, io.EOF
	}
	want := min(off+int64(len(b)), z.size)
	for int64(len(z.buf)) < want && z.err == nil {
		z.buf = slices.Grow(z.buf, 32<<10)
		room := z.buf[len(z.buf):min(int64(cap(z.buf)), z.size)]
		var n int
		n, z.err = z.r.Read(room)
		z.buf = z.buf[:len(z.buf)+n]
	}
	if off >= int64(len(z.buf)) {
		return 0, zipError(cmpErr(z.err))
	}
	n := copy(b, z.buf[off:])
	if n < len(b) {
		return n, cmpErr(z.err)
	}
	return n, nil
}

func cmpErr(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// listZip lists a .zip of class folders, with or without one folder around
// them.
func listZip(ctx context.Context, source string) (_ *listing, err error) {
	f, err := os.Open(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, plain(err))
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	fi, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, plain(err))
	}
	id, err := fileIdentity(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, plain(err))
	}
	z := &zipFiles{f: f, id: id, entries: map[string]*zip.File{}}
	l := &listing{files: z}
	if err := z.list(ctx, l, fi.Size()); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return l, nil
}

func (z *zipFiles) list(ctx context.Context, l *listing, size int64) error {
	r, err := zip.NewReader(z.f, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return fmt.Errorf("not a readable zip (%w); download or pack it again", err)
	}
	if len(r.File) > maxZipEntries {
		return fmt.Errorf("the archive lists %d files, more than the limit of %d", len(r.File), maxZipEntries)
	}
	names := map[string]string{} // by lower case
	var good []*zip.File
	for _, e := range r.File {
		if hasJunk(e.Name) || strings.HasSuffix(e.Name, "/") && safeName(strings.TrimSuffix(e.Name, "/")) {
			continue
		}
		if reason := z.refuse(e, names); reason != "" {
			l.skipped = append(l.skipped, Skipped{e.Name, reason})
			continue
		}
		names[strings.ToLower(e.Name)] = e.Name
		good = append(good, e)
	}
	if err := overlapping(good); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	paths := make([]string, len(good))
	for i, e := range good {
		paths[i] = e.Name
	}
	prefix := commonTop(paths)
	var kept []string
	for _, e := range good {
		p := strings.TrimPrefix(e.Name, prefix)
		z.entries[p] = e
		kept = append(kept, p)
	}
	l.classify(kept)
	return nil
}

// classify makes entries of slash-separated paths CLASS/FILE, or SIDE/CLASS/FILE
// where the first parts are the sides of a split.
func (l *listing) classify(paths []string) {
	var tops []string
	split := true
	seen := map[string]bool{}
	for _, p := range paths {
		top, rest, ok := strings.Cut(p, "/")
		if !ok {
			continue
		}
		if !seen[top] {
			seen[top] = true
			tops = append(tops, top)
		}
		split = split && strings.Contains(rest, "/")
	}
	split = split && sides(tops)
	classOf := map[string]int{}
	for _, p := range paths {
		class, rest, ok := strings.Cut(p, "/")
		side := partUnknown
		if ok && split {
			side = partOf(class)
			class, _, ok = strings.Cut(rest, "/")
		}
		if !ok {
			l.stray++
			continue
		}
		c, known := classOf[class]
		if !known {
			c = len(l.classes)
			classOf[class] = c
			l.classes = append(l.classes, class)
		}
		l.entries = append(l.entries, entry{p, c, side})
	}
}

// refuse returns why an entry of the archive is left out, or "".
func (z *zipFiles) refuse(e *zip.File, names map[string]string) string {
	mode := e.Mode()
	other, seen := names[strings.ToLower(e.Name)]
	switch {
	case !safeName(e.Name):
		return "unsafe name: it points outside the archive"
	case !mode.IsRegular():
		return "not a regular file (" + kindOf(mode) + ")"
	case seen && other == e.Name:
		return "the archive has this name twice; the first one counts"
	case seen:
		return fmt.Sprintf("its name differs from %s only by case", Printable(other))
	case e.Flags&1 != 0:
		return "encrypted"
	case e.Method != zip.Store && e.Method != zip.Deflate:
		return fmt.Sprintf("packed with method %d, which is not supported", e.Method)
	case e.Method == zip.Store && e.CompressedSize64 != e.UncompressedSize64:
		return "the archive lies about its size"
	case e.UncompressedSize64 > maxFileBytes:
		return fmt.Sprintf("the archive claims %d bytes, more than the limit of %d", e.UncompressedSize64, int64(maxFileBytes))
	case e.UncompressedSize64 > ratioFreeSize && e.UncompressedSize64/maxZipRatio > e.CompressedSize64:
		return fmt.Sprintf("the archive claims %d bytes in %d: a bomb", e.UncompressedSize64, e.CompressedSize64)
	}
	return ""
}

// safeName accepts relative slash-separated names that stay below the root.
func safeName(name string) bool {
	if name == "" || !utf8.ValidString(name) && strings.ContainsRune(name, 0) {
		return false
	}
	if strings.ContainsAny(name, "\\\x00") || len(name) >= 2 && name[1] == ':' {
		return false
	}
	return fs.ValidPath(strings.ToValidUTF8(name, "_")) && path.Clean(name) == name
}

func hasJunk(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part != "." && part != ".." && junk(part) {
			return true
		}
	}
	return false
}

// commonTop returns "top/" when every file that lies in a folder lies below
// one folder top, and some lie in folders of it.
func commonTop(paths []string) string {
	top, deep := "", false
	for _, p := range paths {
		first, rest, ok := strings.Cut(p, "/")
		if !ok { // beside the folders, a README say
			continue
		}
		if top != "" && first != top {
			return ""
		}
		top = first
		deep = deep || strings.Contains(rest, "/")
	}
	if !deep {
		return ""
	}
	return top + "/"
}

// overlapping refuses archives in which two entries share bytes, the trick of
// bombs that beat any cap on ratios.
func overlapping(entries []*zip.File) error {
	type span struct {
		from, to int64
		name     string
	}
	spans := make([]span, 0, len(entries))
	for _, e := range entries {
		off, err := e.DataOffset()
		if err != nil {
			return fmt.Errorf("%s: %w", Printable(e.Name), zipError(err))
		}
		spans = append(spans, span{off, off + int64(e.CompressedSize64), Printable(e.Name)})
	}
	slices.SortFunc(spans, func(a, b span) int {
		if a.from != b.from {
			return int(min(max(a.from-b.from, -1), 1))
		}
		return int(min(max(a.to-b.to, -1), 1))
	})
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return fmt.Errorf("%s and %s share bytes of the archive: a bomb", spans[i-1].name, spans[i].name)
		}
	}
	return nil
}
