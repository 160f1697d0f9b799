package pack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/wangkuiyi/orrery/collect/set"
)

// UnpackOptions say how Unpack works.
type UnpackOptions struct {
	Limits   Limits
	Progress func(done, all int64) // bytes of the archive read, nil for silence
}

// ErrExists is wrapped when there is something where the set is to go.
var ErrExists = errors.New("exists already and is not empty; name a new folder")

// Unpack takes a set out of an archive, a file or s3://BUCKET/KEY, into a new folder. An archive with anything in it that
// a set of pictures has no use for is refused as a whole: links, devices, names that lead elsewhere or clash, sizes
// beyond the limits or untrue, files other than the manifest says. Until everything is there and checked, the folder does not exist.
func Unpack(ctx context.Context, archive, dir string, o UnpackOptions) (*Summary, error) {
	summary, err := unpack(ctx, archive, dir, o)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", archive, err)
	}
	return summary, nil
}

func unpack(ctx context.Context, archive, dir string, o UnpackOptions) (*Summary, error) {
	o.Limits = o.Limits.withDefaults()
	dir = filepath.Clean(dir)
	if err := free(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	stage, err := newStage(dir)
	if err != nil {
		return nil, err
	}
	defer stage.clear()
	file, err := openArchive(ctx, archive, stage, o.Limits)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	summary := &Summary{Archive: archive, Set: dir, Classes: map[string]int{}}
	if err := stage.extract(ctx, file, o, summary); err != nil {
		return nil, err
	}
	if err := stage.verify(summary); err != nil {
		return nil, err
	}
	return summary, stage.finish(dir)
}

// free tells whether dir does not exist or is an empty folder.
func free(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s %w", dir, ErrExists)
	}
	return nil
}

func openArchive(ctx context.Context, archive string, s *stage, limits Limits) (*os.File, error) {
	if strings.HasPrefix(archive, "s3://") {
		return download(ctx, archive, filepath.Join(s.dir, "archive"), limits.Bytes)
	}
	file, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, errors.Join(err, errors.New("is not a file"))
	}
	return file, nil
}

// stage is the hidden folder beside the target where a set takes shape.
type stage struct {
	dir  string
	lock *flock.Flock
	root *os.Root // the set in it
	sums map[string]string
}

// newStage makes the stage, clearing what a killed process left in it.
func newStage(target string) (*stage, error) {
	s := &stage{dir: filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".unpacking"), sums: map[string]string{}}
	if info, err := os.Lstat(s.dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is in the way", s.dir)
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	s.lock = flock.New(filepath.Join(s.dir, "lock"))
	if held, err := s.lock.TryLock(); err != nil || !held {
		return nil, errors.Join(err, fmt.Errorf("another orrery is unpacking to %s; wait for it, or end it", target))
	}
	err := os.RemoveAll(filepath.Join(s.dir, "set"))
	if err == nil {
		err = os.Mkdir(filepath.Join(s.dir, "set"), 0o755)
	}
	if err == nil {
		s.root, err = os.OpenRoot(filepath.Join(s.dir, "set"))
	}
	if err != nil {
		s.clear()
		return nil, err
	}
	return s, nil
}

// clear removes the stage and all in it.
func (s *stage) clear() {
	if s.root != nil {
		s.root.Close()
	}
	os.RemoveAll(s.dir)
	s.lock.Unlock()
}

func (s *stage) extract(ctx context.Context, file *os.File, o UnpackOptions, summary *Summary) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	var out int64
	return readArchive(ctx, file, o.Limits, func(e entry, content io.Reader) error {
		out += e.size
		if o.Progress != nil {
			o.Progress(min(out, info.Size()), info.Size()) // pictures hardly compress: what came out is about what was read
		}
		if useless(e.name) {
			summary.LeftOut = append(summary.LeftOut, e.name)
			return nil
		}
		summary.Bytes += e.size
		return s.write(e, content)
	})
}

// write takes one file out. Content longer or shorter than announced is an error.
func (s *stage) write(e entry, content io.Reader) error {
	if err := s.root.MkdirAll(path.Dir(e.name), 0o755); err != nil {
		return err
	}
	file, err := s.root.OpenFile(e.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	out := io.MultiWriter(file, sum)
	buffer := make([]byte, 256<<10)
	var unpacked int64
	for {
		n, err := content.Read(buffer)
		unpacked += int64(n)
		if unpacked > e.size {
			return fmt.Errorf("entry %q is longer than announced", e.name)
		}
		if _, err := out.Write(buffer[:n]); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("entry %q is damaged: %w", e.name, err)
		}
	}
	if unpacked != e.size {
		return fmt.Errorf("entry %q is shorter than announced", e.name)
	}
	s.sums[e.name] = hex.EncodeToString(sum.Sum(nil))
	return file.Close()
}

// verify moves a set that was packed with its folder up, checks its files against its manifest, and counts.
func (s *stage) verify(summary *Summary) error {
	var files []string
	for name := range s.sums {
		files = append(files, name)
	}
	if len(files) == 0 {
		return errors.New("holds no files")
	}
	common := commonFolder(files)
	if common != "" {
		outer := filepath.Join(s.dir, "set")
		inner := filepath.Join(s.dir, "inner")
		s.root.Close()
		s.root = nil
		if err := errors.Join(os.Rename(filepath.Join(outer, filepath.FromSlash(common)), inner), os.Remove(outer), os.Rename(inner, outer)); err != nil {
			return err
		}
	}
	inside, err := set.Open(filepath.Join(s.dir, "set"), set.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer inside.Close()
	for _, record := range inside.Records() {
		sum, there := s.sums[common+record.File]
		if !there {
			continue // thrown out by hand before packing
		}
		if sum != record.SHA256 {
			return fmt.Errorf("%s is not the file that the manifest says: damaged or changed since", record.File)
		}
		summary.Verified++
	}
	pictures, err := inside.Scan()
	if err != nil {
		return err
	}
	if len(pictures) == 0 {
		return errors.New("holds no pictures in class folders")
	}
	for _, picture := range pictures {
		summary.Pictures++
		summary.Classes[set.ClassOf(picture.File)]++
	}
	return nil
}

// finish gives the set its name.
func (s *stage) finish(dir string) error {
	inside := filepath.Join(s.dir, "set")
	if err := syncAll(inside); err != nil {
		return err
	}
	if s.root != nil {
		s.root.Close()
		s.root = nil
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty folder may be there
		return fmt.Errorf("%s %w", dir, ErrExists)
	}
	if err := os.Rename(inside, dir); err != nil {
		return err
	}
	if parent, err := os.Open(filepath.Dir(dir)); err == nil {
		_ = parent.Sync() // some file systems refuse
		parent.Close()
	}
	return nil
}

// syncAll brings every file under a folder to the disk, so that the name it gets next does not get there first.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&^fs.ModeDir != 0 {
			return err
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := file.Sync(); err != nil && !entry.IsDir() {
			return err
		}
		return nil
	})
}
