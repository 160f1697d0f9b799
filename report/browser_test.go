package report

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/internal/browser"
)

// layout is what the browser says about a page's looks.
type layout struct {
	PageWidth, WindowWidth int
	Outside                []string // elements that stick out of the window
}

const measure = `(() => {
  const out = [];
  for (const e of document.querySelectorAll("main *")) {
    if (e.closest(".scroll") || e.closest("svg")) continue;
    const r = e.getBoundingClientRect();
    if (r.width > 0 && r.right > innerWidth + 1) out.push(e.tagName + "." + e.className + "#" + e.id);
  }
  return {PageWidth: document.documentElement.scrollWidth, WindowWidth: innerWidth, Outside: out};
})()`

func checkLayout(t *testing.T, tab *browser.Tab, name string) {
	t.Helper()
	for _, width := range []int64{1440, 390} {
		tab.Size(t, width, 900)
		l := browser.Eval[layout](t, tab, measure)
		if l.PageWidth > l.WindowWidth || len(l.Outside) > 0 {
			t.Errorf("%s at %d px: the page is %d wide, outside are %v", name, width, l.PageWidth, l.Outside)
		}
		tab.Screenshot(t, fmt.Sprintf("%s-%d", name, width))
	}
}

func TestReportInABrowser(t *testing.T) {
	tab := browser.Open(t)
	dir := writeSample(t, 5, 17, append([]string{hostile}, sampleClasses...))
	path, err := Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	address := browser.FileURL(path)
	tab.Size(t, 1440, 900)
	tab.Do(t, chromedp.Navigate(address))
	tab.Wait(t, "#loss canvas")
	if title := browser.Eval[string](t, tab, "document.title"); title != "planets-cnn8 · Orrery" {
		t.Errorf("title is %q: a class name ran as a script", title)
	}
	for _, id := range []string{"numbers", "loss", "accuracy", "rate", "momentum", "show-batch", "confusion", "top-losses", "throughput", "wait", "memory", "command", "epochs", "classes", "confused", "calibration", "activations", "moments-0", "zero-3"} {
		if !browser.Eval[bool](t, tab, `(() => { const e = document.getElementById("`+id+`"); return !!e && e.getBoundingClientRect().height > 15; })()`) {
			t.Errorf("#%s is not shown", id)
		}
	}
	if broken := browser.Eval[int](t, tab, `[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length`); broken > 0 {
		t.Errorf("%d pictures are broken", broken)
	}
	checkTable(t, tab, dir)
	checkCharts(t, tab, dir)
	checkLayout(t, tab, "report")
	tab.Scheme(t, "dark")
	checkLayout(t, tab, "report-dark")
	pdf := tab.PDF(t)
	if len(pdf) < 20_000 {
		t.Errorf("the printed page has only %d bytes", len(pdf))
	}
	if folder := os.Getenv("ORRERY_SCREENSHOTS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, "report.pdf"), pdf, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if got := tab.Requests(); len(got) != 1 || got[0] != address {
		t.Errorf("the page asked for %q, want only itself", got)
	}
	if got := tab.Problems(); len(got) != 0 {
		t.Errorf("script errors: %q", got)
	}
}

// checkTable compares the epoch table's cells with history.csv's own text.
func checkTable(t *testing.T, tab *browser.Tab, dir string) {
	t.Helper()
	cells := browser.Eval[[][]string](t, tab, `[...document.querySelectorAll("#epochs tbody tr")].map(r => [...r.cells].slice(0, 4).map(c => c.textContent))`)
	var want [][]string
	for _, record := range readCSV(t, filepath.Join(dir, "history.csv")) {
		want = append(want, record[:4])
	}
	if diff := cmp.Diff(want, cells); diff != "" {
		t.Errorf("epoch table (-history.csv +page):\n%s", diff)
	}
}

// checkCharts compares what the charts draw with the CSV files.
func checkCharts(t *testing.T, tab *browser.Tab, dir string) {
	t.Helper()
	history, steps := readCSV(t, filepath.Join(dir, "history.csv")), readCSV(t, filepath.Join(dir, "steps.csv"))
	for _, c := range []struct {
		chart  string
		series int // in the chart, 0 is x
		table  [][]string
		column int
	}{
		{"accuracy", 0, history, 0}, {"accuracy", 1, history, 3},
		{"loss", 0, steps, 0}, {"loss", 1, steps, 4}, {"loss", 2, steps, 5},
		{"rate", 1, steps, 2}, {"momentum", 1, steps, 3}, {"throughput", 1, steps, 6}, {"memory", 1, steps, 8},
	} {
		drawn := browser.Eval[[]float64](t, tab, fmt.Sprintf(`orreryCharts.live.get(%q).plot.data[%d]`, c.chart, c.series))
		if len(drawn) != len(c.table) {
			t.Errorf("%s series %d has %d points, want %d", c.chart, c.series, len(drawn), len(c.table))
			continue
		}
		for i, record := range c.table {
			want, err := strconv.ParseFloat(record[c.column], 64)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(drawn[i]-want) > 1e-5*math.Abs(want) {
				t.Errorf("%s series %d point %d is %v, the file says %v", c.chart, c.series, i, drawn[i], want)
				break
			}
		}
	}
}

func readCSV(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	records, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records[1:]
}

func TestLadderInABrowser(t *testing.T) {
	tab := browser.Open(t)
	dir := t.TempDir()
	path, err := WriteLadder(dir, writeSampleLadder(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	tab.Size(t, 1440, 900)
	tab.Do(t, chromedp.Navigate(browser.FileURL(path)))
	tab.Wait(t, "#losses canvas")
	rows := browser.Eval[int](t, tab, `document.querySelectorAll("#rungs tbody tr").length`)
	curves := browser.Eval[int](t, tab, `orreryCharts.live.get("losses").plot.data.length - 1`)
	if rows != 6 || curves != 6 {
		t.Errorf("%d rungs and %d curves, want 6 and 6", rows, curves)
	}
	checkLayout(t, tab, "ladder")
	if got := tab.Requests(); len(got) != 1 {
		t.Errorf("the page asked for %q, want only itself", got)
	}
	if got := tab.Problems(); len(got) != 0 {
		t.Errorf("script errors: %q", got)
	}
}

// A long run must not make a heavy page.
func TestLongRunMakesASmallPage(t *testing.T) {
	dir := writeSample(t, 1, 50_000, sampleClasses)
	path, err := Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 1<<20 {
		t.Errorf("50,000 steps make a page of %d bytes, want below 1 MiB", info.Size())
	}
}
