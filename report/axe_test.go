package report

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wangkuiyi/orrery/internal/browser"
)

// Accessibility, checked with axe-core: set ORRERY_AXE to its axe.min.js (npm pack axe-core).
func TestPagesAreAccessible(t *testing.T) {
	script := os.Getenv("ORRERY_AXE")
	if script == "" {
		t.Skip("set ORRERY_AXE to axe.min.js of the npm package axe-core")
	}
	code, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	run := writeSample(t, 5, 17, append([]string{hostile}, sampleClasses...))
	page, err := Write(run)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ladder, err := WriteLadder(dir, writeSampleLadder(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"report": page, "ladder": ladder} {
		for _, scheme := range []string{"light", "dark"} {
			tab := browser.Open(t)
			tab.Size(t, 1440, 900)
			tab.Do(t, chromedp.Navigate(browser.FileURL(path)))
			tab.Scheme(t, scheme)
			browser.Eval[bool](t, tab, string(code)+"; true")
			found := browser.Eval[[]string](t, tab, `axe.run().then(r => r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html + " " + n.failureSummary).join(" | ")))`)
			for _, violation := range found {
				t.Errorf("%s, %s: %.600s", name, scheme, violation)
			}
		}
	}
}
