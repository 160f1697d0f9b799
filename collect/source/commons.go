package source

import (
	"cmp"
	"context"
	"fmt"
	"html"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wangkuiyi/orrery/collect/fetch"
)

// CommonsName and CommonsBase name the service and where it is.
const (
	CommonsName = "commons"
	CommonsBase = "https://commons.wikimedia.org"
)

// Commons searches Wikimedia Commons through the MediaWiki action API.
type Commons struct {
	client *fetch.Client
	base   string
}

const (
	commonsPageSize = 50
	commonsDefault  = 1280  // longest side asked for when the user names none: originals are often 20 MB
	commonsDeepest  = 10000 // results the search goes to
)

// commonsWidths are the renderings Wikimedia keeps ready.
var commonsWidths = []int{20, 40, 60, 120, 250, 330, 500, 960, 1280, 1920, 3840}

// commonsTypes are rendered or read as they are.
var commonsTypes = map[string]bool{"image/jpeg": true, "image/png": true, "image/gif": true, "image/webp": true, "image/tiff": true, "": true}

// NewCommons returns a client of the service at base.
func NewCommons(client *fetch.Client, base string) *Commons {
	if base == "" {
		base = CommonsBase
	}
	return &Commons{client, strings.TrimSuffix(strings.TrimRight(base, "/"), "/w/api.php")}
}

// Name returns "commons".
func (c *Commons) Name() string { return CommonsName }

type commonsAnswer struct {
	Continue struct {
		Offset int `json:"gsroffset"`
	} `json:"continue"`
	Error *struct {
		Code string `json:"code"`
		Info string `json:"info"`
	} `json:"error"`
	Query struct {
		Pages []commonsPage `json:"pages"`
	} `json:"query"`
}

type commonsPage struct {
	Title string        `json:"title"`
	Index int           `json:"index"`
	Info  []commonsInfo `json:"imageinfo"`
}

type commonsInfo struct {
	URL         string `json:"url"`
	ThumbURL    string `json:"thumburl"`
	Description string `json:"descriptionurl"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	MIME        string `json:"mime"`
	Extended    map[string]struct {
		Value any `json:"value"`
	} `json:"extmetadata"`
}

// extended returns a value of the extended metadata, which may be HTML.
func (i commonsInfo) extended(name string) string {
	text, _ := i.Extended[name].Value.(string)
	return text
}

// Page asks for one page; the cursor is the offset in the results.
func (c *Commons) Page(ctx context.Context, query Query, cursor string) ([]Candidate, string, error) {
	offset := 0
	if cursor != "" {
		var err error
		if offset, err = strconv.Atoi(cursor); err != nil || offset < 0 {
			return nil, "", fmt.Errorf("commons: %q is not an offset", cursor)
		}
	}
	parameters := url.Values{
		"action": {"query"}, "format": {"json"}, "formatversion": {"2"},
		"generator": {"search"}, "gsrnamespace": {"6"}, "gsrsearch": {commonsSearch(query)},
		"gsrlimit": {strconv.Itoa(commonsPageSize)}, "gsroffset": {strconv.Itoa(offset)},
		"prop": {"imageinfo"}, "iiprop": {"url|size|mime|sha1|extmetadata"}, "iiurlwidth": {strconv.Itoa(commonsWidth(query))},
	}
	var answer commonsAnswer
	if _, err := c.client.JSON(ctx, fetch.Request{URL: resolve(c.base, "/w/api.php", parameters)}, &answer); err != nil {
		return nil, "", fmt.Errorf("commons: from result %d: %w", offset, err)
	}
	if answer.Error != nil {
		return nil, "", fmt.Errorf("commons: %s: %s", answer.Error.Code, answer.Error.Info)
	}
	pages := answer.Query.Pages
	slices.SortStableFunc(pages, func(a, b commonsPage) int { return cmp.Compare(a.Index, b.Index) })
	var candidates []Candidate
	for _, page := range pages {
		for _, info := range page.Info[:min(len(page.Info), 1)] {
			if candidate, fits := commonsCandidate(page.Title, info, query); fits {
				candidates = append(candidates, candidate)
			}
		}
	}
	next := ""
	if answer.Continue.Offset > offset && answer.Continue.Offset < commonsDeepest {
		next = strconv.Itoa(answer.Continue.Offset)
	}
	return candidates, next, nil
}

func commonsCandidate(title string, info commonsInfo, query Query) (Candidate, bool) {
	title = strings.TrimPrefix(title, "File:")
	candidate := Candidate{URL: info.URL, Page: info.Description, Title: strings.TrimSuffix(title, path.Ext(title)),
		Author: plain(info.extended("Artist")), AuthorURL: firstLink(info.extended("Artist")),
		License: plain(info.extended("LicenseShortName")), LicenseURL: info.extended("LicenseUrl"),
		Source: CommonsName, Query: query.Text, Width: info.Width, Height: info.Height}
	if info.ThumbURL != "" && info.ThumbURL != info.URL && (info.Width > commonsWidth(query) || info.MIME == "image/tiff") {
		candidate.URL, candidate.Original = info.ThumbURL, info.URL
	}
	fits := candidate.URL != "" && commonsTypes[info.MIME] && query.Filters.fits(info.Width, info.Height) &&
		query.Filters.licenceFits(candidate.License)
	return candidate, fits
}

func commonsWidth(query Query) int {
	wanted := commonsDefault
	switch {
	case query.Filters.Size == "thumbnail":
		wanted = 250
	case query.MaxSide > 0:
		wanted = query.MaxSide
	case query.Filters.Size == "wallpaper":
		wanted = 1920
	}
	for _, width := range commonsWidths {
		if width >= wanted {
			return width
		}
	}
	return commonsWidths[len(commonsWidths)-1]
}

// commonsSearch writes filters as CirrusSearch keywords (https://www.mediawiki.org/wiki/Help:CirrusSearch#File_properties_search).
func commonsSearch(query Query) string {
	f := query.Filters
	words := []string{query.Text}
	switch f.Type {
	case "photo":
		words = append(words, "filemime:image/jpeg")
	case "gif":
		words = append(words, "filemime:image/gif")
	case "transparent":
		words = append(words, "filemime:image/png")
	case "illustration":
		words = append(words, "-filemime:image/jpeg")
	}
	switch f.Size {
	case "small":
		words = append(words, "fileres:<500")
	case "medium":
		words = append(words, "fileres:500,1200")
	case "large":
		words = append(words, "fileres:>1200")
	case "wallpaper":
		words = append(words, "fileres:>1600")
	}
	return strings.Join(append(words, "filetype:bitmap"), " ")
}

var (
	tags          = regexp.MustCompile(`<[^>]*>`)
	links         = regexp.MustCompile(`<a [^>]*href="([^"]+)"`)
	spaces        = regexp.MustCompile(`\s+`)
	publicDomain  = regexp.MustCompile(`(?i)\b(public domain|CC0|PD|no restrictions)\b`)
	creative      = regexp.MustCompile(`(?i)\bCC[ -](BY|SA|0)`)
	nonCommercial = regexp.MustCompile(`(?i)\bNC\b`)
	noDerivatives = regexp.MustCompile(`(?i)\bND\b`)
)

// licenceFits applies the licence filter to a licence's short name, for services that cannot.
func (f Filters) licenceFits(licence string) bool {
	switch f.Licence {
	case "public-domain":
		return publicDomain.MatchString(licence)
	case "cc":
		return creative.MatchString(licence) || publicDomain.MatchString(licence)
	case "commercial":
		return licence != "" && !nonCommercial.MatchString(licence)
	case "modification":
		return licence != "" && !noDerivatives.MatchString(licence)
	}
	return true
}

// plain turns a piece of HTML into text.
func plain(fragment string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(fragment, " ")), " "))
}

// firstLink returns the address of the first link in a piece of HTML, or "".
func firstLink(fragment string) string {
	found := links.FindStringSubmatch(fragment)
	if found == nil {
		return ""
	}
	link := html.UnescapeString(found[1])
	if strings.HasPrefix(link, "//") {
		link = "https:" + link
	}
	if !strings.HasPrefix(link, "https://") && !strings.HasPrefix(link, "http://") {
		return ""
	}
	return link
}
