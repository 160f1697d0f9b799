package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/internal/browser"
)

func sampleComparison(t *testing.T) *Comparison {
	t.Helper()
	a, b := writeSample(t, 2, 10, sampleClasses), writeSample(t, 4, 10, sampleClasses)
	if err := os.Remove(filepath.Join(b, "result.json")); err != nil {
		t.Fatal(err)
	}
	recipe, err := os.ReadFile(filepath.Join(b, "recipe.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(recipe), "lr: 0.003\n", "lr: 0.001\nema: 0.99\n", 1)
	if err := os.WriteFile(filepath.Join(b, "recipe.yaml"), []byte(changed), 0o666); err != nil {
		t.Fatal(err)
	}
	c, err := Compare([]string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompare(t *testing.T) {
	c := sampleComparison(t)
	want := []Difference{{"epochs", []string{"2", "4"}}, {"lr", []string{"0.003", "0.001"}}, {"ema", []string{"", "0.99"}}}
	if diff := cmp.Diff(want, c.Differences); diff != "" {
		t.Error(diff)
	}
	// Without result.json the last epoch counts.
	last := c.loaded[1].History[3]
	if got := c.Runs[1]; *got.Accuracy != last.Accuracy || *got.ValidLoss != last.ValidLoss || got.ImagesPerSecond != nil || got.Epochs != 4 {
		t.Errorf("row of the unfinished run is %+v", got)
	}
	if *c.Runs[0].Accuracy != 0.7815 {
		t.Errorf("row of the finished run is %+v", c.Runs[0])
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), `"images_per_second":null`) {
		t.Errorf("JSON is %s", text)
	}
	if _, err := Compare([]string{t.TempDir()}); err == nil {
		t.Error("one run was compared")
	}
}

func TestCompareInABrowser(t *testing.T) {
	tab := browser.Open(t)
	path := filepath.Join(t.TempDir(), "compare.html")
	if err := sampleComparison(t).WritePage(path); err != nil {
		t.Fatal(err)
	}
	tab.Size(t, 1440, 900)
	tab.Do(t, chromedp.Navigate(browser.FileURL(path)))
	tab.Wait(t, "#accuracies canvas")
	if n := browser.Eval[int](t, tab, `document.querySelectorAll("#differences td.changed").length`); n != 3 {
		t.Errorf("%d values are marked as changed, want 3", n)
	}
	checkLayout(t, tab, "compare")
	if got := tab.Requests(); len(got) != 1 {
		t.Errorf("the page asked for %q, want only itself", got)
	}
	if got := tab.Problems(); len(got) != 0 {
		t.Errorf("script errors: %q", got)
	}
}
