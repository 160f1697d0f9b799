package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/wangkuiyi/orrery/collect"
)

// collectBars show how a collection goes on: on a terminal one bar for each class and one for all of them, elsewhere a line now and then.
type collectBars struct {
	w       io.Writer // for other lines meanwhile: they go above the bars
	bars    *mpb.Progress
	classes map[string]*classBar
	total   *classBar
	spoke   time.Time
}

// classBar is a bar and what stands beside it.
type classBar struct {
	*mpb.Bar

	mu    sync.Mutex
	words string
}

func (b *classBar) say(words string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.words = words
}

func newCollectBars(w io.Writer) *collectBars {
	b := &collectBars{w: w, classes: map[string]*classBar{}, spoke: time.Now()}
	if isTerminal(w) {
		b.bars = mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
		b.w = b.bars
		b.total = b.add("all", 1_000_000)
	}
	return b
}

// add puts a bar above those of a higher priority.
func (b *collectBars) add(name string, priority int) *classBar {
	bar := &classBar{}
	bar.Bar = b.bars.AddBar(0, mpb.BarPriority(priority),
		mpb.PrependDecorators(decor.Name(name+" ", decor.WC{C: decor.DindentRight | decor.DextraSpace}), decor.CountersNoUnit("%d/%d ", decor.WCSyncWidth)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			bar.mu.Lock()
			defer bar.mu.Unlock()
			return bar.words
		})))
	return bar
}

// show takes in how far one class is. One goroutine calls it at a time.
func (b *collectBars) show(p collect.Progress) {
	if b.bars == nil {
		if time.Since(b.spoke) > plainEvery/5 {
			b.spoke = time.Now()
			fmt.Fprintf(b.w, "%s: %d of %d kept, %d looked at, %d dropped; %.1f MB\n", printable(p.Class), p.Kept, p.Wanted, p.Found, p.Dropped, float64(p.Bytes)/1e6)
		}
		return
	}
	bar, known := b.classes[p.Class]
	if !known {
		bar = b.add(printable(p.Class), len(b.classes))
		b.classes[p.Class] = bar
		bar.SetTotal(int64(p.Wanted), false)
	}
	bar.say(fmt.Sprintf("%d looked at, %d dropped", p.Found, p.Dropped))
	bar.SetCurrent(int64(p.Kept))
	var kept, wanted int64
	for _, one := range b.classes {
		kept += one.Current()
		wanted += int64(p.Wanted)
	}
	b.total.say(fmt.Sprintf("%.1f MB", float64(p.Bytes)/1e6))
	b.total.SetTotal(wanted, false)
	b.total.SetCurrent(kept)
}

// end leaves the bars as they stand.
func (b *collectBars) end() {
	if b.bars == nil {
		return
	}
	for _, bar := range b.classes {
		bar.Abort(false)
	}
	b.total.Abort(false)
	b.bars.Wait()
}

// countBar shows how far one thing is: a bar on a terminal, a line now and then elsewhere. unit is "bytes", or what is counted.
func countBar(w io.Writer, name, unit string) (show func(done, all int64), end func()) {
	if !isTerminal(w) {
		spoke := time.Now()
		var mu sync.Mutex
		return func(done, all int64) {
			mu.Lock()
			defer mu.Unlock()
			if time.Since(spoke) > plainEvery/5 {
				spoke = time.Now()
				fmt.Fprintf(w, "%s: %s of %s\n", name, amount(done, unit), amount(all, unit))
			}
		}, func() {}
	}
	bars := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40))
	counter := decor.CountersNoUnit("%d/%d " + unit)
	if unit == "bytes" {
		counter = decor.CountersKiloByte("% .1f / % .1f")
	}
	bar := bars.AddBar(0, mpb.PrependDecorators(decor.Name(name+" ")), mpb.AppendDecorators(counter))
	return func(done, all int64) {
			bar.SetTotal(all, false)
			bar.SetCurrent(done)
		}, func() {
			bar.Abort(false)
			bars.Wait()
		}
}

func amount(n int64, unit string) string {
	if unit == "bytes" {
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", n, unit))
}
