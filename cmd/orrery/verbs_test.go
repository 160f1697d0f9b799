package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/collect"
	"github.com/wangkuiyi/orrery/data"
)

func TestDataVerbs(t *testing.T) {
	set, dir := photos(t, 10, "blue", "red"), t.TempDir()
	if err := os.WriteFile(filepath.Join(set, "red", "page.jpg"), []byte("<html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	ls := decode[data.Summary](t, mustSucceed(t, orrery(t, dir, "data", "ls", set, "--json")).stdout)
	if ls.Images != 20 || ls.Classes["blue"] != 10 || len(ls.Skipped) != 1 {
		t.Errorf("ls: %+v", ls)
	}
	if o := mustSucceed(t, orrery(t, dir, "data", "ls", set)); !strings.Contains(o.stdout, "20 pictures") || !strings.Contains(o.stderr, "page.jpg") {
		t.Errorf("ls printed %s and %s", o.stdout, o.stderr)
	}
	v := decode[data.Report](t, mustSucceed(t, orrery(t, dir, "data", "verify", set, "--json", "--move-to", filepath.Join(dir, "aside"))).stdout)
	if v.Images != 20 || len(v.Bad) != 1 || v.Bad[0].Path != "red/page.jpg" {
		t.Errorf("verify: %+v", v)
	}
	if _, err := os.Stat(filepath.Join(set, "red", "page.jpg")); err == nil {
		t.Error("the bad file was not set aside")
	}
	if o := mustSucceed(t, orrery(t, dir, "data", "summary", set)); !strings.Contains(o.stdout, "one pass") {
		t.Errorf("summary printed %s", o.stdout)
	}
	mustSucceed(t, orrery(t, dir, "data", "show", set, "-n", "4"))
	if info, err := os.Stat(filepath.Join(dir, "show-batch.png")); err != nil || info.Size() == 0 {
		t.Errorf("show: %v", err)
	}
	fails(t, orrery(t, dir, "data", "list", set), exitUsage, "ls, verify")
	fails(t, orrery(t, dir, "data", "ls"), exitUsage, "DATA")
}

func TestPackAndUnpackAndTrainOnTheZip(t *testing.T) {
	set, dir := photos(t, 20, "blue", "red"), t.TempDir()
	mustSucceed(t, orrery(t, dir, "pack", set, "set.zip"))
	fails(t, orrery(t, dir, "pack", set, "set.zip"), exitFailed, "set.zip")
	mustSucceed(t, orrery(t, dir, "unpack", "set.zip"))
	again := decode[data.Summary](t, mustSucceed(t, orrery(t, dir, "data", "ls", "set", "--json")).stdout)
	if again.Images != 40 {
		t.Errorf("%d pictures came out, want 40", again.Images)
	}
	mustSucceed(t, trainSmall(t, dir, "set.zip", "--epochs", "1"))
}

func TestCollectFromAList(t *testing.T) {
	dir := t.TempDir()
	fails(t, orrery(t, dir, "collect", "earth"), exitUsage, "into")
	o := orrery(t, dir, "collect", "earth", "--into", "set", "--source", "altavista")
	fails(t, o, exitUsage, "altavista")
	if err := os.WriteFile(filepath.Join(dir, "list.csv"), []byte("URL,Label\nhttp://127.0.0.1:9/a.jpg,earth\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	o = orrery(t, dir, "collect", "--into", "set", "--csv", "list.csv", "--json")
	if summary := decode[collect.Summary](t, o.stdout); summary.Classes["earth"].Kept != 0 || len(summary.Classes["earth"].Dropped) == 0 {
		t.Errorf("a private address was not refused: %+v", summary)
	}
}

func TestCleanByList(t *testing.T) {
	set, dir := photos(t, 3, "blue", "red"), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "steps"), []byte("trash red/000.png\nmove red/001.png blue\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	mustSucceed(t, orrery(t, dir, "clean", set, "--apply", "steps"))
	if o := mustSucceed(t, orrery(t, dir, "clean", set, "--list")); strings.Contains(o.stdout, "red/000.png\t") && !strings.Contains(o.stdout, "trash") {
		t.Errorf("the list after throwing one out:\n%s", o.stdout)
	}
	if entries, _ := os.ReadDir(filepath.Join(set, "red")); len(entries) != 1 {
		t.Errorf("%d pictures are left in red, want 1", len(entries))
	}
}

func TestCompare(t *testing.T) {
	set, dir := photos(t, 20, "blue", "red"), t.TempDir()
	for _, run := range []string{"a", "b"} {
		mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "-o", run))
	}
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "--lr", "0.0123", "-o", "c"))
	for _, word := range []string{"0.0123", "accuracy", "page: comparison.html"} {
		if o := mustSucceed(t, orrery(t, dir, "compare", "a", "b", "c")); !strings.Contains(o.stdout, word) {
			t.Errorf("compare does not print %q:\n%s", word, o.stdout)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "comparison.html")); err != nil || info.Size() == 0 {
		t.Errorf("compare: %v", err)
	}
}
