package clean

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wangkuiyi/orrery/collect"
	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/pack"
)

// TestFromSearchToArchive goes the whole way: four classes collected from the stand-in services, cleaned in a browser, packed, unpacked.
func TestFromSearchToArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("draws and downloads 800 pictures")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx := browser(t)
	w := collecttest.New(t)
	w.Width, w.Height = 160, 120
	classes := []string{"earth", "jupiter", "neptune", "saturn"}
	w.Fill(210, classes...)
	w.Results["earth"] = append([]string{"/html/x.jpg", "/404/x.jpg", "/again/earth-0.jpg", "/smaller/earth-1.jpg"}, w.Results["earth"]...)
	dir := filepath.Join(t.TempDir(), "planets")
	summary, err := collect.Run(context.Background(), collect.Options{Into: dir, Classes: classes, Max: 200, Bases: w.Bases(), AllowPrivate: true, Query: "{class}"})
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range classes {
		if got := summary.Classes[class]; got.Kept != 200 {
			t.Fatalf("%s: %+v, want 200 kept", class, got)
		}
	}

	address, token := serve(t, dir, ServeOptions{})
	p := open(t, ctx, address+"/?token="+token, 1440, 900)
	p.choose("class", "class:saturn")
	p.until(`items.length === 200`)
	for i := 1; i <= 3; i++ {
		p.click(fmt.Sprintf(`.tile[aria-posinset="%d"]`, 2*i))
	}
	p.until(`selected.size === 3`)
	p.click("#trash")
	p.until(`items.length === 197`)
	p.focusGrid()
	p.keys(kb.End)
	p.keys(kb.ArrowUp, chromedp.ModifierShift)
	p.until(`selected.size > 1`)
	p.keys("1")
	p.until(`state.undos === 2`)
	p.keys("z", chromedp.ModifierCtrl)
	p.until(`state.undos === 1 && items.length === 197`)
	value[bool](p, `(at = 0, showLarge(), true)`)
	p.until(`byId('large-facts').textContent.includes('CC') && byId('large-facts').textContent.includes('http') === false`)
	value[bool](p, `(byId('large').close(), true)`)
	p.do(chromedp.Navigate("about:blank"))

	archive := filepath.Join(t.TempDir(), "planets.zip")
	packed, err := pack.Pack(context.Background(), dir, archive, pack.Options{}) // while the page is open
	if err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(t.TempDir(), "again")
	unpacked, err := pack.Unpack(context.Background(), archive, into, pack.UnpackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if packed.Pictures != 797 || unpacked.Pictures != 797 || unpacked.Verified != 797 || unpacked.Classes["saturn"] != 197 {
		t.Errorf("packed %+v, unpacked %+v, want 797 pictures, 197 of saturn", packed, unpacked)
	}
	credits, err := collect.Attribution(into)
	if err != nil || len(credits.Credits) != 797 || credits.Unknown != 0 {
		t.Errorf("%d credits, %v", len(credits.Credits), err)
	}
}

// TestMemory collects 2,000 pictures of 460 x 345 and watches the memory of this process, which holds the servers and their pictures too.
// It runs with ORRERY_LONG=1.
func TestMemory(t *testing.T) {
	if os.Getenv("ORRERY_LONG") == "" {
		t.Skip("set ORRERY_LONG=1 to collect 2,000 pictures")
	}
	w := collecttest.New(t)
	w.Width, w.Height = 460, 345
	w.Fill(1000, "earth", "mars")
	for _, class := range []string{"earth", "mars"} { // draw before the clock starts
		for _, path := range w.Results[class] {
			w.Picture(strings.TrimPrefix(path, "/picture/"))
		}
	}
	runtime.GC()
	before := resident(t)
	most := before
	stop := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				most = max(most, resident(t))
			}
		}
	}()
	begun := time.Now()
	summary, err := collect.Run(context.Background(), collect.Options{Into: t.TempDir(), Classes: []string{"earth", "mars"}, Max: 900, Sources: []string{"duckduckgo"},
		Bases: w.Bases(), AllowPrivate: true})
	close(stop)
	<-watched
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	t.Logf("%d pictures, %.1f MB in %.1f s: %.0f a second; resident %d MB before, %d MB at most", summary.Classes["earth"].Kept+summary.Classes["mars"].Kept,
		float64(summary.Bytes)/1e6, took.Seconds(), 1800/took.Seconds(), before>>20, most>>20)
	if grown := most - before; grown > 110<<20 {
		t.Errorf("memory grew by %d MB", grown>>20)
	}
}

// resident returns the resident bytes of this process, on Linux.
func resident(t *testing.T) int {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc here")
	}
	var total, pages int
	if _, err := fmt.Sscan(string(data), &total, &pages); err != nil {
		t.Error(err)
	}
	return pages * os.Getpagesize()
}
