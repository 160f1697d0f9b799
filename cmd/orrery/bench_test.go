package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/bench"
)

// brief are the flags of a measurement that takes seconds.
var brief = append([]string{"--steps", "2", "--warmup", "1", "--repeats", "2", "--device", "cpu"}, small...)

func TestBench(t *testing.T) {
	set, dir := photos(t, 20, "blue", "red"), t.TempDir()
	args := append([]string{"bench", set, "--json", "--price-per-hour", "cpu=3.6", "--markdown", "bench.md", "--mlperf", "bench.log", "-o", "bench.png"}, brief...)
	r := decode[bench.Report](t, mustSucceed(t, orrery(t, dir, args...)).stdout)
	var names []string
	for _, row := range r.Rows {
		names = append(names, row.Work+" "+row.Input+" "+row.Pixels)
		if row.ImagesPerSecond <= 0 || row.MsPerStep <= 0 || row.DataWait < 0 || row.DataWait > 1 || row.Error != "" || row.BatchSize != 8 {
			t.Errorf("row %+v", row)
		}
		if row.Work != bench.Data && (row.Split == nil || row.Floor == nil) {
			t.Errorf("%s on %s has no parts or no floor", row.Work, row.Input)
		}
		if epoch := 32 / 8 * 8; row.Cost == nil || row.Cost.PerEpoch <= 0 || row.Cost.PerEpoch > row.Cost.Per1000Images*float64(epoch)/1000*1.001 {
			t.Errorf("the cost of an epoch of %d is %+v", epoch, row.Cost)
		}
	}
	each := func(pixels string) string {
		return strings.ReplaceAll("data jpeg P, data store P, train jpeg P, train store P, predict jpeg P, predict store P, train synthetic P, predict synthetic P", "P", pixels)
	}
	if want := each("exact") + ", " + each("fast"); strings.Join(names, ", ") != want {
		t.Errorf("rows %q, want %q", names, want)
	}
	if len(r.Ceilings) != 1 || r.Machine.Cores < 1 || r.Machine.Threads != 1 || len(r.Comparisons) != 0 {
		t.Errorf("ceilings %+v, machine %+v, comparisons %+v", r.Ceilings, r.Machine, r.Comparisons)
	}
	for name, word := range map[string]string{"bench.md": "| train | store | fast | cpu | cnn8 | 8 |", "bench.log": ":::MLLOG "} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), word) {
			t.Errorf("%s lacks %q: %v\n%s", name, word, err, text)
		}
	}
	plot, err := os.ReadFile(filepath.Join(dir, "bench.png"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := png.Decode(bytes.NewReader(plot)); err != nil {
		t.Error(err)
	}
}

// TestBenchOfLists measures two networks at two batch sizes, without a set.
func TestBenchOfLists(t *testing.T) {
	dir := t.TempDir()
	o := mustSucceed(t, orrery(t, dir, append(append([]string{"bench"}, brief...), "--model", "cnn8,resnet9", "-b", "4,8", "-o", "bench.json")...))
	for _, word := range []string{"resnet9", "reached", "ceilings of cpu", "not compared"} {
		if !strings.Contains(o.stdout, word) {
			t.Errorf("the table lacks %q:\n%s", word, o.stdout)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "bench.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r bench.Report
	if err := json.Unmarshal(text, &r); err != nil || len(r.Rows) != 8 {
		t.Fatalf("%d rows, %v; want 8", len(r.Rows), err)
	}
	if last := r.Rows[7]; last.Model != "resnet9" || last.BatchSize != 8 || last.Work != bench.Predict || last.Energy == nil && len(r.Notes) < 2 {
		t.Errorf("the last row is %+v; notes %q", last, r.Notes)
	}
}

func TestMistakesAtBench(t *testing.T) {
	set := photos(t, 10, "blue", "red")
	for _, test := range []struct{ args, words []string }{
		{[]string{"--price-per-hour", "-1"}, []string{`"-1"`, "above 0"}},
		{[]string{"--price-per-hour", "tpu=1"}, []string{"tpu"}},
		{[]string{"-b", "0"}, []string{"batch size is 0"}},
		{[]string{"-b", "8,0"}, []string{"batch size is 0"}},
		{[]string{"-b", "8,many"}, []string{"many"}},
		{[]string{"-b", "8,"}, []string{"empty place"}},
		{[]string{set, "-b", "8,64"}, []string{"batch size 64", "16 pictures"}},
		{[]string{"--model", "cnn8,cnn9"}, []string{`"cnn9"`, "resnet18"}},
		{[]string{"--steps", "1"}, []string{"steps is 1"}},
		{[]string{"--repeats", "0"}, []string{"repeats is 0"}},
		{[]string{"--warmup", "-2"}, []string{"warmup is -2"}},
		{[]string{"-o", "bench.pdf"}, []string{"bench.pdf", ".svg"}},
		{[]string{"--mlperf", "nowhere/bench.log"}, []string{"nowhere"}},
		{[]string{set, set}, []string{"one DATA"}},
	} {
		t.Run(strings.Join(test.args, " "), func(t *testing.T) {
			fails(t, orrery(t, t.TempDir(), append([]string{"bench"}, test.args...)...), exitUsage, test.words...)
		})
	}
}

func TestListValue(t *testing.T) {
	l := newList(128)
	if l.String() != "128" || l.Get() != 128 {
		t.Errorf("the default is %q, %v", l.String(), l.Get())
	}
	if err := l.Set("32, 64"); err != nil || l.String() != "32" || l.Serialize() != "32,64" || l.Get() != 32 {
		t.Errorf("%v: %q, %q", err, l.String(), l.Serialize())
	}
	if err := l.Set("1,x"); err == nil || l.Serialize() != "32,64" {
		t.Errorf("a list with a word: %v, %s", err, l.Serialize())
	}
	var none *listValue[string]
	if none.String() != "" {
		t.Error("no list is something")
	}
}
