package clean

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wangkuiyi/orrery/internal/browser"
)

func countIn(files []string, prefix string) (n int) {
	for _, file := range files {
		if strings.HasPrefix(file, prefix) {
			n++
		}
	}
	return n
}

func TestPage(t *testing.T) {
	b := browser.Open(t)
	dir := newSet(t, 30, "earth", "mars", "saturn")
	before := tree(t, dir)
	address, token := serve(t, dir, ServeOptions{})
	p := open(t, b, address+"/?token="+token, 1440, 900)
	p.is(`location.search`, "")
	p.is(`items.length`, 90)
	p.picture("wide")

	// Click to select, shift and click for a range, Delete to throw out.
	p.choose("class", "class:mars")
	p.until(`items.length === 30`)
	p.click(`.tile[aria-posinset="2"]`)
	value[bool](p, `document.querySelector('.tile[aria-posinset="5"]').dispatchEvent(new MouseEvent('click', {bubbles: true, shiftKey: true}))`)
	p.until(`selected.size === 4`)
	p.picture("selected")
	p.focusGrid()
	p.keys(kb.Delete)
	p.until(`items.length === 26 && state.trashed === 4 && state.undos === 1`)
	if n := countIn(tree(t, dir), ".trash/mars/"); n != 4 {
		t.Fatalf("%d pictures in the trash, want 4", n)
	}

	// Keys alone: go, select a range, move it to the first class.
	p.keys(kb.Home)
	p.keys(kb.ArrowRight)
	p.keys(kb.ArrowRight, chromedp.ModifierShift)
	p.until(`selected.size === 2`)
	p.keys("1")
	p.until(`items.length === 24 && state.undos === 2`)
	if n := countIn(tree(t, dir), "earth/"); n != 32 {
		t.Fatalf("%d pictures in earth, want 32", n)
	}

	// Rename the class in its dialog.
	p.click(`#rename`)
	p.Do(t, chromedp.WaitVisible(chromedp.CSS(`#ask-name`)), chromedp.SetValue(chromedp.CSS(`#ask-name`), "red planet"))
	p.click(`#ask-ok`)
	p.until(`view().class === 'red planet' && items.length === 24 && state.undos === 3`)

	// Look at one large; throw it out from there.
	p.focusGrid()
	p.keys(kb.Enter)
	p.until(`byId('large').open && byId('large-picture').naturalWidth === 160`)
	p.picture("large")
	p.click(`#large-trash`)
	p.until(`state.trashed === 5 && byId('large').open`)
	p.click(`#large-close`)

	// Restore from the trash, then undo everything.
	p.choose("class", "trash")
	p.until(`items.length === 5`)
	p.focusGrid()
	p.keys("a", chromedp.ModifierCtrl)
	p.until(`selected.size === 5`)
	p.keys("r")
	p.until(`state.trashed === 0 && state.undos === 5`)
	for left := 4; left >= 0; left-- {
		p.keys("z", chromedp.ModifierCtrl)
		p.until(fmt.Sprintf(`state.undos === %d`, left))
	}
	if after := tree(t, dir); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("undoing everything left %v", after)
	}
	p.keys("Z", chromedp.ModifierCtrl, chromedp.ModifierShift)
	p.until(`state.undos === 1 && state.trashed === 4 && state.redos === 4`)
}

func TestTwoTabs(t *testing.T) {
	b := browser.Open(t)
	dir := newSet(t, 12, "earth", "mars")
	address, token := serve(t, dir, ServeOptions{})
	one := open(t, b, address+"/?token="+token, 1440, 900)
	two := open(t, b.Another(t), address+"/", 1440, 900) // the cookie serves all tabs
	two.choose("class", "class:earth")
	two.until(`items.length === 12`)
	one.click(`.tile[aria-posinset="1"]`)
	one.focusGrid()
	one.keys(kb.Delete)
	two.until(`items.length === 11 && state.trashed === 1 && state.undos === 1`)
	two.click(`#undo`)
	one.until(`items.length === 24 && state.trashed === 0`)
	two.until(`items.length === 12`)
}

func TestNarrowPage(t *testing.T) {
	b := browser.Open(t)
	dir := newSet(t, 20, "earth", "mars")
	address, token := serve(t, dir, ServeOptions{})
	p := open(t, b, address+"/?token="+token, 390, 844)
	p.is(`document.documentElement.scrollWidth <= 390`, true)
	p.is(`columns >= 2 && grid.clientHeight > 300`, true)
	p.click(`.tile[aria-posinset="2"]`)
	p.until(`selected.size === 1`)
	p.picture("narrow")
	p.click(`#trash`)
	p.until(`state.trashed === 1`)
	p.focusGrid()
	p.keys(kb.Enter)
	p.until(`byId('large').open && byId('large-picture').naturalWidth === 160`)
	p.is(`byId('large').scrollWidth <= 390`, true)
	p.picture("narrow-large")
	p.click(`#large-close`)
	p.click(`#help`)
	p.picture("narrow-help")
}

// TestManyPictures scrolls through 4,000 pictures, 20,000 with ORRERY_LONG=1: the page holds a screenful of tiles, whatever the number.
func TestManyPictures(t *testing.T) {
	if testing.Short() {
		t.Skip("writes thousands of files")
	}
	many := 4_000
	if os.Getenv("ORRERY_LONG") != "" {
		many = 20_000
	}
	b := browser.Open(t)
	dir := newSet(t, 1, "earth")
	data, err := os.ReadFile(filepath.Join(dir, "earth", "001.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range many {
		write(t, filepath.Join(dir, []string{"mars", "venus"}[i%2], fmt.Sprintf("%05d.jpg", i)), data)
	}
	begun := time.Now()
	address, token := serve(t, dir, ServeOptions{})
	t.Logf("served after %v", time.Since(begun))
	begun = time.Now()
	p := open(t, b, address+"/?token="+token, 1440, 900)
	t.Logf("loaded after %v", time.Since(begun))
	p.is(`items.length`, many+1)
	frames := value[[]float64](p, `new Promise((done) => {
		const times = []; let last = performance.now(), n = 0;
		function frame(now) {
			times.push(now - last); last = now;
			grid.scrollTop += 900;
			if (++n < 120) requestAnimationFrame(frame); else done(times.sort((a, b) => a - b));
		}
		requestAnimationFrame(frame);
	})`)
	t.Logf("frame times: median %.1f ms, 95th of 100 %.1f ms, longest %.1f ms", frames[len(frames)/2], frames[len(frames)*95/100], frames[len(frames)-1])
	p.is(`tiles.size < 150`, true)
	p.keys(kb.End)
	p.until(fmt.Sprintf(`at === %d && document.querySelector('.tile.at').getAttribute('aria-posinset') === '%d'`, many, many+1))
	p.picture("many")
	value[int](p, `(select(0, items.length / 2 - 1, true), selected.size)`)
	begun = time.Now()
	p.keys(kb.Delete)
	p.until(fmt.Sprintf(`state.trashed === %d`, many/2))
	t.Logf("%d pictures thrown out after %v", many/2, time.Since(begun))
}

// tabTo presses Tab, or Shift and Tab, until an element has the focus, and fails where the focus cannot be seen on the way.
func (p *tab) tabTo(id string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	for range 40 {
		p.keys(kb.Tab, modifiers...)
		p.is(`getComputedStyle(document.activeElement).outlineStyle !== 'none'`, true)
		if value[string](p, `document.activeElement.id`) == id {
			return
		}
	}
	p.t.Fatalf("Tab does not lead to %s", id)
}

// An answer about the state that was under way while something changed, as happens on a busy machine, changes nothing back.
func TestLateAnswerIsDropped(t *testing.T) {
	b := browser.Open(t)
	address, token := serve(t, newSet(t, 4, "earth", "mars"), ServeOptions{})
	p := open(t, b, address+"/?token="+token, 1440, 900)
	value[bool](p, `(window.late = structuredClone(state), true)`)
	p.keys("x")
	p.until(`state.undos === 1 && state.trashed === 1`)
	value[bool](p, `(showState(late), true)`)
	p.is(`state.undos`, 1)
	p.is(`state.trashed`, 1)
}

// TestKeyboardOnly does everything without a mouse: nothing here clicks, focuses or sets.
func TestKeyboardOnly(t *testing.T) {
	b := browser.Open(t)
	dir := newSet(t, 8, "earth", "mars", "mercury")
	before := tree(t, dir)
	address, token := serve(t, dir, ServeOptions{})
	p := open(t, b, address+"/?token="+token, 1440, 900)
	// Select two and move them to a class chosen among others.
	p.keys(kb.ArrowRight)
	p.keys(" ")
	p.keys(kb.ArrowRight, chromedp.ModifierShift)
	p.until(`selected.size === 2`)
	p.keys("m")
	p.is(`document.activeElement.id`, "move")
	p.keys(kb.Home) // the debugger's M has also gone to the list
	for range 3 {
		p.keys(kb.ArrowDown)
	}
	p.is(`byId('move').value`, "class:mercury")
	p.is(`state.undos`, 0)
	p.keys(kb.Enter)
	p.until(`state.undos === 1 && state.classes[2].count === 10 && document.activeElement === grid`)
	// Choose a class and rename it.
	p.tabTo("class", chromedp.ModifierShift)
	// Not by its letters: the browser forgets those before after a second, and on a busy machine one takes longer.
	p.keys(kb.Home)
	for range 3 {
		p.keys(kb.ArrowDown)
	}
	p.until(`view().class === 'mercury' && items.length === 10`)
	p.tabTo("rename")
	p.keys(kb.Enter)
	p.until(`byId('ask').open && document.activeElement.id === 'ask-name'`)
	p.keys("venus")
	p.keys(kb.Enter)
	p.until(`!byId('ask').open && view().class === 'venus' && items.length === 10 && state.undos === 2`)
	// Another order, another part, and back.
	p.tabTo("sort", chromedp.ModifierShift)
	p.keys("s")
	p.until(`view().sort === 'smallest' && items.length === 10`)
	p.tabTo("filter")
	p.keys("u")
	p.until(`view().filter === 'unreadable' && items.length === 0`)
	p.keys(kb.Home)
	p.until(`items.length === 10`)
	// Throw out with the button, look at one large and throw it out there, restore from the trash.
	p.tabTo("all")
	p.keys(" ")
	p.until(`selected.size === 10`)
	p.tabTo("trash")
	p.keys(kb.Enter)
	p.until(`state.trashed === 10 && items.length === 0`)
	p.tabTo("undo")
	p.keys(kb.Enter)
	p.until(`state.trashed === 0 && items.length === 10`)
	p.tabTo("grid", chromedp.ModifierShift)
	p.keys(kb.Enter)
	p.until(`byId('large').open`)
	here := value[int](p, `at`)
	p.keys(kb.ArrowRight)
	p.is(`at`, here+1)
	p.keys("x")
	p.until(`state.trashed === 1 && byId('large').open`)
	p.keys(kb.Escape)
	p.until(`!byId('large').open && document.activeElement === grid`)
	p.tabTo("class", chromedp.ModifierShift)
	p.keys(kb.End)
	p.until(`view().trash && items.length === 1`)
	p.tabTo("restore")
	p.keys(" ")
	p.until(`state.trashed === 0`)
	p.keys("?")
	p.until(`byId('keys').open`)
	p.keys(kb.Escape)
	for left := 3; left >= 0; left-- {
		p.keys("z", chromedp.ModifierCtrl)
		p.until(fmt.Sprintf(`state.undos === %d`, left))
	}
	if after := tree(t, dir); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("undoing everything left %v", after)
	}
}

// TestOrdersOnThePage shows near duplicates side by side and selects the smaller copies, then the other orders.
func TestOrdersOnThePage(t *testing.T) {
	b := browser.Open(t)
	dir := variety(t)
	address, token := serve(t, dir, ServeOptions{})
	p := open(t, b, address+"/?token="+token, 1440, 900)
	p.until(`state.measured === state.pictures`)
	p.choose("sort", "near-duplicates")
	p.until(`items[0].file === 'earth/plain.jpg' && items[1].file === 'mars/copy.jpg' && items[0].group === 1 && items[1].group === 1 && !items[2].group`)
	p.click("#extras")
	p.until(`selected.size === 1 && selected.has(items[1].id)`)
	p.picture("near-duplicates")
	p.click("#trash")
	p.until(`items.length === 5 && !items[0].group`)
	p.click("#undo")
	p.until(`items.length === 6 && items[0].group === 1`)
	for order, first := range map[string]string{"smallest": "earth/small.jpg", "blurriest": "earth/blurred.jpg", "odd-aspect": "mars/wide.jpg", "name": "earth/blurred.jpg"} {
		p.choose("sort", order)
		p.until(fmt.Sprintf(`items[0].file === %q`, first))
	}
	p.choose("filter", "unreadable")
	p.until(`items.length === 1 && document.querySelector('.tile .facts').textContent.includes('unreadable')`)
}

// TestPages turns pages with the buttons.
func TestPages(t *testing.T) {
	b := browser.Open(t)
	address, token := serve(t, newSet(t, 60, "earth", "mars"), ServeOptions{})
	p := open(t, b, address+"/?token="+token, 1000, 700)
	pages := value[int](p, `Math.ceil(items.length / perPage())`)
	top := `Math.floor(grid.scrollTop / tileHeight) * columns`
	p.is(`byId('page').textContent`, fmt.Sprintf("1 / %d", pages))
	p.click("#next")
	p.until(fmt.Sprintf(`byId('page').textContent === '2 / %d' && %s === perPage()`, pages, top))
	p.click("#next")
	p.click("#previous")
	p.until(fmt.Sprintf(`byId('page').textContent === '2 / %d' && %s === perPage()`, pages, top))
	p.click("#last")
	p.until(fmt.Sprintf(`byId('page').textContent === '%d / %d' && byId('next').disabled`, pages, pages))
	p.until(`document.querySelector('.tile[aria-posinset="120"] img').naturalWidth > 0`)
	p.click("#first")
	p.until(`grid.scrollTop === 0 && byId('previous').disabled`)
}
