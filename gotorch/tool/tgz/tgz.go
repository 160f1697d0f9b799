// Package tgz reads and writes .tar.gz archives.
package tgz

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// Reader reads the entries of a .tar.gz archive as a [tar.Reader] does.
type Reader struct {
	*tar.Reader
	gzip *gzip.Reader
	file *os.File // nil when the archive came as an io.Reader
}

// OpenFile opens an archive. The caller closes it.
func OpenFile(fn string) (*Reader, error) {
	f, err := os.Open(fn)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: expected a .tar.gz archive: %w", fn, err)
	}
	r.file = f
	return r, nil
}

// NewReader reads an archive from r.
func NewReader(r io.Reader) (*Reader, error) {
	g, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &Reader{Reader: tar.NewReader(g), gzip: g}, nil
}

// Close closes the archive and the file that OpenFile opened.
func (r *Reader) Close() error {
	err := r.gzip.Close()
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	return err
}

// Writer writes the entries of a .tar.gz archive as a [tar.Writer] does.
type Writer struct {
	*tar.Writer
	gzip *gzip.Writer
	file *os.File // nil when the archive goes to an io.Writer
}

// CreateFile creates an archive. The caller closes it, which completes it.
func CreateFile(fn string) (*Writer, error) {
	f, err := os.Create(fn)
	if err != nil {
		return nil, err
	}
	w := NewWriter(f)
	w.file = f
	return w, nil
}

// NewWriter writes an archive to w. Close completes it.
func NewWriter(w io.Writer) *Writer {
	g := gzip.NewWriter(w)
	return &Writer{Writer: tar.NewWriter(g), gzip: g}
}

// Close completes the archive and closes the file that CreateFile created.
func (w *Writer) Close() error {
	err := errors.Join(w.Writer.Close(), w.gzip.Close())
	if w.file != nil {
		err = errors.Join(err, w.file.Close())
	}
	return err
}

// ListFile returns the headers of an archive's regular files in their order.
func ListFile(fn string) ([]*tar.Header, error) {
	r, err := OpenFile(fn)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	list := []*tar.Header{}
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: after %d files: %w", fn, len(list), err)
		}
		if h.Typeflag == tar.TypeReg {
			list = append(list, h)
		}
	}
}
