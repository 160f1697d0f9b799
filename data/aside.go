package data

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// SetAside moves files of a set that is a folder to the folder dir, below
// which they keep their paths. It never overwrites and loses nothing when it
// is killed: a file is whole in one of the two places. It returns how many it
// moved.
func (d *Dataset) SetAside(paths []string, dir string) (moved int, err error) {
	f, ok := d.files.(folder)
	if !ok {
		return 0, fmt.Errorf("%s is no folder; its pictures cannot be moved", d.Source)
	}
	root, err := filepath.Abs(f.root)
	if err != nil {
		return 0, err
	}
	to, err := filepath.Abs(dir)
	if err != nil {
		return 0, err
	}
	if rel, err := filepath.Rel(root, to); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return 0, fmt.Errorf("%s lies inside the set %s, of which it would become a class; name a folder outside", dir, d.Source)
	}
	for _, p := range paths {
		if !filepath.IsLocal(filepath.FromSlash(p)) {
			return moved, fmt.Errorf("%s lies outside %s", Printable(p), d.Source)
		}
		from, target := f.full(p), filepath.Join(to, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
			return moved, fmt.Errorf("%s: %w", dir, plain(err))
		}
		if err := move(from, target); err != nil {
			return moved, fmt.Errorf("%s: %w", Printable(p), plain(err))
		}
		moved++
	}
	return moved, nil
}

// move renames from to to, or copies and removes it on another disk. An
// existing file is an error.
func move(from, to string) error {
	if err := os.Link(from, to); err == nil {
		return os.Remove(from)
	} else if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already", Printable(to))
	}
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s exists already", Printable(to))
	}
	err := os.Rename(from, to)
	if !errors.Is(err, syscall.EXDEV) {
		return err
	}
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.CreateTemp(filepath.Dir(to), ".moving-")
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	err = errors.Join(err, w.Sync(), w.Close())
	if err == nil {
		err = os.Rename(w.Name(), to)
	}
	if err != nil {
		os.Remove(w.Name())
		return err
	}
	return os.Remove(from)
}
