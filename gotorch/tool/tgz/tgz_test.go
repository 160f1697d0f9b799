package tgz_test

import (
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/gotorch/tool/tgz"
)

func TestSynthesizedArchiveListsItsFilesInOrder(t *testing.T) {
	fn, err := tgz.SynthesizeTarball(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	list, err := tgz.ListFile(fn)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, h := range list {
		names = append(names, h.Name)
	}
	want := []string{"mnist/training/0/first.png", "mnist/training/0/second.png",
		"mnist/training/1/first.png", "mnist/training/1/second.png", "mnist/testing/0/first.png"}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
}

func TestReaderGivesTheBytesBack(t *testing.T) {
	fn, err := tgz.SynthesizeTarball(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r, err := tgz.OpenFile(fn)
	if err != nil {
		t.Fatal(err)
	}
	for {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(h.Name) != ".png" {
			continue
		}
		picture, err := png.Decode(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, b, a := picture.At(1, 1).RGBA(); b != 0xffff || a != 0xffff {
			t.Errorf("%s is not blue", h.Name)
		}
		break
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestBrokenArchives(t *testing.T) {
	dir := t.TempDir()
	fn, err := tgz.SynthesizeTarball(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(fn)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"empty": nil, "no gzip": []byte("hello"), "cut short": b[:len(b)/2]} {
		bad := filepath.Join(dir, "bad.tar.gz")
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tgz.ListFile(bad); err == nil || err == io.EOF {
			t.Errorf("%s: want an error that names the file, got %v", name, err)
		}
	}
	if _, err := tgz.ListFile(filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent file must be an error")
	}
}
