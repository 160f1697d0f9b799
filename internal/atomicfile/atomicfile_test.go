package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestReplaceKeepsTheOldFileWhenWritingFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "result.json")
	if err := Write(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("no space left")
	err := Replace(path, func(temporary string) error {
		if err := os.WriteFile(temporary, []byte("ne"), 0o644); err != nil {
			t.Fatal(err)
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Fatalf("error = %v, want %v", err, failure)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("%d files are left, want the old one alone", len(entries))
	}
	if text, _ := os.ReadFile(path); string(text) != "old" {
		t.Errorf("file holds %q, want %q", text, "old")
	}
}

func TestReplaceIntoAMissingFolder(t *testing.T) {
	if err := Write(filepath.Join(t.TempDir(), "no", "file"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v, want %v", err, os.ErrNotExist)
	}
}
