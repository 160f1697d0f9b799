package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

// oddPictures are real files of the kinds that decoders stumble over, by the goldens' names.
func oddPictures(t *testing.T) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "data", "testdata", "pictures.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Files map[string]struct{ File []byte }
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for name, p := range golden.Files {
		files[name] = p.File
	}
	return files
}

// TestTrainWithBadFiles trains on a set of which one file in twenty is bad and some are odd: the bad ones are left out, counted and named
// with the reason in one list; the odd ones and the good ones train.
func TestTrainWithBadFiles(t *testing.T) {
	set, dir := photos(t, 60, "blue", "green", "red"), t.TempDir()
	save := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(set, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	odd := oddPictures(t)
	good := 180
	for name, content := range odd {
		save("green/odd-"+name, content)
		good++
	}
	for _, kind := range []string{"cmyk", "16", "palette", "gif", "exif"} {
		if !strings.Contains(strings.Join(keysOf(odd), " "), kind) {
			t.Errorf("the goldens have no %s among %v", kind, keysOf(odd))
		}
	}
	bad := map[string]string{ // why, in a word
		"blue/empty.jpg":      "empty",
		"blue/page.jpg":       "HTML",
		"red/truncated.jpg":   "",
		"red/truncated.png":   "",
		"green/giant.gif":     "65535",
		"green/gigapixel.png": "250000",
		"green/hollow.tif":    "",
	}
	whole, err := os.ReadFile(filepath.Join(set, "red", "000.png"))
	if err != nil {
		t.Fatal(err)
	}
	save("blue/empty.jpg", nil)
	save("blue/page.jpg", []byte("<!DOCTYPE html><html><body>403</body></html>"))
	save("red/truncated.jpg", odd["jpeg-420"][:len(odd["jpeg-420"])/2])
	save("red/truncated.png", whole[:len(whole)/2])
	save("green/giant.gif", []byte("GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x02D\x01\x00;"))
	save("green/gigapixel.png", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x03\xd0\x90\x00\x03\x0d\x40\x08\x02\x00\x00\x00\x00\x00\x00\x00"))
	save("green/hollow.tif", append([]byte("II*\x00\x08\x00\x00\x00\x02\x00\x00\x01\x04\x00\x01\x00\x00\x00\xff\xff\x00\x00\x01\x01\x04\x00\x01\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00"), 0))

	report := decode[data.Report](t, mustSucceed(t, orrery(t, dir, "data", "verify", set, "--json")).stdout)
	listed := map[string]string{}
	for _, one := range report.Bad {
		listed[one.Path] = one.Reason
	}
	for path, word := range bad {
		if reason, there := listed[path]; !there || reason == "" || !strings.Contains(reason, word) {
			t.Errorf("%s is listed with %q, want a reason with %q", path, reason, word)
		}
	}
	if len(listed) != len(bad) {
		t.Errorf("%d files are listed as bad, want %d: %v", len(listed), len(bad), listed)
	}
	o := mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "--json"))
	result := decode[trainer.Result](t, o.stdout)
	if result.SkippedImages != len(bad) || result.TrainImages+result.ValidImages > good+len(bad) || result.TrainImages+result.ValidImages < good {
		t.Errorf("%d left out, trained and validated with %d, want %d and %d", result.SkippedImages, result.TrainImages+result.ValidImages, len(bad), good)
	}
	for path := range bad {
		if !strings.Contains(o.stderr, path) {
			t.Errorf("the run does not name %s", path)
		}
	}
}

func keysOf[T any](m map[string]T) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

// TestHostileNamesOnTheTerminal has classes and files named with escapes, line breaks, HTML and marks that turn the direction of writing.
// No verb lets them act on the terminal; the pages are tested where they are made.
func TestHostileNamesOnTheTerminal(t *testing.T) {
	set, dir := photos(t, 20, "blue", "red"), t.TempDir()
	class := "\x1b]0;evil\x07<img src=x onerror=alert(1)>\u202e"
	if err := os.Rename(filepath.Join(set, "red"), filepath.Join(set, class)); err != nil {
		t.Fatal(err)
	}
	file := "\x1b[2Jfirst\nsecond line\r\u009b31m.png"
	if err := os.Rename(filepath.Join(set, class, "000.png"), filepath.Join(set, class, file)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(set, class, "\x1b[31mbad\n.png"), []byte("<html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(set, class, file)
	for _, arguments := range [][]string{
		{"data", "ls", set}, {"data", "verify", set}, {"data", "summary", set}, append([]string{"train", set, "--epochs", "1", "-o", "run"}, small...),
		{"evaluate", "run", set}, {"predict", "run", picture, set}, {"report", "run"}, {"clean", set, "--list"}, {"clean", set, "--list", "--run", "run"},
		{"pack", set, "set.zip"}, {"collect", class, "--into", "new"}, {"data", "attribution", set},
	} {
		o := orrery(t, dir, arguments...)
		for _, out := range []string{o.stdout, o.stderr} {
			if strings.ContainsAny(out, "\x1b\x07\r\u009b\u202e") || strings.Contains(out, "\nsecond line") {
				t.Errorf("%s prints %q", strings.Join(arguments[:2], " "), out)
			}
		}
	}
}
