package data

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// folder is a set in the file system.
type folder struct{ root string }

func (f folder) full(path string) string { return filepath.Join(f.root, filepath.FromSlash(path)) }

func (f folder) open(path string) (file, error) {
	// O_NONBLOCK: a pipe that took the place of a listed file must not hang us.
	h, err := os.OpenFile(f.full(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	fi, err := h.Stat()
	if err != nil {
		h.Close()
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		h.Close()
		return nil, fmt.Errorf("not a regular file (%s)", kindOf(fi.Mode()))
	}
	return osFile{h, fi.Size()}, nil
}

type osFile struct {
	*os.File
	size int64
}

func (f osFile) Size() int64 { return f.size }

func (f folder) read(path string) ([]byte, error) { return f.readInto(nil, path) }

func (f folder) readInto(b []byte, path string) ([]byte, error) {
	h, err := f.open(path)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	if h.Size() > maxFileBytes {
		return nil, fmt.Errorf("the file has %d bytes, more than the limit of %d", h.Size(), int64(maxFileBytes))
	}
	b = slices.Grow(b[:0], int(h.Size()))[:h.Size()]
	n, err := h.ReadAt(b, 0)
	if n < len(b) {
		if err == nil {
			err = errUnexpectedEOF
		}
		return nil, err
	}
	return b, nil
}

func (folder) close() error { return nil }

func (f folder) identity(path string) (string, error) { return fileIdentity(f.full(path)) }

// fileIdentity names a file by its absolute path, size, time of change, time
// of status change and inode.
func fileIdentity(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	fi, err := os.Stat(abs)
	if err != nil {
		return "", err
	}
	id := fmt.Sprintf("%s\x00%d\x00%d", abs, fi.Size(), fi.ModTime().UnixNano())
	if s, ok := fi.Sys().(*syscall.Stat_t); ok {
		id += fmt.Sprintf("\x00%d\x00%d.%d", s.Ino, s.Ctim.Sec, s.Ctim.Nsec)
	}
	return id, nil
}

// maxFileBytes bounds one picture file; a 16-bit TIFF at the pixel limit fits.
const maxFileBytes = 2 << 30

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "of another kind"
}

// listFolder lists a folder of class folders.
func listFolder(ctx context.Context, root string) (*listing, error) {
	l := &listing{files: folder{root}}
	dir, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, plain(err))
	}
	var subfolders []string
	for _, e := range dir {
		if junk(e.Name()) {
			continue
		}
		fi, err := os.Stat(filepath.Join(root, e.Name()))
		if err != nil || !fi.IsDir() {
			l.stray++
			continue
		}
		subfolders = append(subfolders, e.Name())
	}
	w := walker{ctx: ctx, root: root, l: l, classOf: map[string]int{}}
	if sides(subfolders) {
		if done, err := w.walkSides(subfolders); done || err != nil {
			return l, err
		}
	}
	for _, name := range subfolders {
		if err := w.walk(name, w.class(name), partUnknown, nil); err != nil {
			return nil, err
		}
	}
	if len(subfolders) == 1 {
		l.hint = fmt.Sprintf("; are the class folders inside %s?", Printable(filepath.Join(root, subfolders[0])))
	}
	return l, nil
}

// walker collects the files under class folders.
type walker struct {
	ctx  context.Context
	root string
	l    *listing

	classOf map[string]int
}

// class returns the index of the class, adding it if it is new.
func (w *walker) class(name string) int {
	c, ok := w.classOf[name]
	if !ok {
		c = len(w.l.classes)
		w.classOf[name] = c
		w.l.classes = append(w.l.classes, name)
	}
	return c
}

// walkSides walks train/CLASS and valid/CLASS. It does nothing when one of the
// folders holds pictures itself: then train is a class, of railways say.
func (w *walker) walkSides(names []string) (done bool, err error) {
	type below struct{ side, class string }
	var all []below
	for _, side := range names {
		dir, err := os.ReadDir(filepath.Join(w.root, side))
		if err != nil {
			return false, fmt.Errorf("%s: %w", filepath.Join(w.root, side), plain(err))
		}
		folders := 0
		for _, e := range dir {
			switch {
			case junk(e.Name()):
			case isDir(filepath.Join(w.root, side, e.Name())):
				all = append(all, below{side, e.Name()})
				folders++
			default:
				w.l.stray++
				if h, err := header(w.l.files, side+"/"+e.Name(), 0); err == nil && h.Width > 0 {
					w.l.stray = 0
					return false, nil
				}
			}
		}
		if folders == 0 {
			return false, nil
		}
	}
	for _, b := range all {
		if err := w.walk(b.side+"/"+b.class, w.class(b.class), partOf(b.side), nil); err != nil {
			return true, err
		}
	}
	return true, nil
}

// walk adds every file under path to the class. Links to folders are
// followed; above holds the folders on the way down, to end loops of links.
func (w *walker) walk(path string, class int, p part, above []fs.FileInfo) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	full := filepath.Join(w.root, filepath.FromSlash(path))
	self, err := os.Stat(full)
	if err != nil {
		return fmt.Errorf("%s: %w", Printable(full), plain(err))
	}
	for _, a := range above {
		if os.SameFile(a, self) {
			w.skip(path, "a link to a folder above it")
			return nil
		}
	}
	above = append(above[:len(above):len(above)], self)
	dir, err := os.ReadDir(full)
	if err != nil {
		if len(above) == 1 {
			return fmt.Errorf("%s: %w", Printable(full), plain(err))
		}
		w.skip(path, plain(err).Error())
		return nil
	}
	for _, e := range dir {
		name := e.Name()
		if junk(name) {
			continue
		}
		sub := path + "/" + name
		mode := e.Type()
		if mode&fs.ModeSymlink != 0 {
			fi, err := os.Stat(filepath.Join(full, name))
			if err != nil {
				w.skip(sub, "a broken symbolic link")
				continue
			}
			mode = fi.Mode().Type()
		}
		switch {
		case mode.IsDir():
			if err := w.walk(sub, class, p, above); err != nil {
				return err
			}
		case mode.IsRegular():
			w.l.entries = append(w.l.entries, entry{sub, class, p})
		default:
			w.skip(sub, "not a regular file ("+kindOf(mode)+")")
		}
	}
	return nil
}

func (w *walker) skip(path, reason string) {
	w.l.skipped = append(w.l.skipped, Skipped{path, reason})
}
