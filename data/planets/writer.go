package planets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// Render draws a set into dir: a folder for each class and manifest.json. dir
// is created if it is not there and must be empty if it is. A set appears whole
// or not at all: when ctx ends or the disk is full, dir is as it was before.
func Render(ctx context.Context, dir string, o Options) error {
	if o.Count == 0 {
		o.Count = DefaultCount
	}
	pictures, err := plan(o.Count, o.Seed)
	if err != nil {
		return err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	exists, err := vacant(dir)
	if err != nil {
		return err
	}
	if exists {
		return renderInto(ctx, dir, pictures, o)
	}
	return renderBeside(ctx, dir, pictures, o)
}

// vacant refuses what is not an empty folder and tells whether dir exists.
func vacant(dir string) (exists bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
			return true, fmt.Errorf("%s is a file; name a new or empty folder", dir)
		}
		return true, err
	case len(entries) > 0:
		return true, fmt.Errorf("%s is not empty (it holds %s); name a new or empty folder", dir, entries[0].Name())
	}
	return true, nil
}

// renderBeside draws into a folder beside dir, which then takes its name.
func renderBeside(ctx context.Context, dir string, pictures []picture, o Options) (err error) {
	parent := filepath.Dir(dir)
	made, err := makeParents(parent)
	defer func() {
		if err != nil {
			for _, m := range made {
				_ = os.Remove(m) // only if still empty
			}
		}
	}()
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, "."+filepath.Base(dir)+"-rendering-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	if err := renderAll(ctx, temp, pictures, o); err != nil {
		return err
	}
	return os.Rename(temp, dir)
}

// makeParents makes a folder and those above it; made are the new ones, the
// deepest first.
func makeParents(dir string) (made []string, err error) {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, d)
	}
	return made, os.MkdirAll(dir, 0o755)
}

// renderInto draws into a folder inside dir, for a dir that cannot be replaced
// because somebody stands in it or something is mounted there, and moves the
// finished set up.
func renderInto(ctx context.Context, dir string, pictures []picture, o Options) (err error) {
	temp, err := os.MkdirTemp(dir, ".rendering-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := renderAll(ctx, temp, pictures, o); err != nil {
		return err
	}
	var moved []string
	defer func() {
		if err != nil {
			for _, m := range moved {
				_ = os.RemoveAll(m)
			}
		}
	}()
	for _, name := range append(append([]string{}, Classes...), ManifestName) {
		to := filepath.Join(dir, name)
		if err := os.Rename(filepath.Join(temp, name), to); err != nil {
			return err
		}
		moved = append(moved, to)
	}
	return nil
}

// renderAll draws the pictures and writes the manifest.
func renderAll(ctx context.Context, dir string, pictures []picture, o Options) error {
	for _, class := range Classes {
		if err := os.Mkdir(filepath.Join(dir, class), 0o755); err != nil {
			return err
		}
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	sizes := make([]int64, len(pictures))
	var mu sync.Mutex // guards next and done
	next, done := 0, 0
	var wg sync.WaitGroup
	for range min(workers, len(pictures)) {
		wg.Go(func() {
			var a artist
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(pictures) || ctx.Err() != nil {
					return
				}
				n, err := a.write(dir, o.Seed, pictures[i])
				if err != nil {
					stop(err)
					return
				}
				sizes[i] = n
				mu.Lock()
				done++
				if o.Progress != nil {
					o.Progress(done, len(pictures))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return newManifest(o.Seed, pictures, sizes).write(dir)
}

// write draws a picture into its file and returns the size in bytes.
func (a *artist) write(dir string, seed int64, p picture) (int64, error) {
	b, err := a.draw(seed, p)
	if err != nil {
		return 0, err
	}
	return int64(len(b)), os.WriteFile(filepath.Join(dir, Classes[p.folder], p.name), b, 0o644)
}
