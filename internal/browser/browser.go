// Package browser starts a headless Chromium for the tests of pages and
// watches what the page asks the network for.
package browser

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A Tab is an open page.
type Tab struct {
	ctx context.Context

	mu       sync.Mutex
	requests []string
	problems []string
}

// Open starts a browser of its own for the test, or skips the test when no
// Chromium is installed. The browser ends with the test.
func Open(t *testing.T) *Tab {
	t.Helper()
	path := os.Getenv("CHROME")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); path == "" && err == nil {
			path = found
		}
	}
	if path == "" {
		t.Skip("no chromium in PATH and no $CHROME (Debian: apt-get install chromium): pages are not tested in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.WindowSize(1440, 900), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser to end, so that its folder can go
		cancel()
	})
	tab := &Tab{ctx: ctx}
	if err := chromedp.Listen(ctx, tab.note); err != nil {
		t.Fatalf("cannot start %s: %v", path, err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatalf("cannot watch the network of %s: %v", path, err)
	}
	return tab
}

// note keeps what the page asks for and what its scripts complain about.
func (b *Tab) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "data:") {
			b.requests = append(b.requests, e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		b.problems = append(b.problems, text)
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" {
			b.problems = append(b.problems, e.Entry.Text)
		}
	}
}

// Do runs actions and ends the test when one fails.
func (b *Tab) Do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// Wait waits until an element is visible.
func (b *Tab) Wait(t *testing.T, selector string) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.WaitVisible(chromedp.CSS(selector))); err != nil {
		t.Fatalf("waiting for %s: %v", selector, err)
	}
}

// Eval is the value of a script's expression; a promise is waited for.
func Eval[T any](t *testing.T, b *Tab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.120s: %v", expression, err)
	}
	return value
}

// Until waits until a script's expression is true, at most two minutes: the machine may be busy.
func (b *Tab) Until(t *testing.T, expression string) {
	t.Helper()
	b.Within(t, 2*time.Minute, expression)
}

// Within is Until with a limit of its own.
func (b *Tab) Within(t *testing.T, limit time.Duration, expression string) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		if Eval[bool](t, b, "!!("+expression+")") {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", expression)
		}
	}
}

// Another opens a second page in the same browser: it has the same cookies. It ends with the test.
func (b *Tab) Another(t *testing.T) *Tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	tab := &Tab{ctx: ctx}
	if err := chromedp.Listen(ctx, tab.note); err != nil {
		t.Fatalf("cannot open a second page: %v", err)
	}
	return tab
}

// Phone gives the window the size, in CSS pixels, and the ways of a phone: touch, and a viewport as the page asks for it.
func (b *Tab) Phone(t *testing.T, width, height int64) {
	t.Helper()
	b.Do(t, chromedp.EmulateViewport(width, height, chromedp.EmulateMobile))
}

// Click clicks the middle of an element, once it is visible.
func (b *Tab) Click(t *testing.T, selector string) {
	t.Helper()
	b.Do(t, chromedp.Click(chromedp.CSS(selector)))
}

// Keys presses keys, named by chromedp/kb, with modifiers held.
func (b *Tab) Keys(t *testing.T, keys string, modifiers ...chromedp.Modifier) {
	t.Helper()
	b.Do(t, chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...)))
}

// Size gives the window a size in CSS pixels and waits until the page has drawn itself for it.
func (b *Tab) Size(t *testing.T, width, height int64) {
	t.Helper()
	b.Do(t, chromedp.EmulateViewport(width, height))
	b.Frames(t)
}

// Scheme sets the colour scheme the page is asked for: dark or light.
func (b *Tab) Scheme(t *testing.T, name string) {
	t.Helper()
	params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, params); err != nil {
		t.Fatal(err)
	}
	b.Frames(t)
}

// Frames waits until the page has drawn three times, so that what follows
// from a new size or new values has happened.
func (b *Tab) Frames(t *testing.T) {
	t.Helper()
	Eval[bool](t, b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`)
}

// PDF prints the page.
func (b *Tab) PDF(t *testing.T) []byte {
	t.Helper()
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF())
	if err != nil {
		t.Fatal(err)
	}
	return pdf
}

// Requests are the addresses asked for so far, data: ones left out.
func (b *Tab) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.requests...)
}

// Problems are the scripts' uncaught errors so far.
func (b *Tab) Problems() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.problems...)
}

// FileURL is the address of a file.
func FileURL(path string) string {
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// Screenshot keeps a picture of the whole page under $ORRERY_SCREENSHOTS, for
// people to look at; without that variable it does nothing.
func (b *Tab) Screenshot(t *testing.T, name string) {
	t.Helper()
	b.keep(t, name, chromedp.FullScreenshot(100))
}

// Window keeps a picture of what the window shows, under the same terms.
func (b *Tab) Window(t *testing.T, name string) {
	t.Helper()
	b.keep(t, name, chromedp.CaptureScreenshot())
}

func (b *Tab) keep(t *testing.T, name string, take chromedp.Action[[]byte]) {
	t.Helper()
	folder := os.Getenv("ORRERY_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, take)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o666); err != nil {
		t.Fatal(err)
	}
}
