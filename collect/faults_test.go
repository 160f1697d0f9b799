package collect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/set"
	"github.com/wangkuiyi/orrery/collect/source"
)

func TestOneServiceFails(t *testing.T) {
	for name, intercept := range map[string]func(w http.ResponseWriter, r *http.Request){
		"blocked":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"broken JSON": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"results": [{"url": "http`) },
		"down":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"hangs up": func(w http.ResponseWriter, _ *http.Request) {
			connection, _, _ := http.NewResponseController(w).Hijack()
			connection.Close()
		},
	} {
		w := collecttest.New(t)
		w.Fill(12, "earth", "mars")
		w.Intercept = func(service string, out http.ResponseWriter, r *http.Request) bool {
			if service == "openverse" {
				intercept(out, r)
			}
			return service == "openverse"
		}
		var notices []string
		o := options(w, t.TempDir(), "earth", "mars")
		o.Notice = func(line string) { notices = append(notices, line) }
		summary, err := Run(context.Background(), o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if summary.Classes["earth"].Kept != 6 || summary.Classes["mars"].Kept != 6 || summary.Sources["openverse"].Error == "" || len(notices) != 1 {
			t.Errorf("%s: %+v, notices %q, want 6 of each from commons and one notice", name, summary, notices)
		}
	}
}

func TestAllServicesFail(t *testing.T) {
	w := collecttest.New(t)
	w.Intercept = func(_ string, out http.ResponseWriter, _ *http.Request) bool {
		out.WriteHeader(http.StatusForbidden)
		return true
	}
	if _, err := Run(context.Background(), options(w, t.TempDir(), "earth")); err == nil || !strings.Contains(err.Error(), "no picture collected") {
		t.Errorf("%v, want an error that says why nothing came", err)
	}
}

// TestPagingLoop has a service that gives the same page for ever.
func TestPagingLoop(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(4, "earth")
	w.Intercept = func(service string, out http.ResponseWriter, r *http.Request) bool {
		if service == "duckduckgo" && r.URL.Path == "/i.js" {
			fmt.Fprintf(out, `{"results":[{"image":"%s/picture/earth-0.jpg"}],"next":"i.js?s=%d"}`, w.Host.URL, w.Asked("duckduckgo", "/i.js"))
			return true
		}
		return false
	}
	o := options(w, t.TempDir(), "earth")
	o.Sources = []string{source.DuckDuckGoName}
	var notices []string
	o.Notice = func(line string) { notices = append(notices, line) }
	summary, err := Run(context.Background(), o)
	if err != nil || summary.Classes["earth"].Kept != 1 || summary.Classes["earth"].Found != 1 {
		t.Errorf("%+v, %v", summary, err)
	}
	if pages := w.Asked("duckduckgo", "/i.js"); pages > 4 {
		t.Errorf("asked for %d pages", pages)
	}
	if len(notices) == 0 || notices[0] != source.DuckDuckGoWarning {
		t.Errorf("no warning about duckduckgo: %q", notices)
	}
}

// TestSearchGoesOn collects a little, then more: pages that are through are not asked for again.
func TestSearchGoesOn(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(120, "earth")
	o := options(w, t.TempDir(), "earth")
	o.Sources = []string{source.OpenverseName}
	var pages []string
	w.Intercept = func(service string, _ http.ResponseWriter, r *http.Request) bool {
		if service == "openverse" {
			pages = append(pages, r.URL.Query().Get("page"))
		}
		return false
	}
	for _, one := range []struct {
		max   int
		first string
	}{{30, "1"}, {50, "2"}, {60, "3"}} {
		pages = nil
		o.Max = one.max
		summary, err := Run(context.Background(), o)
		if err != nil || summary.Classes["earth"].Kept != one.max {
			t.Fatalf("%+v, %v", summary, err)
		}
		if len(pages) == 0 || pages[0] != one.first {
			t.Errorf("up to %d: asked for pages %v, want %s first", one.max, pages, one.first)
		}
	}
	for i := range 60 {
		if n := w.Asked("host", fmt.Sprintf("/picture/earth-%d.jpg", 2*i)); n > 1 {
			t.Errorf("picture %d was downloaded %d times", i, n)
		}
	}
}

func TestInterrupted(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(200, "earth")
	ctx, cancel := context.WithCancel(context.Background())
	o := options(w, t.TempDir(), "earth")
	o.Progress = func(p Progress) {
		if p.Kept == 10 {
			cancel()
		}
	}
	summary, err := Run(ctx, o)
	if !errors.Is(err, context.Canceled) || summary == nil || summary.Classes["earth"].Kept < 10 {
		t.Fatalf("%+v, %v, want a summary and the interrupt", summary, err)
	}
	if n := checkSet(t, o.Into); n != summary.Classes["earth"].Kept {
		t.Errorf("%d pictures on disk, the summary says %d", n, summary.Classes["earth"].Kept)
	}
	o.Progress = nil
	summary, err = Run(context.Background(), o)
	if err != nil || summary.Classes["earth"].Kept != 100 || checkSet(t, o.Into) != 100 {
		t.Errorf("going on: %+v, %v", summary, err)
	}
}

func TestThrownOutPicturesStayOut(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(10, "earth")
	o := options(w, t.TempDir(), "earth")
	if _, err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	s, err := set.Open(o.Into, set.Options{})
	if err != nil {
		t.Fatal(err)
	}
	change := s.Begin("trash")
	for _, record := range s.Records()[:3] {
		if err := change.Trash(record.File); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := change.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(o.Into, s.Records()[5].File)); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for range 2 {
		summary, err := Run(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{ThrownOut: 3, RemovedByHand: 1}
		if got := summary.Classes["earth"]; got.Kept != 6 || got.New != 0 || !cmp.Equal(got.Dropped, want) {
			t.Errorf("%+v, want 6 kept and the others to stay out", got)
		}
		s, err := set.Open(o.Into, set.Options{}) // for good, before the second time
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.EmptyTrash(); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
}

func TestListsOfAddresses(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(5, "earth", "mars")
	dir := t.TempDir()
	table, plain := filepath.Join(dir, "list.csv"), filepath.Join(dir, "urls.txt")
	var rows, lines strings.Builder
	rows.WriteString("URL,Label\n")
	for i := range 5 {
		fmt.Fprintf(&rows, "%s/picture/earth-%d.jpg,earth\n%s/picture/mars-%d.jpg,mars\n", w.Host.URL, i, w.Host.URL, i)
		fmt.Fprintf(&lines, "%s/picture/venus-%d.jpg\n", w.Host.URL, i)
	}
	for name, text := range map[string]string{table: rows.String(), plain: lines.String()} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	o := options(w, filepath.Join(dir, "set"))
	o.CSV = []string{table}
	summary, err := Run(context.Background(), o)
	if err != nil || summary.Classes["earth"].Kept != 5 || summary.Classes["mars"].Kept != 5 || w.AskedOf("openverse") > 0 {
		t.Errorf("CSV: %+v, %v", summary, err)
	}
	o.CSV, o.Classes, o.URLs = nil, []string{"venus"}, []string{plain}
	summary, err = Run(context.Background(), o)
	if err != nil || summary.Classes["venus"].Kept != 5 {
		t.Errorf("addresses: %+v, %v", summary, err)
	}
}

func TestResize(t *testing.T) {
	w := collecttest.New(t)
	w.Width, w.Height = 800, 600
	w.Fill(6, "earth")
	o := options(w, t.TempDir(), "earth")
	o.MaxSide = 200
	if _, err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if n := checkSet(t, o.Into); n != 6 {
		t.Errorf("%d pictures, want 6", n)
	}
	s, err := set.Open(o.Into, set.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, record := range s.Records() {
		if record.Width != 200 || record.Height != 150 || !record.Resized || record.FetchedSHA == "" {
			t.Errorf("%+v is not 200 x 150", record)
		}
	}
	o.MaxSide, o.MinSide, o.Into = 0, 700, t.TempDir()
	summary, err := Run(context.Background(), o)
	if err != nil || summary.Classes["earth"].Dropped[TooSmall] != 6 {
		t.Errorf("%+v, %v, want all too small", summary, err)
	}
}

func TestUsage(t *testing.T) {
	for name, o := range map[string]Options{
		"no folder": {Classes: []string{"a"}}, "no class": {Into: "x"}, "bad class": {Into: "x", Classes: []string{"../a"}}, "hidden class": {Into: "x", Classes: []string{".trash"}},
		"two classes alike": {Into: "x", Classes: []string{"Earth", "earth"}}, "source": {Into: "x", Classes: []string{"a"}, Sources: []string{"bing"}},
		"max": {Into: "x", Classes: []string{"a"}, Max: -1}, "layout": {Into: "x", Classes: []string{"a"}, Filters: source.Filters{Layout: "round"}},
		"list": {Into: "x", CSV: []string{"no-such-file.csv"}}, "urls": {Into: "x", Classes: []string{"a", "b"}, URLs: []string{"file"}},
		"contact": {Into: "x", Classes: []string{"a"}, Contact: "a\nb"}, "proxy": {Into: "x", Classes: []string{"a"}, Proxy: "::"},
		"control character": {Into: "x", Classes: []string{"a\x1b[31m"}}, "sides": {Into: "x", Classes: []string{"a"}, MaxSide: 100, MinSide: 200},
	} {
		if _, err := Run(context.Background(), o); !IsUsage(err) {
			t.Errorf("%s: %v, want a usage error", name, err)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("a wrong command made the folder")
	}
}

func TestBusy(t *testing.T) {
	dir := t.TempDir()
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := Run(context.Background(), options(collecttest.New(t), dir, "earth")); !errors.Is(err, set.ErrBusy) {
		t.Errorf("%v, want that another works on it", err)
	}
}

// TestHostileWords has a service whose titles and authors try to act on a terminal, a page or a spreadsheet.
func TestHostileWords(t *testing.T) {
	w := collecttest.New(t)
	w.Intercept = func(service string, out http.ResponseWriter, r *http.Request) bool {
		if service == "openverse" {
			fmt.Fprintf(out, `{"page_count":1,"results":[{"url":%q,"title":"\u001b[2J<script>alert(1)</script>\nfake line","creator":"=HYPERLINK(\"http://evil\")",
				"foreign_landing_url":"javascript:alert(1)","license":"by","license_url":"https://example.org/)<b>"}]}`, w.Host.URL+"/picture/a.jpg")
		}
		return service == "openverse"
	}
	o := options(w, t.TempDir(), "earth")
	if _, err := Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	credits, err := Attribution(o.Into)
	if err != nil || len(credits.Credits) != 1 {
		t.Fatalf("%+v, %v", credits, err)
	}
	for format, bad := range map[string][]string{"text": {"\x1b", "\nfake"}, "markdown": {"\x1b", "<script>", "\nfake", "(<javascript"}, "html": {"<script>", `href="javascript`}, "csv": {",=HYPER", `"=HYPER`}} {
		var out strings.Builder
		if err := credits.Print(&out, format); err != nil {
			t.Fatal(err)
		}
		for _, word := range bad {
			if strings.Contains(out.String(), word) {
				t.Errorf("%s: holds %q: %s", format, word, out.String())
			}
		}
		if !strings.Contains(out.String(), "CC BY") {
			t.Errorf("%s: names no licence: %s", format, out.String())
		}
	}
	if err := credits.Print(&strings.Builder{}, "pdf"); !IsUsage(err) {
		t.Errorf("format pdf: %v", err)
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{"plain": "plain", "Ünï 漢字": "Ünï 漢字", "\x1b[31mred": `\x1b[31mred`, "a\nb\tc": `a\nb\tc`, "right\u202eleft": `right\u202eleft`, "bad \xff": "bad \uFFFD", "\u009b31m": `\u009b31m`} {
		if got := Printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSummaryPrint(t *testing.T) {
	s := &Summary{Set: "planets", Classes: map[string]ClassSummary{"earth": {Wanted: 9, Found: 8, Kept: 5, New: 2, Dropped: map[string]int{"duplicate": 2, "http_404": 1}, Across: 1}},
		Sources: map[string]SourceSummary{"commons": {Error: "is down"}}}
	var out strings.Builder
	if err := s.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"earth  9       8      5     2    2 duplicate, 1 http 404", "commons stopped early: is down", "kept in the first only: 1", "5 pictures in planets"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %q:\n%s", want, out.String())
		}
	}
}
