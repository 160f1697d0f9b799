package clean

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/set"
)

// newSet makes a set of n pictures in each class and keeps the user's cache folder out of it.
func newSet(t testing.TB, n int, classes ...string) string {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := filepath.Join(t.TempDir(), "planets")
	for _, class := range classes {
		for i := range n {
			name := fmt.Sprintf("%s-%d", class, i)
			write(t, filepath.Join(dir, class, fmt.Sprintf("%03d.jpg", i+1)), collecttest.JPEG(collecttest.Pixels(name, 160, 120), 85))
		}
	}
	return dir
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree lists the pictures on disk, trash included.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && set.IsPictureName(name) {
			relative, _ := filepath.Rel(dir, name)
			files = append(files, filepath.ToSlash(relative))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(files)
	return files
}

// serve runs the page for a set until the test ends and returns its address and token.
func serve(t testing.TB, dir string, o ServeOptions) (address, token string) {
	t.Helper()
	ready := make(chan string, 1)
	o.Ready = func(address string) { ready <- address }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, dir, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	select {
	case full := <-ready:
		address, token, _ = strings.Cut(full, "/?token=")
		return address, token
	case err := <-ended:
		ended <- nil
		t.Fatalf("Serve: %v", err)
	case <-time.After(20 * time.Second):
		t.Fatal("the page did not come up")
	}
	return "", ""
}
