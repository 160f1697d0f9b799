package whole

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestWriteReplacesOrKeeps(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	full := errors.New("disk full")
	for _, step := range []struct {
		fill func(io.Writer) error
		fail error
		want string
	}{
		{text("first, long"), nil, "first, long"},
		{text("second"), nil, "second"},
		{func(w io.Writer) error { return errors.Join(text("half")(w), full) }, full, "second"},
		{text(""), nil, ""},
	} {
		if err := Write(path, step.fill); !errors.Is(err, step.fail) {
			t.Fatalf("got %v, want %v", err, step.fail)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != step.want {
			t.Errorf("the file holds %q (%v), want %q", got, err, step.want)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("the folder holds %v", entries)
		}
	}
	if err := Write(filepath.Join(dir, "none", "a.txt"), text("")); err == nil {
		t.Error("writing into a missing folder went well")
	}
}
