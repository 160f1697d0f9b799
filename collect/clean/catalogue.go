package clean

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/wangkuiyi/orrery/collect/set"
)

// Catalogue is a set's pictures with what is known of each. Its methods may be called from several goroutines.
type Catalogue struct {
	set    *set.Set
	thumbs *thumbs

	mu       sync.RWMutex
	items    []*Item
	byFile   map[string]*Item
	measured int
	pairs    [][2]int // numbers of near duplicates
	paired   int      // how many pictures were measured when the pairs were last found
	version  int      // of the places of pictures; grows with each step

	predictions *Predictions // nil for none
	toAsk       int          // pictures the network is shown
	asked       int          // of these, how many it has seen

	stepping sync.Mutex // one step at a time
	pairing  sync.Mutex
}

// OpenCatalogue lists the pictures of a set. predictions may be nil.
func OpenCatalogue(s *set.Set, predictions *Predictions) (*Catalogue, error) {
	c := &Catalogue{set: s, byFile: map[string]*Item{}}
	pictures, err := s.Scan()
	if err != nil {
		return nil, err
	}
	for _, p := range pictures {
		key, err := contentKey(s, p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		item := &Item{ID: len(c.items), Bytes: p.Bytes, key: key}
		item.place(p.File)
		if r, known := s.Record(p.File); known {
			item.Title, item.Author, item.Source, item.License, item.LicenseURL, item.Page = r.Title, r.Author, r.Source, r.License, r.LicenseURL, r.Page
		}
		c.items = append(c.items, item)
		c.byFile[item.File] = item
	}
	c.take(predictions)
	if c.thumbs, err = newThumbs(); err != nil {
		return nil, err
	}
	return c, nil
}

// View says which pictures to show and in what order.
type View struct {
	Class  string // "" for all
	Trash  bool   // the trash instead of the classes
	Sort   string // one of Sorts, "" for name
	Filter string // one of Filters, "" for all
}

// Sorts are the orders pictures can be shown in; Filters are the ways to leave some out.
var (
	Sorts   = []string{"name", "near-duplicates", "smallest", "blurriest", "odd-aspect", "highest-loss", "lowest-confidence"}
	Filters = []string{"all", "near-duplicates", "unreadable", "predicted-otherwise", "no-licence"}
)

// Check returns an error for a sort or filter that does not exist.
func (v View) Check() error {
	if v.Sort != "" && !slices.Contains(Sorts, v.Sort) {
		return fmt.Errorf("sort %q does not exist; choose one of %s", v.Sort, strings.Join(Sorts, ", "))
	}
	if v.Filter != "" && !slices.Contains(Filters, v.Filter) {
		return fmt.Errorf("filter %q does not exist; choose one of %s", v.Filter, strings.Join(Filters, ", "))
	}
	return nil
}

func (v View) shows(i *Item) bool {
	if i.File == "" || i.Trashed != v.Trash || (v.Class != "" && i.Class != v.Class) {
		return false
	}
	switch v.Filter {
	case "near-duplicates":
		return i.Group != 0
	case "unreadable":
		return i.Bad != ""
	case "predicted-otherwise":
		return i.Predicted != "" && i.Predicted != i.Class
	case "no-licence":
		return i.License == ""
	}
	return true
}

// Items returns copies of the pictures in a view, in its order, and the version they are of.
func (c *Catalogue) Items(v View) ([]Item, int) {
	if v.Sort == "near-duplicates" || v.Filter == "near-duplicates" {
		c.findPairs()
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	groups := c.groups(v.Trash)
	items := []Item{}
	for _, item := range c.items {
		shown := *item
		shown.Group = groups[item.ID]
		if v.shows(&shown) {
			items = append(items, shown)
		}
	}
	slices.SortStableFunc(items, func(a, b Item) int {
		return cmp.Or(compare(v.Sort, &a, &b), cmp.Compare(a.name(), b.name()))
	})
	return items, c.version
}

// compare orders two pictures; those not measured or not predicted come last.
func compare(sort string, a, b *Item) int {
	last := func(a, b bool) int { // those for which there is nothing to sort by
		switch {
		case a == b:
			return 0
		case a:
			return 1
		}
		return -1
	}
	switch sort {
	case "near-duplicates":
		return cmp.Or(last(a.Group == 0, b.Group == 0), cmp.Compare(a.Group, b.Group), cmp.Compare(b.pixels(), a.pixels()))
	case "smallest":
		return cmp.Or(last(a.Width == 0, b.Width == 0), cmp.Compare(a.pixels(), b.pixels()))
	case "blurriest":
		return cmp.Or(last(!a.measured || a.Bad != "", !b.measured || b.Bad != ""), cmp.Compare(a.Sharpness, b.Sharpness))
	case "odd-aspect":
		return cmp.Or(last(a.Width == 0, b.Width == 0), cmp.Compare(b.oddness(), a.oddness()))
	case "highest-loss":
		return cmp.Or(last(!a.lost, !b.lost), cmp.Compare(b.Loss, a.Loss))
	case "lowest-confidence":
		return cmp.Or(last(a.Predicted == "", b.Predicted == ""), cmp.Compare(a.Probability, b.Probability))
	}
	return 0
}

// Item returns a copy of a picture by its number.
func (c *Catalogue) Item(id int) (Item, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if id < 0 || id >= len(c.items) || c.items[id].File == "" {
		return Item{}, false
	}
	return *c.items[id], true
}

// ClassCount is a class and how many pictures it has.
type ClassCount struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// State is what the page shows around the grid.
type State struct {
	Set         string       `json:"set"`
	Version     int          `json:"version"`
	Classes     []ClassCount `json:"classes"`
	Total       int          `json:"total"`
	Trashed     int          `json:"trashed"`
	Undo        string       `json:"undo"`
	Redo        string       `json:"redo"`
	Undos       int          `json:"undos"`
	Redos       int          `json:"redos"`
	Measured    int          `json:"measured"`
	Pictures    int          `json:"pictures"` // to be measured
	Predictions bool         `json:"predictions"`
	Asked       int          `json:"asked"` // pictures the network has seen since the page was opened
	ToAsk       int          `json:"to_ask"`
}

// State counts.
func (c *Catalogue) State() State {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := State{Set: c.set.Dir(), Version: c.version, Measured: c.measured, Pictures: len(c.items), Predictions: c.predictions != nil, Asked: c.asked, ToAsk: c.toAsk, Classes: []ClassCount{}}
	counts := map[string]int{}
	for _, item := range c.items {
		switch {
		case item.File == "":
		case item.Trashed:
			s.Trashed++
		default:
			counts[item.Class]++
			s.Total++
		}
	}
	for name, count := range counts {
		s.Classes = append(s.Classes, ClassCount{name, count})
	}
	slices.SortFunc(s.Classes, func(a, b ClassCount) int { return cmp.Compare(a.Name, b.Name) })
	s.Undo, s.Redo, s.Undos, s.Redos = c.set.Steps()
	return s
}
