package planets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Ensure returns the folder of the default set inside cacheDir, rendering it
// there the first time and whenever the renderer's Version is new or a file is
// missing. Several processes may call it at once: one renders, the others wait.
// progress may be nil; it is not called when the set is there already.
func Ensure(ctx context.Context, cacheDir string, progress func(done, total int)) (dir string, err error) {
	return ensure(ctx, cacheDir, Options{Count: DefaultCount, Seed: DefaultSeed, Progress: progress})
}

func ensure(ctx context.Context, cacheDir string, o Options) (string, error) {
	name := fmt.Sprintf("planets-v%s", Version)
	dir := filepath.Join(cacheDir, name)
	if kept(dir, o) {
		return dir, nil
	}
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(cacheDir, name+".lock"))
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("%s: waiting for another process that renders the default set: %w", lock.Path(), err)
	}
	defer lock.Unlock()
	if kept(dir, o) {
		return dir, nil
	}
	// What an earlier process left when it was killed, and a set with files missing.
	entries, err := os.ReadDir(cacheDir)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Name() == name || strings.HasPrefix(e.Name(), "."+name+"-rendering-") {
			if err := os.RemoveAll(filepath.Join(cacheDir, e.Name())); err != nil {
				return "", err
			}
		}
	}
	if err := Render(ctx, dir, o); err != nil {
		return "", err
	}
	return dir, nil
}

// kept says whether dir holds the set whole.
func kept(dir string, o Options) bool {
	m, err := ReadManifest(dir)
	return err == nil && m.Renderer == Version && m.Seed == o.Seed && m.Images == o.Count && m.complete(dir)
}
