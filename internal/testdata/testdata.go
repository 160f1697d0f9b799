// Package testdata gives tests the real photos, where they are at hand.
package testdata

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/klauspost/compress/zstd"
)

// Photos returns the folder of the named set of photos ("trashnet",
// "planets10", "cifar10"), unpacked once into the user's cache. The archives
// NAME.tar.zst are looked for in $ORRERY_DATA, or else in shared/data beside
// the repository. Without the archive the test is skipped.
func Photos(t testing.TB, name string) string {
	t.Helper()
	archive := filepath.Join(archives(), name+".tar.zst")
	fi, err := os.Stat(archive)
	if err != nil {
		t.Skipf("no photos: %s is not there; set ORRERY_DATA to the folder of the .tar.zst archives", archive)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("no photos: %v", err)
	}
	dir, err := unpackOnce(archive, fi, filepath.Join(cache, "orrery", "testdata"), name)
	if err != nil {
		t.Fatalf("%s: %v", archive, err)
	}
	return dir
}

// archives returns the folder where the archives lie.
func archives() string {
	if dir := os.Getenv("ORRERY_DATA"); dir != "" {
		return dir
	}
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	return filepath.Join(root, "..", "shared", "data")
}

// unpackOnce unpacks the archive into cache/NAME-SIZE unless that is there,
// and returns the folder of class folders within.
func unpackOnce(archive string, fi fs.FileInfo, cache, name string) (string, error) {
	dir := filepath.Join(cache, fmt.Sprintf("%s-%d", name, fi.Size()))
	if _, err := os.Stat(dir); err == nil {
		return inner(dir, name), nil
	}
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(cache, name+".lock"))
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Unlock()
	if _, err := os.Stat(dir); err == nil {
		return inner(dir, name), nil
	}
	tmp, err := os.MkdirTemp(cache, name+"-tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := unpack(archive, tmp); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return "", err
	}
	return inner(dir, name), nil
}

// inner steps into the folder that bears the archive's name, if there is one.
func inner(dir, name string) string {
	if fi, err := os.Stat(filepath.Join(dir, name)); err == nil && fi.IsDir() {
		return filepath.Join(dir, name)
	}
	return dir
}

func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		return err
	}
	defer z.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
		if name == "" {
			continue
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o777)
		case tar.TypeReg:
			err = write(root, name, r)
		}
		if err != nil {
			return err
		}
	}
}

func write(root *os.Root, name string, r io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
