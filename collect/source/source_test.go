package source

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/fetch"
)

func client() *fetch.Client {
	return fetch.New(fetch.Options{AllowPrivate: true, Wait: time.Millisecond, MaxWait: time.Second, Attempts: 2})
}

// all reads every page of a source.
func all(t *testing.T, s Source, query Query) (candidates []Candidate, pages int) {
	t.Helper()
	for cursor := ""; ; {
		page, next, err := s.Page(context.Background(), query, cursor)
		if err != nil {
			t.Fatal(err)
		}
		candidates, pages = append(candidates, page...), pages+1
		if next == "" {
			return candidates, pages
		}
		cursor = next
	}
}

func urls(candidates []Candidate) (addresses []string) {
	for _, candidate := range candidates {
		addresses = append(addresses, candidate.URL)
	}
	return addresses
}

func TestPaging(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(130, "earth")
	for _, one := range []struct {
		source        Source
		results, page int
	}{{NewOpenverse(client(), w.Openverse.URL+"/v1/"), 65, 4}, {NewCommons(client(), w.Commons.URL), 65, 2}, {NewDuckDuckGo(client(), w.DuckDuckGo.URL), 130, 5}} {
		candidates, pages := all(t, one.source, Query{Text: "earth"})
		if len(candidates) != one.results || pages != one.page {
			t.Errorf("%s: %d candidates on %d pages, want %d on %d", one.source.Name(), len(candidates), pages, one.results, one.page)
		}
		if candidates[0].URL != w.Host.URL+w.Results["earth"][map[string]int{"commons": 1}[one.source.Name()]] {
			t.Errorf("%s: first is %s", one.source.Name(), candidates[0].URL)
		}
		if none, pages := all(t, one.source, Query{Text: "nothing"}); len(none) != 0 || pages != 1 {
			t.Errorf("%s: found %v of nothing on %d pages", one.source.Name(), none, pages)
		}
	}
}

func TestOpenverseStopsAtItsDeepestPage(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(1000, "earth")
	candidates, pages := all(t, NewOpenverse(client(), w.Openverse.URL), Query{Text: "earth"})
	if len(candidates) != 400 || pages != 20 {
		t.Errorf("%d candidates on %d pages, want the 400 on 20 that anonymous users get", len(candidates), pages)
	}
}

func TestCandidates(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(2, "earth")
	openverse, _ := all(t, NewOpenverse(client(), w.Openverse.URL), Query{Text: "earth", Class: "earth"})
	want := []Candidate{{URL: w.Host.URL + "/picture/earth-0.jpg", Page: "https://example.org/picture/earth-0.jpg", Title: "Title of /picture/earth-0.jpg", Author: "A. Painter",
		License: "CC BY-SA 4.0", LicenseURL: "https://creativecommons.org/licenses/by-sa/4.0/", Source: "openverse", Query: "earth", Width: 320, Height: 240}}
	if diff := cmp.Diff(want, openverse); diff != "" {
		t.Error(diff)
	}
	commons, _ := all(t, NewCommons(client(), w.Commons.URL), Query{Text: "earth", Class: "earth"})
	want = []Candidate{{URL: w.Host.URL + "/picture/earth-1.jpg", Page: "https://example.org/File:/picture/earth-1.jpg", Title: "/picture/earth-1", Author: "B. Photographer",
		AuthorURL: "https://example.org/user", License: "CC0", LicenseURL: "https://creativecommons.org/publicdomain/zero/1.0/", Source: "commons", Query: "earth", Width: 320, Height: 240}}
	if diff := cmp.Diff(want, commons); diff != "" {
		t.Error(diff)
	}
}

// asked returns the parameters of the first request a source makes.
func asked(t *testing.T, make func(base string) Source, query Query) url.Values {
	t.Helper()
	var got url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprint(w, `vqd='4-1'`)
			return
		}
		got = r.URL.Query()
		fmt.Fprint(w, `{}`)
	}))
	defer server.Close()
	if _, _, err := make(server.URL).Page(context.Background(), query, ""); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFilters(t *testing.T) {
	openverse := func(base string) Source { return NewOpenverse(client(), base) }
	commons := func(base string) Source { return NewCommons(client(), base) }
	duck := func(base string) Source { return NewDuckDuckGo(client(), base) }
	for _, one := range []struct {
		source    func(string) Source
		query     Query
		parameter string
		want      string
	}{
		{openverse, Query{Text: strings.Repeat("ä", 300)}, "q", strings.Repeat("ä", 200)},
		{openverse, Query{Filters: Filters{Layout: "square"}}, "aspect_ratio", "square"},
		{openverse, Query{Filters: Filters{Size: "wallpaper"}}, "size", "large"},
		{openverse, Query{Filters: Filters{Type: "photo"}}, "category", "photograph"},
		{openverse, Query{Filters: Filters{Type: "gif"}}, "extension", "gif"},
		{openverse, Query{Filters: Filters{Licence: "commercial"}}, "license_type", "commercial"},
		{openverse, Query{Filters: Filters{Licence: "public-domain"}}, "license", "cc0,pdm"},
		{openverse, Query{}, "mature", "false"},
		{commons, Query{Text: "mars"}, "gsrsearch", "mars filetype:bitmap"},
		{commons, Query{Text: "mars", Filters: Filters{Type: "photo", Size: "large"}}, "gsrsearch", "mars filemime:image/jpeg fileres:>1200 filetype:bitmap"},
		{commons, Query{Text: "mars", MaxSide: 460}, "iiurlwidth", "500"},
		{commons, Query{Text: "mars", MaxSide: 9000}, "iiurlwidth", "3840"},
		{commons, Query{Text: "mars"}, "iiurlwidth", "1280"},
		{duck, Query{Text: "mars"}, "f", ",,,,,"},
		{duck, Query{Text: "mars", Filters: Filters{Size: "large", Colour: "red", Type: "illustration", Layout: "wide", Licence: "public-domain"}}, "f",
			",size:Large,color:Red,type:clipart,layout:Wide,license:Public"},
		{duck, Query{Text: "mars"}, "vqd", "4-1"},
	} {
		if got := asked(t, one.source, one.query).Get(one.parameter); got != one.want {
			t.Errorf("%+v: %s is %q, want %q", one.query, one.parameter, got, one.want)
		}
	}
	for _, f := range []Filters{{Layout: "round"}, {Size: "huge"}, {Type: "film"}, {Colour: "mauve"}, {Licence: "free"}} {
		if f.Check() == nil {
			t.Errorf("%+v is accepted", f)
		}
	}
}

// TestFiltersAppliedHere narrows by what the service cannot.
func TestFiltersAppliedHere(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		page := func(index, width, height int, mime, licence string) string {
			return fmt.Sprintf(`{"title":"File:%d.jpg","index":%d,"imageinfo":[{"url":"https://example.org/%d.jpg","thumburl":"https://example.org/small/%d.jpg",
				"width":%d,"height":%d,"mime":%q,"extmetadata":{"LicenseShortName":{"value":%q},"Artist":{"value":"<b>me</b>"},"ImageWidth":{"value":5}}}]}`,
				index, index, index, index, width, height, mime, licence)
		}
		fmt.Fprintf(w, `{"query":{"pages":[%s]}}`, strings.Join([]string{page(2, 4000, 1000, "image/jpeg", "CC BY 4.0"), page(1, 800, 800, "image/png", "CC0"),
			page(3, 900, 880, "image/svg+xml", "CC0"), page(4, 3000, 3000, "image/tiff", "CC BY-NC-ND 2.0"), `{"title":"File:none"}`}, ","))
	}))
	defer server.Close()
	for _, one := range []struct {
		filters Filters
		want    []string
	}{
		{Filters{}, []string{"https://example.org/1.jpg", "https://example.org/small/2.jpg", "https://example.org/small/4.jpg"}},
		{Filters{Layout: "square"}, []string{"https://example.org/1.jpg", "https://example.org/small/4.jpg"}},
		{Filters{Layout: "wide"}, []string{"https://example.org/small/2.jpg"}},
		{Filters{Licence: "public-domain"}, []string{"https://example.org/1.jpg"}},
		{Filters{Licence: "commercial"}, []string{"https://example.org/1.jpg", "https://example.org/small/2.jpg"}},
		{Filters{Licence: "modification"}, []string{"https://example.org/1.jpg", "https://example.org/small/2.jpg"}},
	} {
		candidates, _, err := NewCommons(client(), server.URL).Page(context.Background(), Query{Text: "mars", Filters: one.filters}, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(one.want, urls(candidates)); diff != "" {
			t.Errorf("%+v: %s", one.filters, diff)
		}
	}
}

func TestFailingServices(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(10, "earth")
	var status int
	var body string
	w.Intercept = func(_ string, out http.ResponseWriter, _ *http.Request) bool {
		out.WriteHeader(status)
		fmt.Fprint(out, body)
		return true
	}
	sources := []Source{NewOpenverse(client(), w.Openverse.URL), NewCommons(client(), w.Commons.URL), NewDuckDuckGo(client(), w.DuckDuckGo.URL)}
	for _, one := range []struct {
		status      int
		body, words string
	}{
		{429, "", "too many|429|blocks"}, {403, "", "403|blocks"}, {202, "", "202|blocks"}, {418, "", "418|blocks"}, {500, "", "500"}, {200, "<html>", "JSON|token"},
		{200, `{"results": 7, "query": 7}`, "JSON|token"}, {401, `{"detail":"page_size"}`, "401"},
	} {
		status, body = one.status, one.body
		for _, s := range sources {
			_, _, err := s.Page(context.Background(), Query{Text: "earth"}, "")
			named := false
			for word := range strings.SplitSeq(one.words, "|") {
				named = named || (err != nil && strings.Contains(err.Error(), word))
			}
			if !named || !strings.HasPrefix(err.Error(), s.Name()) {
				t.Errorf("%s with %d %q: %v, want its name and one of %s", s.Name(), one.status, one.body, err, one.words)
			}
		}
	}
	status, body = 200, `{"error":{"code":"badquery","info":"no such thing"}}`
	if _, _, err := sources[1].Page(context.Background(), Query{Text: "earth"}, ""); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("commons with an error in its answer: %v", err)
	}
	for _, s := range sources[:2] {
		if _, _, err := s.Page(context.Background(), Query{Text: "earth"}, "nonsense"); err == nil {
			t.Errorf("%s takes any cursor", s.Name())
		}
	}
	status, body = 200, `vqd="1"`
	if _, _, err := sources[2].Page(context.Background(), Query{Text: "earth"}, "https://evil.example/i.js?s=30"); err == nil {
		t.Error("duckduckgo's next page may be anywhere")
	}
}

func TestTokenSpellings(t *testing.T) {
	for _, text := range []string{`a?vqd=3-12345&b`, `vqd="3-12345"`, `vqd='3-12345'`} {
		found := vqd.FindStringSubmatch(text)
		if found == nil || found[1]+found[2]+found[3] != "3-12345" {
			t.Errorf("%s: %v", text, found)
		}
	}
}

func TestOpenverseSpentAllowance(t *testing.T) {
	var times []time.Time
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		times = append(times, time.Now())
		w.Header().Set("X-RateLimit-Limit-anon_burst", "20/min")
		w.Header().Set("X-RateLimit-Available-anon_burst", "0")
		w.Header().Set("X-RateLimit-Reset", "1")
		fmt.Fprint(w, `{"page_count":2,"results":[{"url":"https://example.org/a.jpg"}]}`)
	}))
	defer server.Close()
	o := NewOpenverse(client(), server.URL)
	for _, cursor := range []string{"", "2"} {
		if _, _, err := o.Page(context.Background(), Query{Text: "earth"}, cursor); err != nil {
			t.Fatal(err)
		}
	}
	if waited := times[1].Sub(times[0]); waited < 900*time.Millisecond {
		t.Errorf("the next page was asked for after %v, want after the second its header names", waited)
	}
}

func TestLists(t *testing.T) {
	for name, text := range map[string]string{
		"header":         "URL,Label\nhttps://example.org/1.jpg,earth\nhttps://example.org/2.jpg,mars\n",
		"other order":    "label,title,url\nearth,One,https://example.org/1.jpg\nmars,,https://example.org/2.jpg\n",
		"class":          "\ufeffclass,url\r\nearth,https://example.org/1.jpg\r\nmars,https://example.org/2.jpg\r\n",
		"without header": "https://example.org/1.jpg,earth\nhttps://example.org/2.jpg,mars",
	} {
		list, err := ReadCSV(strings.NewReader(text), "list.csv")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff([]string{"earth", "mars"}, list.Classes()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		candidates, _ := all(t, list, Query{Class: "mars"})
		if diff := cmp.Diff([]string{"https://example.org/2.jpg"}, urls(candidates)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for name, text := range map[string]string{"no label": "URL,Label\nhttps://example.org/1.jpg,\n", "one column": "URL\nhttps://example.org/1.jpg\n", "quotes": "URL,Label\n\"a,b\n", "no header": "one,two\n"} {
		if _, err := ReadCSV(strings.NewReader(text), "list.csv"); err == nil || !strings.Contains(err.Error(), "list.csv") {
			t.Errorf("%s: %v, want an error that names the file", name, err)
		}
	}
	var long strings.Builder
	for i := range 250 {
		fmt.Fprintf(&long, "https://example.org/%d.jpg\n\n# a remark\n", i)
	}
	list, err := ReadURLs(strings.NewReader(long.String()), "urls.txt", "earth")
	if err != nil {
		t.Fatal(err)
	}
	if candidates, pages := all(t, list, Query{Class: "earth"}); len(candidates) != 250 || pages != 3 {
		t.Errorf("%d addresses on %d pages, want 250 on 3", len(candidates), pages)
	}
}
