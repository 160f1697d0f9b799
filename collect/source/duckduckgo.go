package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/wangkuiyi/orrery/collect/fetch"
)

// DuckDuckGoName and DuckDuckGoBase name the service and where it is.
const (
	DuckDuckGoName = "duckduckgo"
	DuckDuckGoBase = "https://duckduckgo.com"
)

// DuckDuckGoWarning is shown to those who choose this source.
const DuckDuckGoWarning = "duckduckgo is no service for programs: it may refuse or change at any time, and it names no licences. " +
	"What it finds is other people's; ask before publishing a set made from it."

// DuckDuckGo searches the web's pictures the way its own page does.
type DuckDuckGo struct {
	client *fetch.Client
	base   string

	mu     sync.Mutex
	tokens map[string]string // by query
}

// NewDuckDuckGo returns a client of the service at base.
func NewDuckDuckGo(client *fetch.Client, base string) *DuckDuckGo {
	if base == "" {
		base = DuckDuckGoBase
	}
	return &DuckDuckGo{client: client, base: strings.TrimRight(base, "/"), tokens: map[string]string{}}
}

// Name returns "duckduckgo".
func (d *DuckDuckGo) Name() string { return DuckDuckGoName }

// browser is the User-Agent its picture search answers to.
const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"

// vqd finds the token of a search in its three spellings.
var vqd = regexp.MustCompile(`vqd=(?:"([^"]+)"|'([^']+)'|([\d-]+))`)

type duckAnswer struct {
	Results []struct {
		Image     string `json:"image"`
		Thumbnail string `json:"thumbnail"`
		Page      string `json:"url"`
		Title     string `json:"title"`
		Width     int    `json:"width"`
		Height    int    `json:"height"`
	} `json:"results"`
	Next string `json:"next"`
}

// Page asks for one page; the cursor is the address the page before named.
func (d *DuckDuckGo) Page(ctx context.Context, query Query, cursor string) ([]Candidate, string, error) {
	token, err := d.token(ctx, query.Text)
	if err != nil {
		return nil, "", err
	}
	address := ""
	if cursor == "" {
		address = resolve(d.base, "/i.js", url.Values{"l": {"us-en"}, "o": {"json"}, "q": {query.Text}, "vqd": {token},
			"f": {duckFilters(query.Filters)}, "p": {"1"}})
	} else if address, err = d.nextAddress(cursor, token); err != nil {
		return nil, "", err
	}
	var answer duckAnswer
	header := http.Header{"User-Agent": {browser}, "Referer": {d.base + "/"}, "Accept": {"application/json"}}
	if _, err := d.client.JSON(ctx, fetch.Request{URL: address, Header: header}, &answer); err != nil {
		return nil, "", duckError(err)
	}
	var candidates []Candidate
	for _, r := range answer.Results {
		candidate := Candidate{URL: r.Image, Page: r.Page, Title: r.Title, Source: DuckDuckGoName, Query: query.Text, Width: r.Width, Height: r.Height}
		if query.Filters.Size == "thumbnail" && r.Thumbnail != "" {
			candidate.URL, candidate.Original = r.Thumbnail, r.Image
		}
		if candidate.URL != "" && query.Filters.fits(r.Width, r.Height) {
			candidates = append(candidates, candidate)
		}
	}
	next := answer.Next
	if len(answer.Results) == 0 {
		next = ""
	}
	return candidates, next, nil
}

// nextAddress joins the base and the address of the next page, which must stay at the service, and puts in a fresh token.
func (d *DuckDuckGo) nextAddress(cursor, token string) (string, error) {
	base, err := url.Parse(d.base + "/")
	if err != nil {
		return "", err
	}
	next, err := base.Parse(strings.TrimPrefix(cursor, "/"))
	if err != nil || next.Host != base.Host {
		return "", fmt.Errorf("duckduckgo: next page %.100q is not at %s", cursor, d.base)
	}
	parameters := next.Query()
	parameters.Set("vqd", token)
	next.RawQuery = parameters.Encode()
	return next.String(), nil
}

func (d *DuckDuckGo) token(ctx context.Context, text string) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if token, known := d.tokens[text]; known {
		return token, nil
	}
	body, _, err := d.client.Text(ctx, fetch.Request{Method: http.MethodPost, URL: d.base + "/", Form: url.Values{"q": {text}}})
	if err != nil {
		return "", duckError(err)
	}
	found := vqd.FindSubmatch(body)
	if found == nil {
		return "", errors.New("duckduckgo: its page holds no search token; it may be blocking this machine")
	}
	token := string(found[1]) + string(found[2]) + string(found[3])
	d.tokens[text] = token
	return token, nil
}

// duckFilters writes filters as time, size, colour, type, layout, licence; an empty place means any.
func duckFilters(f Filters) string {
	place := func(name string, values map[string]string, chosen string) string {
		if value := values[chosen]; value != "" {
			return name + ":" + value
		}
		return ""
	}
	colour := ""
	if f.Colour != "" {
		colour = "color:" + strings.ToUpper(f.Colour[:1]) + f.Colour[1:]
		if f.Colour == "color" {
			colour = "color:color"
		}
	}
	return strings.Join([]string{
		"",
		place("size", map[string]string{"small": "Small", "medium": "Medium", "large": "Large", "wallpaper": "Wallpaper"}, f.Size),
		colour,
		place("type", map[string]string{"photo": "photo", "illustration": "clipart", "gif": "gif", "transparent": "transparent"}, f.Type),
		place("layout", map[string]string{"square": "Square", "tall": "Tall", "wide": "Wide"}, f.Layout),
		place("license", map[string]string{"cc": "any", "public-domain": "Public", "commercial": "ShareCommercially", "modification": "Modify"}, f.Licence),
	}, ",")
}

func duckError(err error) error {
	var failure *fetch.Failure
	if errors.As(err, &failure) {
		switch failure.Status {
		case http.StatusAccepted, http.StatusForbidden, http.StatusTeapot, http.StatusTooManyRequests:
			return fmt.Errorf("duckduckgo: blocks this machine for now (%w); use openverse and commons, or try again later", err)
		}
	}
	return fmt.Errorf("duckduckgo: %w", err)
}
