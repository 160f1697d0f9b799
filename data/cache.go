package data

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Cache keeps the decoded pictures of a Dataset between epochs, up to a
// budget of bytes. Pictures beyond the budget are decoded anew each time.
//
// Its pixels lie outside Go's heap, so the collector neither scans nor
// doubles them. They are shared and read-only, and live until Close, which
// the owner of the Cache calls when nobody uses its pictures any more.
type Cache struct {
	d       *Dataset
	budget  atomic.Int64
	used    atomic.Int64
	hits    atomic.Int64
	misses  atomic.Int64
	entries []cacheEntry
	arena   arena
}

type cacheEntry struct {
	mu   sync.Mutex // held while the picture is decoded
	p    atomic.Pointer[Picture]
	slot []uint8 // its memory, once reserved
}

// NewCache returns a cache over d. budget is in bytes; 0 means a third of the
// memory available now, less than 0 keeps nothing.
func NewCache(d *Dataset, budget int64) *Cache {
	if budget == 0 {
		budget = AvailableMemory() / 3
	}
	c := &Cache{d: d, entries: make([]cacheEntry, len(d.Samples))}
	c.budget.Store(budget)
	return c
}

// CacheStats is what a Cache has done so far.
type CacheStats struct {
	Budget, Used int64 // bytes
	Hits, Misses int64 // pictures found decoded; pictures decoded
}

// Stats returns the counters of the cache.
func (c *Cache) Stats() CacheStats {
	return CacheStats{Budget: c.budget.Load(), Used: c.used.Load(), Hits: c.hits.Load(), Misses: c.misses.Load()}
}

// Picture returns sample i decoded. The caller must not change it. Many
// goroutines may ask; a picture within the budget is decoded once.
func (c *Cache) Picture(i int) (*Picture, error) { return c.Borrow(i, nil) }

// Borrow is Picture, but decodes into scratch, when that is not nil, what the
// cache has no room for. The caller must not change the picture returned
// unless it is scratch.
func (c *Cache) Borrow(i int, scratch *Picture) (*Picture, error) {
	if i < 0 || i >= len(c.entries) {
		return nil, fmt.Errorf("picture %d of %d", i, len(c.entries))
	}
	e := &c.entries[i]
	if p := e.p.Load(); p != nil {
		c.hits.Add(1)
		return p, nil
	}
	e.mu.Lock()
	if p := e.p.Load(); p != nil { // another goroutine was first
		e.mu.Unlock()
		c.hits.Add(1)
		return p, nil
	}
	if e.slot == nil && !c.reserve(e, i) {
		e.mu.Unlock()
		c.misses.Add(1)
		return c.d.Borrow(i, scratch)
	}
	defer e.mu.Unlock()
	p := &Picture{Pix: e.slot[:0]}
	c.misses.Add(1)
	if err := c.d.PictureInto(p, i); err != nil {
		return nil, err
	}
	e.p.Store(p)
	return p, nil
}

// reserve takes memory for picture i out of the budget, if that leaves enough.
// The caller holds e.mu.
func (c *Cache) reserve(e *cacheEntry, i int) bool {
	need := int64(bytesOf(c.d.Size(i)))
	for {
		used := c.used.Load()
		if used+need > c.budget.Load() {
			return false
		}
		if c.used.CompareAndSwap(used, used+need) {
			break
		}
	}
	slot, err := c.arena.alloc(int(need))
	if err != nil { // no memory after all: go on without
		c.used.Add(-need)
		return false
	}
	e.slot = slot
	return true
}

// Borrow decodes sample i into scratch, or into fresh memory when scratch is
// nil. It makes Dataset and Cache interchangeable.
func (d *Dataset) Borrow(i int, scratch *Picture) (*Picture, error) {
	if scratch == nil {
		return d.Picture(i)
	}
	if scratch.room == nil {
		scratch.room = &room{}
	}
	if err := d.PictureInto(scratch, i); err != nil {
		return nil, err
	}
	return scratch, nil
}

// Close frees the pixels. Pictures of the cache must not be used afterwards;
// asked again, it decodes directly.
func (c *Cache) Close() error {
	c.budget.Store(-1)
	for i := range c.entries {
		e := &c.entries[i]
		e.mu.Lock()
		e.p.Store(nil)
		e.slot = nil
		e.mu.Unlock()
	}
	c.used.Store(0)
	return c.arena.close()
}
