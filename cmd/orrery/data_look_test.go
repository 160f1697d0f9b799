package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

func TestDataLooks(t *testing.T) {
	set, dir := photos(t, 10, "blue", "red"), t.TempDir()
	data := func(args ...string) outcome { return orrery(t, dir, append([]string{"data"}, args...)...) }
	starts := func(name, magic string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.HasPrefix(string(b), magic) {
			t.Errorf("%s: %v, %.20q", name, err, b)
		}
	}

	s := decode[pipelineSummary](t, mustSucceed(t, data("summary", set, "-b", "8", "--json")).stdout)
	if len(s.Stages) < 4 || s.Batch == nil || s.Batch.Shape[0] != 8 || s.Train != 16 || len(s.Warnings) == 0 {
		t.Errorf("summary: %+v", s)
	}
	if o := mustSucceed(t, data("summary", set)); !strings.Contains(o.stdout, "training would refuse") {
		t.Errorf("a batch larger than the set is not warned of:\n%s", o.stdout)
	}
	b := decode[trainer.Look](t, mustSucceed(t, data("batch", set, "-b", "6", "--json")).stdout)
	if b.Shape[0] != 6 || len(b.Labels) != 6 || len(b.Paths) != 6 || b.Max > 1 || b.Max <= b.Min {
		t.Errorf("batch: %+v", b)
	}
	u := decode[trainer.Look](t, mustSucceed(t, data("show", set, "--unique", "-n", "4", "--json")).stdout)
	if len(u.Paths) != 4 || u.Paths[0] != u.Paths[3] || u.Shape[0] != 4 {
		t.Errorf("unique: %+v", u)
	}
	for name, magic := range map[string]string{"grid.png": "\x89PNG", "grid.html": "<!DOCTYPE html>"} {
		mustSucceed(t, data("show", set, "-n", "4", "-o", name))
		starts(name, magic)
	}
	fails(t, data("show", set, "-o", "grid.gif"), exitUsage, "grid.gif", ".html")

	c := decode[report.Channels](t, mustSucceed(t, data("channels", set, "--rows", "25:35", "--cols", "10:20", "--json")).stdout)
	if c.Shape != [3]int{40, 44, 3} || len(c.Red) != 10 || len(c.Blue[9]) != 10 || c.Class != "blue" || c.ColorMap != "gist_heat" {
		t.Errorf("channels: %+v", c)
	}
	picture := filepath.Join(set, "red", "001.png")
	if o := mustSucceed(t, data("channels", picture)); !strings.Contains(o.stdout, "[40,44,3] uint8, rows 15:25") {
		t.Errorf("channels of a file:\n%s", o.stdout)
	}
	mustSucceed(t, data("channels", picture, "-o", "c.png"))
	starts("c.png", "\x89PNG")
	mustSucceed(t, data("channels", picture, "-o", "c.html", "--cmap", "jet"))
	starts("c.html", "<!DOCTYPE html>")
	fails(t, data("channels", picture, "--rows", "30:50"), exitUsage, "30:50", "0:40")
	fails(t, data("channels", picture, "--cmap", "gist_hot"), exitUsage, "gist_heat")

	for _, verb := range []string{"ls", "verify", "summary"} {
		mustSucceed(t, data(verb, set, "-o", verb+".json"))
		starts(verb+".json", "{")
		mustSucceed(t, data(verb, set, "-o", verb+".txt"))
	}
}
