package clean

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wangkuiyi/orrery/internal/browser"
)

// tab is the page open in a browser.
type tab struct {
	t *testing.T
	*browser.Tab
}

// open opens the page and waits until its grid is there. What its scripts complain about fails the test.
func open(t *testing.T, b *browser.Tab, address string, width, height int64) *tab {
	t.Helper()
	p := &tab{t, b}
	if width < 600 {
		p.Phone(t, width, height)
	} else {
		p.Size(t, width, height)
	}
	p.Do(t, chromedp.Navigate(address))
	p.until(`items.length > 0 && document.activeElement === grid`)
	t.Cleanup(func() { // before the server goes
		for _, problem := range p.Problems() {
			if !strings.HasPrefix(problem, "Failed to load resource") { // an answer of 404 or 409, which tests ask for
				t.Errorf("page: %s", problem)
			}
		}
	})
	return p
}

// value returns what an expression of the page is; a promise is waited for.
func value[T any](p *tab, expression string) T {
	p.t.Helper()
	return browser.Eval[T](p.t, p.Tab, expression)
}

func (p *tab) click(selector string) {
	p.t.Helper()
	p.Click(p.t, selector)
}

func (p *tab) focusGrid() {
	p.t.Helper()
	p.Do(p.t, chromedp.Focus(chromedp.CSS("#grid")))
}

// until waits for an expression of the page to be true.
func (p *tab) until(expression string) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !value[bool](p, "Boolean("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("never came true: %s (status: %q)", expression, value[string](p, `byId('status').textContent`))
		}
	}
}

func (p *tab) is(expression string, want any) {
	p.t.Helper()
	if got := value[string](p, "String("+expression+")"); got != fmt.Sprint(want) {
		p.t.Errorf("%s is %s, want %v", expression, got, want)
	}
}

func (p *tab) keys(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	p.Keys(p.t, keys, modifiers...)
}

func (p *tab) choose(id, choice string) {
	p.t.Helper()
	value[bool](p, fmt.Sprintf(`(byId(%q).value = %q, byId(%q).dispatchEvent(new Event('change')))`, id, choice, id))
}

// picture keeps what the window shows when $ORRERY_SCREENSHOTS names a folder.
func (p *tab) picture(name string) {
	p.t.Helper()
	value[bool](p, `new Promise((done) => setTimeout(() => done(true), 400))`) // for thumbnails
	p.Window(p.t, "clean-"+name)
}
