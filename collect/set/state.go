package set

import (
	"encoding/json"
	"fmt"
)

// Drop is an address that was looked at and not kept. Permanent ones are not asked for again.
type Drop struct {
	Class     string          `json:"class"`
	URL       string          `json:"url"`
	Reason    string          `json:"reason"` // a short word, counted in the summary
	Detail    string          `json:"detail,omitempty"`
	Transient bool            `json:"transient,omitempty"` // worth another attempt in a later run
	SHA256    string          `json:"sha256,omitempty"`
	Of        string          `json:"of,omitempty"` // the picture it duplicates
	Candidate json.RawMessage `json:"candidate,omitempty"`
}

type dropKey struct{ class, url string }

// Cursor remembers how far a search was read: pages before Next are done with.
type Cursor struct {
	Key  string `json:"key"` // class, source and query
	Next string `json:"next"`
}

func (s *Set) loadState() error {
	drops, dropped, err := openLog[Drop](s.root, droppedName)
	if err != nil {
		return err
	}
	s.dropped = dropped
	for _, drop := range drops {
		s.drops[dropKey{drop.Class, drop.URL}] = drop
	}
	cursors, paging, err := openLog[Cursor](s.root, pagingName)
	if err != nil {
		return err
	}
	s.paging = paging
	for _, cursor := range cursors {
		s.cursors[cursor.Key] = cursor
	}
	return nil
}

// Drops returns every address of a class that was looked at and not kept.
func (s *Set) Drops(class string) []Drop {
	s.mu.Lock()
	defer s.mu.Unlock()
	var drops []Drop
	for key, drop := range s.drops {
		if key.class == class {
			drops = append(drops, drop)
		}
	}
	return drops
}

// Drop remembers an address not kept.
func (s *Set) Drop(drop Drop) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drops[dropKey{drop.Class, drop.URL}] = drop
	if err := s.dropped.add(drop); err != nil {
		return fmt.Errorf("%s: %w", droppedName, err)
	}
	return nil
}

// Cursor returns where a search is to go on, or "" for its beginning.
func (s *Set) Cursor(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursors[key].Next
}

// SetCursor remembers that the pages of a search before next are done with.
func (s *Set) SetCursor(key, next string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cursors[key].Next == next {
		return nil
	}
	cursor := Cursor{Key: key, Next: next}
	s.cursors[key] = cursor
	if err := s.paging.add(cursor); err != nil {
		return fmt.Errorf("%s: %w", pagingName, err)
	}
	return nil
}
