package live

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

// A tail reads the lines that a growing file gained since the last look. It
// begins anew when the file was replaced or cut.
type tail struct {
	name   string
	offset int64 // of the first byte not yet handed out
	last   os.FileInfo
}

// chunk is the most a tail reads at one look; a long file takes several.
const chunk = 4 << 20

// read calls line for every complete new line, without its end, and restart
// before the first when the file began anew. It reports whether it read any.
func (t *tail) read(root *os.Root, restart func(), line func(text []byte)) (bool, error) {
	info, err := regular(root, t.name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && t.last != nil {
			*t = tail{name: t.name}
			restart()
			return true, nil
		}
		return false, err
	}
	if t.last != nil && (!os.SameFile(t.last, info) || info.Size() < t.offset) {
		*t = tail{name: t.name}
		restart()
	}
	t.last = info
	if info.Size() == t.offset {
		return false, nil
	}
	f, err := root.Open(t.name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	any := false
	for {
		text := make([]byte, min(chunk, max(0, info.Size()-t.offset)))
		n, err := f.ReadAt(text, t.offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return any, err
		}
		text = text[:n]
		end := bytes.LastIndexByte(text, '\n') + 1
		if end == 0 {
			if n == chunk { // a line as long as this is none of ours
				t.offset += int64(n)
				continue
			}
			return any, nil
		}
		for l := range bytes.Lines(text[:end]) {
			line(bytes.TrimRight(l, "\r\n"))
		}
		any = true
		t.offset += int64(end)
		if t.offset >= info.Size() {
			return true, nil
		}
	}
}

// regular is a file's state; what is no plain file, such as a pipe that would
// block the reader, does not exist for us.
func regular(root *os.Root, name string) (os.FileInfo, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return info, nil
}

// A whole is a small file that is read again when it changed.
type whole struct {
	name string
	last os.FileInfo
}

// read calls changed with the file's new content, nil once it is gone.
func (w *whole) read(root *os.Root, limit int64, changed func(text []byte)) (bool, error) {
	info, err := regular(root, w.name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			gone := w.last != nil
			w.last = nil
			if gone {
				changed(nil)
			}
			return gone, nil
		}
		return false, err
	}
	if w.last != nil && os.SameFile(w.last, info) && w.last.Size() == info.Size() && w.last.ModTime().Equal(info.ModTime()) {
		return false, nil
	}
	w.last = info
	if info.Size() > limit {
		return false, nil
	}
	text, err := root.ReadFile(w.name)
	if err != nil {
		return false, err
	}
	changed(text)
	return true, nil
}
