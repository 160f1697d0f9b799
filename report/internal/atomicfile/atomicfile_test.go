package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestWriteReplacesAndLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	for _, text := range []string{"first", "second, longer", "3"} {
		if err := WriteBytes(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(text, string(got)); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff([]string{"a.txt"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	if err := WriteBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	err := Write(path, func(w io.Writer) error {
		_, _ = w.Write(make([]byte, 1<<20))
		return full
	})
	if !errors.Is(err, full) {
		t.Fatalf("got %v, want the filler's error", err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "old" {
		t.Errorf("after a failed write the file holds %q (%v)", got, err)
	}
	if diff := cmp.Diff([]string{"a.txt"}, names(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestWriteIntoNoFolder(t *testing.T) {
	if err := WriteBytes(filepath.Join(t.TempDir(), "none", "a.txt"), nil); err == nil {
		t.Error("writing into a missing folder went well")
	}
}
