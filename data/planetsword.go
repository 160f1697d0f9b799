package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/wangkuiyi/orrery/data/planets"
)

// planetsFolder returns the folder that holds the built-in set, rendering it
// into the user's cache on first use.
func planetsFolder(ctx context.Context, o Options) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to render the planets into: %w; set HOME or XDG_CACHE_HOME", err)
	}
	var once sync.Once
	dir, err := planets.Ensure(ctx, filepath.Join(cache, "orrery"), func(done, total int) {
		once.Do(func() { o.Log.Info("rendering the default set, once", "images", total) })
		if o.Progress != nil {
			o.Progress(done, total)
		}
	})
	if err != nil {
		return "", fmt.Errorf("planets: %w", err)
	}
	return dir, nil
}
