package source

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wangkuiyi/orrery/collect/fetch"
)

// OpenverseName and OpenverseBase name the service and where it is.
const (
	OpenverseName = "openverse"
	OpenverseBase = "https://api.openverse.org"
)

// Openverse searches openly licensed pictures (https://api.openverse.org/v1/). Anonymous users get 20 pages of 20.
type Openverse struct {
	client *fetch.Client
	base   string
}

const (
	openversePageSize = 20
	openversePages    = 20
	openverseQuery    = 200 // characters
)

// NewOpenverse returns a client of the service at base. At the public address it keeps to 20 requests a minute unasked;
// elsewhere only what the answers say counts.
func NewOpenverse(client *fetch.Client, base string) *Openverse {
	if base == "" {
		base = OpenverseBase
	}
	base = strings.TrimSuffix(strings.TrimRight(base, "/"), "/v1")
	if base == OpenverseBase {
		client.Limit("api.openverse.org", 4*time.Second, 5)
	}
	return &Openverse{client, base}
}

// Name returns "openverse".
func (o *Openverse) Name() string { return OpenverseName }

type openverseAnswer struct {
	PageCount int `json:"page_count"`
	Results   []struct {
		ID             string `json:"id"`
		Title          string `json:"title"`
		URL            string `json:"url"`
		Thumbnail      string `json:"thumbnail"`
		Page           string `json:"foreign_landing_url"`
		Creator        string `json:"creator"`
		CreatorURL     string `json:"creator_url"`
		License        string `json:"license"`
		LicenseVersion string `json:"license_version"`
		LicenseURL     string `json:"license_url"`
		Width          int    `json:"width"`
		Height         int    `json:"height"`
	} `json:"results"`
}

// Page asks for one page; the cursor is its number.
func (o *Openverse) Page(ctx context.Context, query Query, cursor string) ([]Candidate, string, error) {
	page := 1
	if cursor != "" {
		var err error
		if page, err = strconv.Atoi(cursor); err != nil || page < 1 {
			return nil, "", fmt.Errorf("openverse: %q is not a page number", cursor)
		}
	}
	if page > openversePages {
		return nil, "", nil
	}
	parameters := openverseParameters(query)
	parameters.Set("page", strconv.Itoa(page))
	parameters.Set("page_size", strconv.Itoa(openversePageSize))
	address := resolve(o.base, "/v1/images/", parameters)
	var answer openverseAnswer
	header, err := o.client.JSON(ctx, fetch.Request{URL: address, Header: http.Header{"Accept": {"application/json"}}}, &answer)
	if err != nil {
		return nil, "", o.explain(err, page)
	}
	o.obey(header)
	var candidates []Candidate
	for _, r := range answer.Results {
		if r.URL == "" || !query.Filters.fits(r.Width, r.Height) {
			continue
		}
		candidate := Candidate{URL: r.URL, Page: r.Page, Title: r.Title, Author: r.Creator, AuthorURL: r.CreatorURL,
			License: openverseLicence(r.License, r.LicenseVersion), LicenseURL: r.LicenseURL, Source: OpenverseName,
			Query: query.Text, Width: r.Width, Height: r.Height}
		if query.Filters.Size == "thumbnail" && r.Thumbnail != "" {
			candidate.URL, candidate.Original = r.Thumbnail, r.URL
		}
		candidates = append(candidates, candidate)
	}
	next := ""
	if len(answer.Results) > 0 && page < min(answer.PageCount, openversePages) {
		next = strconv.Itoa(page + 1)
	}
	return candidates, next, nil
}

func openverseParameters(query Query) url.Values {
	text := []rune(query.Text)
	parameters := url.Values{"q": {string(text[:min(len(text), openverseQuery)])}, "mature": {"false"}}
	set := func(name string, values map[string]string, chosen string) {
		if value := values[chosen]; value != "" {
			parameters.Set(name, value)
		}
	}
	f := query.Filters
	set("aspect_ratio", map[string]string{"square": "square", "tall": "tall", "wide": "wide"}, f.Layout)
	set("size", map[string]string{"small": "small", "medium": "medium", "large": "large", "wallpaper": "large"}, f.Size)
	set("category", map[string]string{"photo": "photograph", "illustration": "illustration"}, f.Type)
	set("extension", map[string]string{"gif": "gif", "transparent": "png"}, f.Type)
	set("license_type", map[string]string{"cc": "all-cc", "commercial": "commercial", "modification": "modification"}, f.Licence)
	set("license", map[string]string{"public-domain": "cc0,pdm"}, f.Licence)
	return parameters
}

// openverseLicence writes a licence as people do: "by-sa" and "4.0" become "CC BY-SA 4.0".
func openverseLicence(code, version string) string {
	switch strings.ToLower(code) {
	case "":
		return ""
	case "pdm":
		return "Public Domain Mark " + version
	case "cc0":
		return "CC0 " + version
	case "by", "by-sa", "by-nc", "by-nd", "by-nc-sa", "by-nc-nd", "sampling+", "nc-sampling+":
		return strings.TrimSpace("CC " + strings.ToUpper(code) + " " + version)
	}
	return strings.TrimSpace(code + " " + version)
}

// obey waits as the headers of an answer ask: when the allowance of the minute is used, until the next minute.
func (o *Openverse) obey(header http.Header) {
	for name, values := range header {
		lower := strings.ToLower(name)
		spent := strings.HasPrefix(lower, "x-ratelimit-") && (strings.Contains(lower, "available") || strings.Contains(lower, "remaining")) &&
			strings.TrimSpace(values[0]) == "0"
		if !spent || strings.Contains(lower, "sustained") {
			continue
		}
		wait := time.Minute
		if seconds, err := strconv.Atoi(strings.TrimSpace(header.Get("X-RateLimit-Reset"))); err == nil && seconds >= 0 && seconds <= 120 {
			wait = time.Duration(seconds) * time.Second
		}
		if u, err := url.Parse(o.base); err == nil {
			o.client.HoldOff(u.Host, wait)
		}
	}
}

func (o *Openverse) explain(err error, page int) error {
	var failure *fetch.Failure
	if errors.As(err, &failure) && failure.Status == http.StatusTooManyRequests {
		return fmt.Errorf("openverse: too many requests for now (anonymous users have 20 a minute and 200 a day); repeat the command later: %w", err)
	}
	return fmt.Errorf("openverse: page %d: %w", page, err)
}
