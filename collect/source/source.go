// Package source asks image search services, and lists of addresses, for pictures of something.
//
// Openverse and Wikimedia Commons need no key and say under which licence each picture is: they are the defaults.
// DuckDuckGo says neither that nor that it likes to be asked, and is there for those who name it.
package source

import (
	"context"
	"fmt"
	"net/url"
	"strings"
)

// Candidate is a picture a source offers.
type Candidate struct {
	URL        string `json:"url"`
	Original   string `json:"original,omitempty"` // the full-size file, when URL is a smaller rendering
	Page       string `json:"page,omitempty"`
	Title      string `json:"title,omitempty"`
	Author     string `json:"author,omitempty"`
	AuthorURL  string `json:"author_url,omitempty"`
	License    string `json:"license,omitempty"`
	LicenseURL string `json:"license_url,omitempty"`
	Source     string `json:"source,omitempty"`
	Query      string `json:"query,omitempty"`
	Width      int    `json:"width,omitempty"` // of the original, 0 when not said
	Height     int    `json:"height,omitempty"`
	Class      string `json:"class,omitempty"` // of lists with labels
}

// Source is a place to ask.
type Source interface {
	Name() string
	// Page returns the candidates from a cursor on, "" being the beginning, and the cursor after them, "" at the end.
	Page(ctx context.Context, query Query, cursor string) (candidates []Candidate, next string, err error)
}

// Query is what is asked for.
type Query struct {
	Text    string
	Class   string
	MaxSide int // longest side wanted in pixels, 0 for any; lets a source offer a smaller rendering
	Filters Filters
}

// Filters narrow a search. Empty ones narrow nothing.
type Filters struct {
	Layout  string // square, tall, wide
	Size    string // small, medium, large, wallpaper; or thumbnail
	Type    string // photo, illustration, gif, transparent
	Colour  string // color, monochrome, red, orange, yellow, green, blue, purple, pink, brown, black, gray, teal, white
	Licence string // any, cc, public-domain, commercial, modification
}

// The values filters take.
var (
	Layouts  = []string{"square", "tall", "wide"}
	Sizes    = []string{"thumbnail", "small", "medium", "large", "wallpaper"}
	Types    = []string{"photo", "illustration", "gif", "transparent"}
	Colours  = []string{"color", "monochrome", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "gray", "teal", "white"}
	Licences = []string{"any", "cc", "public-domain", "commercial", "modification"}
)

// Check returns an error for a filter value that does not exist.
func (f Filters) Check() error {
	for _, one := range []struct {
		name, value string
		values      []string
	}{{"layout", f.Layout, Layouts}, {"size", f.Size, Sizes}, {"type", f.Type, Types}, {"colour", f.Colour, Colours}, {"licence", f.Licence, Licences}} {
		known := one.value == ""
		for _, value := range one.values {
			known = known || value == one.value
		}
		if !known {
			return fmt.Errorf("%s %q does not exist; choose one of %s", one.name, one.value, strings.Join(one.values, ", "))
		}
	}
	return nil
}

// Unsupported is what a source cannot narrow by, in words; the user is told once.
func Unsupported(name string, f Filters) []string {
	var missing []string
	say := func(asked bool, what string) {
		if asked {
			missing = append(missing, what)
		}
	}
	switch name {
	case OpenverseName, CommonsName:
		say(f.Colour != "", "colour")
	}
	return missing
}

// fits tells whether a candidate whose size is known has the layout asked for. One whose size is not known passes.
func (f Filters) fits(width, height int) bool {
	if width <= 0 || height <= 0 {
		return true
	}
	ratio := float64(width) / float64(height)
	switch f.Layout {
	case "square":
		return ratio > 0.85 && ratio < 1.18
	case "tall":
		return ratio < 0.95
	case "wide":
		return ratio > 1.05
	}
	return true
}

// resolve joins a service's base address and a path. A base given with a path, as of a mirror, keeps it.
func resolve(base, path string, query url.Values) string {
	address := strings.TrimRight(base, "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}
