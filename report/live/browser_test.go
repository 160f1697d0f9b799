package live

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/internal/browser"
	"github.com/wangkuiyi/orrery/report"
)

// finish adds what the trainer writes at the end.
func finish(t *testing.T, dir string) {
	t.Helper()
	classes := []string{hostile, "earth", "jupiter", "saturn"}
	evaluation, err := json.Marshal(report.Evaluation{Classes: classes, Confusion: [][]int{{20, 1, 0, 3}, {2, 30, 4, 0}, {0, 9, 25, 1}, {1, 0, 2, 40}}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "evaluation.json", string(evaluation))
	pictures := make([]image.Image, 6)
	for i := range pictures {
		m := image.NewGray(image.Rect(0, 0, 120, 120))
		for p := range m.Pix {
			m.Pix[p] = uint8(p*(i+1)/80 + 40*i)
		}
		pictures[i] = m
	}
	f, err := os.Create(filepath.Join(dir, "plots", "batch.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, report.Grid(pictures, []string{"earth", "saturn", hostile, "earth", "jupiter", "saturn"}, 3, 160)); err != nil {
		t.Fatal(err)
	}
	a := &report.Activations{Modules: []string{"0.conv", "1." + hostile}}
	for s := range 90 {
		a.Steps = append(a.Steps, int64(s))
		for m := range a.Modules {
			a.Mean, a.Std, a.NearZero = append(a.Mean, 1), append(a.Std, 1), append(a.NearZero, float32(m))
			for b := range report.HistogramBins {
				a.Histogram = append(a.Histogram, uint32(5000*math.Exp(-float64(b*b)/(30+float64(s)))))
			}
		}
	}
	if err := report.WriteActivations(filepath.Join(dir, "activations.npz"), a); err != nil {
		t.Fatal(err)
	}
}

func records(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	list, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return list[1:]
}

func checkWidths(t *testing.T, tab *browser.Tab, name string) {
	t.Helper()
	for _, width := range []int64{1440, 390} {
		tab.Size(t, width, 900)
		if got := browser.Eval[int64](t, tab, "document.documentElement.scrollWidth"); got > width {
			t.Errorf("at %d px the page is %d wide", width, got)
		}
		tab.Screenshot(t, fmt.Sprintf("%s-%d", name, width))
	}
	tab.Size(t, 1440, 900)
}

func TestLivePageInABrowser(t *testing.T) {
	runs := t.TempDir()
	dir := filepath.Join(runs, "planets-cnn8")
	startRun(t, dir)
	put(t, dir, "plots/.keep", "")
	s := open(t, runs)
	tab := browser.Open(t)
	tab.Size(t, 1440, 900)
	tab.Do(t, chromedp.Navigate(s.address))
	tab.Until(t, `document.getElementById("status").textContent === "running"`)
	if got := browser.Eval[string](t, tab, "location.href"); strings.Contains(got, "token") {
		t.Errorf("the token stays in the address bar: %s", got)
	}
	// Curves grow while the page is open.
	const perEpoch = 30
	for i := range 75 {
		add(t, dir, "steps.csv", stepLine(i, perEpoch))
		if i%perEpoch == perEpoch-1 {
			add(t, dir, "history.csv", fmt.Sprintf("%d,%.6f,%.6f,%.6f,%.3f\n", i/perEpoch, 1.2-0.01*float64(i), 1.1-0.01*float64(i), 0.4+0.005*float64(i), 14.25))
		}
		if i == 10 {
			tab.Until(t, `orreryCharts.live.get("loss") && orreryCharts.live.get("loss").plot.data[0].length === 11`)
		}
	}
	tab.Until(t, `orreryCharts.live.get("loss").plot.data[0].length === 75 && document.querySelectorAll("#epochs tbody tr").length === 2`)
	checkValues(t, tab, dir)
	if got := browser.Eval[string](t, tab, `document.getElementById("where").textContent`); got != "epoch 3 of 3 · step 75 of 90 · about 0:07 left" {
		t.Errorf("progress reads %q", got)
	}
	finish(t, dir)
	tab.Until(t, `document.querySelectorAll("#layers img").length === 2 && document.querySelectorAll("#pictures img").length === 1 && document.querySelectorAll("#confusion td").length === 16`)
	tab.Until(t, `[...document.images].every(i => i.complete && i.naturalWidth > 0)`)
	if got := browser.Eval[string](t, tab, "document.title"); got != "planets-cnn8 · Orrery" {
		t.Errorf("title is %q: a class name ran as a script", got)
	}
	if n := browser.Eval[int](t, tab, `document.scripts.length`); n != 1 {
		t.Errorf("%d scripts in the page, want 1", n)
	}
	checkWidths(t, tab, "live")

	// The note is saved by itself, and both it and the run survive a reload.
	tab.Do(t, chromedp.SendKeys(chromedp.CSS("#note"), "a first try"))
	tab.Until(t, `document.getElementById("noted").textContent === "Saved."`)
	tab.Do(t, chromedp.Reload())
	tab.Until(t, `document.getElementById("note").value === "a first try" && orreryCharts.live.get("loss").plot.data[0].length === 75`)

	// Stop takes two clicks; one alone does nothing.
	tab.Do(t, chromedp.Click(chromedp.CSS("#stop")))
	if _, err := os.Stat(filepath.Join(dir, "stop")); err == nil {
		t.Error("one click stopped the run")
	}
	tab.Do(t, chromedp.Click(chromedp.CSS("#stop")))
	tab.Until(t, `document.getElementById("status").textContent === "stopping" && document.getElementById("stop").disabled`)
	if _, err := os.Stat(filepath.Join(dir, "stop")); err != nil {
		t.Error(err)
	}

	// A second run can be chosen; the first stays on the page until then.
	second := filepath.Join(runs, "second")
	startRun(t, second)
	put(t, second, "result.json", `{"accuracy":0.5,"epochs":1}`)
	tab.Until(t, `document.querySelectorAll("#runs option").length === 2`)
	if got := browser.Eval[string](t, tab, `document.getElementById("title").textContent`); got != "planets-cnn8" {
		t.Errorf("a new run took the page over: %q", got)
	}
	browser.Eval[bool](t, tab, `(() => { const s = document.getElementById("runs"); s.value = "second"; s.dispatchEvent(new Event("change")); return true; })()`)
	tab.Until(t, `document.getElementById("title").textContent === "second" && document.getElementById("status").textContent === "finished" && orreryCharts.live.size === 0`)

	for _, address := range tab.Requests() {
		if !strings.HasPrefix(address, s.base+"/") {
			t.Errorf("the page asked for %s", address)
		}
	}
	if got := tab.Problems(); len(got) != 0 {
		t.Errorf("script errors: %q", got)
	}
}

// checkValues compares what the page shows with the files, which may have grown since: every row of the epoch table,
// every point of the charts, of which there are enough.
func checkValues(t *testing.T, tab *browser.Tab, dir string) {
	t.Helper()
	rows := browser.Eval[[][]string](t, tab, `[...document.querySelectorAll("#epochs tbody tr")].map(r => [...r.cells].slice(0, 4).map(c => c.textContent))`)
	history := map[string][]string{} // by epoch
	for _, record := range records(t, filepath.Join(dir, "history.csv")) {
		history[record[0]] = record[:4]
	}
	if len(rows) == 0 {
		t.Error("the epoch table is empty")
	}
	for _, row := range rows {
		if diff := cmp.Diff(history[row[0]], row); diff != "" {
			t.Errorf("epoch table (-history.csv +page):\n%s", diff)
		}
	}
	for _, c := range []struct {
		chart          string
		series, column int
	}{{"loss", 1, 4}, {"loss", 2, 5}, {"rate", 1, 2}, {"momentum", 1, 3}, {"throughput", 1, 6}, {"memory", 1, 8}} {
		drawn := browser.Eval[[2][]float64](t, tab, fmt.Sprintf(`[orreryCharts.live.get(%[1]q).plot.data[0], orreryCharts.live.get(%[1]q).plot.data[%[2]d]]`, c.chart, c.series))
		steps := records(t, filepath.Join(dir, "steps.csv"))
		n := len(drawn[0])
		if n == 0 || drawn[0][0] != 0 || n < min(int(drawn[0][n-1])+1, points/2) || n > 2*points {
			t.Errorf("%s has %d points, from %v to %v", c.chart, n, drawn[0][:min(n, 1)], drawn[0][max(0, n-1):])
		}
		for i, step := range drawn[0] {
			record := steps[int(step)]
			value, err := strconv.ParseFloat(record[c.column], 64)
			if err != nil {
				t.Fatal(err)
			}
			if record[0] != strconv.Itoa(int(step)) || math.Abs(drawn[1][i]-value) > 1e-5*math.Abs(value) {
				t.Errorf("%s at step %v is %v, the file says %v", c.chart, step, drawn[1][i], record)
				break
			}
		}
	}
}

// 50,000 steps: the page gets few points, and drawing them anew stays quick (the time is told, not asserted).
func TestLivePageOfALongRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "long")
	startRun(t, dir)
	var text strings.Builder
	text.WriteString(stepsHeader)
	for i := range 50_000 {
		text.WriteString(stepLine(i, 5_000))
	}
	put(t, dir, "steps.csv", text.String())
	s := open(t, dir)
	tab := browser.Open(t)
	tab.Do(t, chromedp.Navigate(s.address))
	tab.Until(t, `orreryCharts.live.get("loss") && orreryCharts.live.get("loss").plot.data[0].at(-1) === 49999`)
	n := browser.Eval[int](t, tab, `orreryCharts.live.get("loss").plot.data[0].length`)
	if n < 500 || n > 2*points {
		t.Errorf("the page draws %d points of 50,000", n)
	}
	add(t, dir, "steps.csv", stepLine(50_000, 5_000))
	tab.Until(t, `orreryCharts.live.get("loss").plot.data[0].at(-1) === 50000`)
	ms := browser.Eval[float64](t, tab, `new Promise(done => { const t = performance.now(); for (const c of orreryCharts.live.values()) orreryCharts.show(c.spec); requestAnimationFrame(() => done(performance.now() - t)); })`)
	t.Logf("updating every chart took %.1f ms", ms)
	if got := tab.Problems(); len(got) != 0 {
		t.Errorf("script errors: %q", got)
	}
}
