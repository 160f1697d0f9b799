package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/wangkuiyi/orrery/collect/source"
)

const (
	feedAhead   = 8   // candidates of one source and class under way at once: a slow host leaves room for the others
	pagesAtMost = 500 // of one search
	emptyAtMost = 3   // pages in a row without a usable candidate
	againAtMost = 1   // pages in a row that only repeat what this search already gave
)

// offer is a candidate for a class. done is called once, with whether its fate is settled for good.
type offer struct {
	source.Candidate
	done func(settled bool)
}

// feed asks one source for one class, page by page, as fast as its offers are taken.
type feed struct {
	run    *run
	class  string
	source source.Source
	query  source.Query
	key    string

	mu    sync.Mutex
	pages []*page // asked for and not settled, oldest first
}

// page counts the candidates of one page whose fate is open.
type page struct {
	open    int
	stopped bool   // a candidate was not settled: the next run must ask for this page again
	next    string // cursor after it
}

func (r *run) newFeed(class string, s source.Source) *feed {
	query := r.query(class)
	key, _ := json.Marshal([]any{class, s.Name(), query.Text, query.Filters})
	return &feed{run: r, class: class, source: s, query: query, key: string(key)}
}

// offers sends candidates until the source has no more or the context ends.
func (f *feed) offers(ctx context.Context, out chan<- offer) {
	cursor := f.run.set.Cursor(f.key)
	cursors, given := map[string]bool{}, map[string]bool{}
	slots := make(chan struct{}, feedAhead)
	repeats, empties := 0, 0
	for range pagesAtMost {
		if cursors[cursor] || f.run.isDown(f.source.Name()) {
			return
		}
		cursors[cursor] = true
		candidates, next, err := f.source.Page(ctx, f.query, cursor)
		if err != nil {
			if ctx.Err() == nil {
				f.run.sourceFailed(f.source.Name(), err)
			}
			return
		}
		f.run.sourceAsked(f.source.Name())
		fresh := candidates[:0:0]
		for _, candidate := range candidates {
			if !given[candidate.URL] {
				given[candidate.URL] = true
				fresh = append(fresh, candidate)
			}
		}
		if len(candidates) == 0 {
			empties++
		} else if empties = 0; len(fresh) == 0 {
			repeats++
		} else {
			repeats = 0
		}
		if repeats > againAtMost || empties >= emptyAtMost {
			f.settle(f.add(0, ""), true)
			return
		}
		if !f.send(ctx, fresh, f.add(len(fresh), next), slots, out) || next == "" {
			return
		}
		cursor = next
	}
}

func (f *feed) send(ctx context.Context, candidates []source.Candidate, p *page, slots chan struct{}, out chan<- offer) bool {
	if len(candidates) == 0 {
		f.settle(p, true)
	}
	for _, candidate := range candidates {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return false
		}
		done := func(settled bool) {
			<-slots
			f.settle(p, settled)
		}
		select {
		case out <- offer{candidate, done}:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (f *feed) add(open int, next string) *page {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &page{open: open, next: next}
	f.pages = append(f.pages, p)
	return p
}

// settle counts one candidate of a page down and moves the search's remembered place past every page that is through.
func (f *feed) settle(p *page, settled bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.open--
	p.stopped = p.stopped || !settled
	for len(f.pages) > 0 && f.pages[0].open <= 0 && !f.pages[0].stopped {
		if err := f.run.set.SetCursor(f.key, f.pages[0].next); err != nil {
			f.run.fail(err)
		}
		f.pages = f.pages[1:]
	}
}

// retries offers what failed in an earlier run for a reason that may have passed.
func (r *run) retries(ctx context.Context, class string, out chan<- offer) {
	for _, drop := range r.set.Drops(class) {
		var candidate source.Candidate
		if !drop.Transient || json.Unmarshal(drop.Candidate, &candidate) != nil || candidate.URL == "" {
			continue
		}
		select {
		case out <- offer{candidate, func(bool) {}}:
		case <-ctx.Done():
			return
		}
	}
}

func (r *run) sourceAsked(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sources[name]
	s.Pages++
	r.sources[name] = s
}

// sourceFailed notes that a source does not answer; the run goes on with the others.
func (r *run) sourceFailed(name string, err error) {
	r.mu.Lock()
	s := r.sources[name]
	first := s.Error == ""
	s.Error = Printable(err.Error())
	r.sources[name] = s
	r.mu.Unlock()
	if first {
		r.options.Notice(fmt.Sprintf("%s; going on without it", Printable(err.Error())))
	}
}

func (r *run) isDown(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sources[name].Error != ""
}
