package set

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		_ = checks.Value.Set("12") // each step is synced to the disk; use -rapid.checks for more
	}
	os.Exit(m.Run())
}

// fatal is what testing.T and rapid.T have in common.
type fatal interface {
	Helper()
	Fatal(...any)
}

func openSet(t fatal, dir string) *Set {
	t.Helper()
	s, err := Open(dir, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// addTo adds n pictures to a class; their content is a line of text, which is all that this package wants of a picture.
func addTo(t fatal, s *Set, class string, n int) {
	t.Helper()
	var pending []Pending
	for i := range n {
		sum := fmt.Sprintf("%08x%056x", i, len(class)*1000+int(class[0]))
		file, name, err := s.CreateTemp(fmt.Sprintf("new-%s-%d", class, i))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(file, "%s %d", class, i)
		file.Close()
		pending = append(pending, Pending{Temporary: name, Extension: ".jpg", Record: Record{Class: class, URL: fmt.Sprintf("https://example.org/%s/%d", class, i), SHA256: sum}})
	}
	if _, err := s.Add(pending); err != nil {
		t.Fatal(err)
	}
}

// onDisk maps every picture's content to its path.
func onDisk(t fatal, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !IsPictureName(name) {
			return err
		}
		data, err := os.ReadFile(name)
		relative, _ := filepath.Rel(dir, name)
		if other, twice := found[string(data)]; twice {
			return fmt.Errorf("%s is also %s", relative, other)
		}
		found[string(data)] = filepath.ToSlash(relative)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// recorded fails unless the manifest, as a reader sees it, says where every picture on disk is.
func recorded(t fatal, dir string) {
	t.Helper()
	s, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	places := onDisk(t, dir)
	for _, record := range s.Records() {
		content := strings.Replace(strings.TrimPrefix(record.URL, "https://example.org/"), "/", " ", 1)
		if places[content] != record.File || record.Removed || record.Class != ClassOf(record.File) {
			t.Fatal(fmt.Sprintf("the manifest says that %q is at %q, class %q, removed %t; it is at %q", content, record.File, record.Class, record.Removed, places[content]))
		}
		delete(places, content)
	}
	if len(places) > 0 {
		t.Fatal(fmt.Sprintf("the manifest lacks %v", places))
	}
}

func TestNamesAndNumbers(t *testing.T) {
	dir := t.TempDir()
	s := openSet(t, dir)
	addTo(t, s, "earth", 2)
	s.Close()
	s = openSet(t, dir)
	defer s.Close()
	addTo(t, s, "mars", 1)
	addTo(t, s, "earth", 1)
	var files []string
	for _, record := range s.Records() {
		files = append(files, record.File)
	}
	want := []string{"earth/001_00000000.jpg", "earth/002_00000001.jpg", "mars/001_00000000.jpg", "earth/003_00000000.jpg"}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Error(diff)
	}
}

// TestTornLines cuts the manifest and the journal at every length a killed process may leave.
func TestTornLines(t *testing.T) {
	for _, file := range []string{ManifestName, journalName} {
		dir := t.TempDir()
		s := openSet(t, dir)
		addTo(t, s, "earth", 2)
		change := s.Begin("trash")
		if err := change.Trash("earth/001_00000000.jpg"); err != nil {
			t.Fatal(err)
		}
		if _, err := change.Commit(); err != nil {
			t.Fatal(err)
		}
		s.Close()
		whole, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for length := 0; length <= len(whole); length += 1 + len(whole)/97 {
			if err := os.WriteFile(filepath.Join(dir, file), whole[:length], 0o644); err != nil {
				t.Fatal(err)
			}
			s, err := Open(dir, Options{})
			if err != nil {
				t.Fatalf("%s cut at %d of %d: %v", file, length, len(whole), err)
			}
			if n, lines := len(s.Records()), strings.Count(string(whole[:length]), "\n"); file == ManifestName && n != lines && n != lines+1 {
				t.Errorf("manifest cut at %d: %d records of %d lines", length, n, lines)
			}
			s.Close()
			if after, _ := os.ReadFile(filepath.Join(dir, file)); len(after) > 0 && after[len(after)-1] != '\n' {
				t.Errorf("%s cut at %d still ends in half a line", file, length)
			}
		}
	}
}

func TestDamagedLine(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ManifestName), []byte("{\"file\":\"a/b.jpg\"}\nnonsense\n{\"file\":\"a/c.jpg\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("%v, want an error that names line 2", err)
	}
}

func TestHostileFiles(t *testing.T) {
	for _, file := range []string{"../a.jpg", "/etc/a.jpg", "a/../../b.jpg", "a.jpg", `a\b.jpg`, "a//b.jpg", "a/./b.jpg", ".."} {
		dir := t.TempDir()
		line := fmt.Sprintf("{\"file\":%q,\"sha256\":\"00\"}\n", file)
		if err := os.WriteFile(filepath.Join(dir, ManifestName), []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); err == nil {
			t.Errorf("a manifest may name %q", file)
		}
		dir = t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, StateDir), 0o755); err != nil {
			t.Fatal(err)
		}
		line = fmt.Sprintf("{\"seq\":1,\"moves\":[{\"from\":\"a/b.jpg\",\"to\":%q}]}\n", file)
		if err := os.WriteFile(filepath.Join(dir, journalName), []byte(line), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); err == nil {
			t.Errorf("a journal may name %q", file)
		}
	}
}

// TestUnfinishedStep leaves a step in the journal with none, some and all of its moves made.
func TestUnfinishedStep(t *testing.T) {
	for made := range 4 {
		dir := t.TempDir()
		s := openSet(t, dir)
		addTo(t, s, "earth", 3)
		change := s.Begin("trash")
		for _, record := range s.Records() {
			if err := change.Trash(record.File); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := change.Commit(); err != nil {
			t.Fatal(err)
		}
		moves := s.steps[0].Moves
		s.closeFiles() // as if killed: no flush
		journal, err := os.ReadFile(filepath.Join(dir, journalName))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(journal), "\n")
		if err := os.WriteFile(filepath.Join(dir, journalName), []byte(lines[0]), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "earth"), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, move := range moves[made:] {
			if err := os.Rename(filepath.Join(dir, move.To), filepath.Join(dir, move.From)); err != nil {
				t.Fatal(err)
			}
		}
		s = openSet(t, dir)
		for _, file := range onDisk(t, dir) {
			if !strings.HasPrefix(file, TrashDir) {
				t.Errorf("with %d of 3 moves made, %s was left", made, file)
			}
		}
		if _, err := s.Undo(); err != nil {
			t.Error(err)
		}
		s.Close()
		recorded(t, dir)
	}
}

// TestUnfinishedDownload has a picture in the manifest and still under tmp, and one under tmp only.
func TestUnfinishedDownload(t *testing.T) {
	dir := t.TempDir()
	s := openSet(t, dir)
	addTo(t, s, "earth", 2)
	s.Close()
	record := s.records[1]
	if err := os.Rename(filepath.Join(dir, record.File), filepath.Join(dir, tmpName(record.SHA256, ".jpg"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, tmpDir, "download-7"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	openSet(t, dir).Close()
	recorded(t, dir)
	if left, _ := os.ReadDir(filepath.Join(dir, tmpDir)); len(left) != 0 {
		t.Errorf("left under tmp: %v", left)
	}
}

// TestAnySteps makes steps at random, closing and losing the process at random, and checks after each that every picture is where
// the manifest says. Undoing all of it brings everything back.
func TestAnySteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "orrery-set-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		s := openSet(t, dir)
		classes := []string{"earth", "mars", "venus"}
		for _, class := range classes {
			addTo(t, s, class, 3)
		}
		before := onDisk(t, dir)
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			change := s.Begin("test")
			for range rapid.IntRange(1, 4).Draw(t, "pictures") {
				files, err := change.files()
				if err != nil {
					t.Fatal(err)
				}
				file := rapid.SampledFrom(files).Draw(t, "file")
				switch rapid.IntRange(0, 4).Draw(t, "do") {
				case 0:
					err = change.Trash(file)
				case 1:
					err = change.Restore(file)
				case 2:
					err = change.MoveTo(file, rapid.SampledFrom(classes).Draw(t, "class"))
				case 3:
					to := rapid.SampledFrom([]string{"pluto", "earth", "io"}).Draw(t, "name")
					if slices.ContainsFunc(files, func(file string) bool { return ClassOf(file) == to }) {
						continue
					}
					err = change.Rename(ClassOf(file), to)
				case 4:
					if len(change.moves) > 0 {
						continue
					}
					if _, err = s.Undo(); errors.Is(err, ErrNothing) {
						err = nil
					}
					if rapid.Bool().Draw(t, "redo") {
						if _, err = s.Redo(); errors.Is(err, ErrNothing) {
							err = nil
						}
					}
					change = s.Begin("test")
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if _, err := change.Commit(); err != nil {
				t.Fatal(err)
			}
			switch rapid.IntRange(0, 3).Draw(t, "then") {
			case 0:
				s.closeFiles() // lost: the manifest lags behind the journal
				s = openSet(t, dir)
			case 1:
				s.Close()
				s = openSet(t, dir)
			case 2:
				if err := s.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			recorded(t, dir)
			if len(onDisk(t, dir)) != len(before) {
				t.Fatal("a picture was lost")
			}
		}
		for {
			outcome, err := s.Undo()
			if errors.Is(err, ErrNothing) {
				break
			}
			if err != nil || len(outcome.Skipped) > 0 {
				t.Fatal(err, outcome.Skipped)
			}
		}
		s.Close()
		if diff := cmp.Diff(before, onDisk(t, dir)); diff != "" {
			t.Fatal("undoing everything left " + diff)
		}
		recorded(t, dir)
	})
}

func TestImpossibleStep(t *testing.T) {
	dir := t.TempDir()
	s := openSet(t, dir)
	addTo(t, s, "earth", 1)
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, "mars")); err != nil {
		t.Fatal(err)
	}
	change := s.Begin("move")
	if err := change.MoveTo("earth/001_00000000.jpg", "mars"); err != nil {
		t.Fatal(err)
	}
	if _, err := change.Commit(); err == nil {
		t.Error("moved through a link out of the set")
	}
	if _, err := s.Undo(); !errors.Is(err, ErrNothing) {
		t.Errorf("a step that did nothing can be undone: %v", err)
	}
	s.Close()
	s = openSet(t, dir) // and does not keep the set from opening
	if _, err := s.Undo(); !errors.Is(err, ErrNothing) {
		t.Errorf("after opening again: %v", err)
	}
	s.Close()
	recorded(t, dir)
}

func TestBusy(t *testing.T) {
	dir := t.TempDir()
	s := openSet(t, dir)
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want that it is busy", err)
	}
	reader, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Errorf("reading meanwhile: %v", err)
	} else {
		reader.Close()
	}
	s.Close()
	openSet(t, dir).Close()
	if _, err := Open(filepath.Join(dir, "none"), Options{}); err == nil || !strings.Contains(err.Error(), "name an existing folder") {
		t.Errorf("%v", err)
	}
}

func TestScan(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"earth/b.jpg", "earth/a.PNG", "earth/deep/c.webp", "earth/notes.txt", "earth/.hidden.jpg", ".git/d.jpg", "top.jpg", ".trash/earth/e.jpg", ".orrery/tmp/f.jpg"} {
		name := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "top.jpg"), filepath.Join(dir, "earth", "link.jpg")); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pictures, err := s.Scan()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, p := range pictures {
		files = append(files, p.File)
	}
	if diff := cmp.Diff([]string{"earth/a.PNG", "earth/b.jpg", "earth/deep/c.webp", ".trash/earth/e.jpg"}, files); diff != "" {
		t.Error(diff)
	}
}

func TestCheckClass(t *testing.T) {
	for _, name := range []string{"earth", "red planet", "Zürich", "漢字", "a.b", "<b>"} {
		if err := CheckClass(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", ".", "..", ".hidden", "a/b", `a\b`, "C:", "a\x00b", "a\nb", "\x1b[31m", " a", "a ", "a.", "\xff", strings.Repeat("a", 129), "manifest.jsonl", "a\u202eb"} {
		if CheckClass(name) == nil {
			t.Errorf("%q is taken for a class", name)
		}
	}
}
