package collect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/fetch"
	"github.com/wangkuiyi/orrery/collect/set"
)

// quick makes waits short enough for tests.
var quick = fetch.Options{Wait: 5 * time.Millisecond, Grace: 300 * time.Millisecond, Attempts: 3}

func options(w *collecttest.World, dir string, classes ...string) Options {
	return Options{Into: dir, Classes: classes, Bases: w.Bases(), AllowPrivate: true, fetch: quick}
}

// checkSet fails unless every picture on disk is whole and in the manifest, and every record has its picture.
func checkSet(t *testing.T, dir string) (pictures int) {
	t.Helper()
	s, err := set.Open(dir, set.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	files, err := s.Scan()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(dir, file.File))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(data)
		record, known := s.Record(file.File)
		if !known {
			t.Errorf("%s is not in the manifest", file.File)
		} else if record.SHA256 != hex.EncodeToString(sum[:]) || record.Bytes != int64(len(data)) {
			t.Errorf("%s is not what the manifest says", file.File)
		}
	}
	for _, record := range s.Records() {
		if record.Removed {
			t.Errorf("%s is in the manifest and not on disk", record.File)
		}
	}
	return len(files)
}

func TestCollect(t *testing.T) {
	w := collecttest.New(t)
	classes := []string{"earth", "jupiter", "neptune", "saturn"}
	w.Fill(60, classes...)
	dir := filepath.Join(t.TempDir(), "planets")
	o := options(w, dir, classes...)
	o.Max = 50
	o.Contact = "keeper@example.org"
	var most Progress
	o.Progress = func(p Progress) {
		if p.Kept > most.Kept {
			most = p
		}
	}
	summary, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range classes {
		got := summary.Classes[class]
		if got.Kept != 50 || got.New != 50 || got.Found < 50 || got.Wanted != 50 {
			t.Errorf("%s: %+v, want 50 kept", class, got)
		}
	}
	if n := checkSet(t, dir); n != 200 {
		t.Errorf("%d pictures on disk, want 200", n)
	}
	if most.Kept != 50 || most.Wanted != 50 {
		t.Errorf("progress ended at %+v", most)
	}
	if busiest := w.Busiest("host"); busiest > 3 {
		t.Errorf("%d requests at once to one host, want at most 3", busiest)
	}
	want := []string{"orrery/1 (+https://github.com/wangkuiyi/orrery/issues; keeper@example.org)"}
	if diff := cmp.Diff(want, w.Agents()); diff != "" {
		t.Error(diff)
	}
	s, err := set.Open(dir, set.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sources := map[string]int{}
	for _, record := range s.Records() {
		sources[record.Source]++
		if record.Page == "" || record.License == "" || record.LicenseURL == "" || record.Author == "" || record.Title == "" || record.Width != 320 || len(record.DHash) != 32 {
			t.Fatalf("record lacks something: %+v", record)
		}
		if !strings.HasPrefix(filepath.Base(record.File)[4:], record.SHA256[:8]) {
			t.Fatalf("%s is not named by its hash %s", record.File, record.SHA256)
		}
	}
	if sources["openverse"] == 0 || sources["commons"] == 0 {
		t.Errorf("pictures by source: %v, want some of both", sources)
	}

	before := w.AskedOf("host") + w.AskedOf("openverse") + w.AskedOf("commons")
	summary, err = Run(context.Background(), o)
	if err != nil || summary.Classes["earth"].Kept != 50 || summary.Classes["earth"].New != 0 {
		t.Errorf("repeated: %+v, %v", summary, err)
	}
	if after := w.AskedOf("host") + w.AskedOf("openverse") + w.AskedOf("commons"); after != before {
		t.Errorf("a repeated run made %d requests, want none", after-before)
	}
}

// bad has one candidate of each kind that must not be kept, and why.
var bad = map[string]string{
	"/html/a.jpg": "unreadable", "/403/a.jpg": "http_403", "/404/a.jpg": "http_404", "/503/a.jpg": "http_503",
	"/endless/a.jpg": "too_large", "/slow/a.jpg": "too_slow", "/truncated/a.jpg": "unreadable", "/short/a.jpg": "unreachable",
	"/empty/a.jpg": "unreadable", "/noai/a.jpg": "noai", "/loop/a.jpg": "unreachable", "/metadata/a.jpg": "private_address",
	"/giant/a.gif": "too_many_pixels",
}

func TestBadPictures(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(3, "earth", "mars")
	for path := range bad {
		w.Results["earth"] = append(w.Results["earth"], path)
	}
	w.Results["earth"] = append(w.Results["earth"], "/busy/b.jpg", "/moved/c.jpg", "/again/earth-1.jpg", "/smaller/earth-2.jpg")
	dir := t.TempDir()
	o := options(w, dir, "earth")
	o.MaxBytes = 1 << 20
	summary, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"duplicate": 1, "near_duplicate": 1}
	for _, reason := range bad {
		want[reason]++
	}
	got := summary.Classes["earth"]
	if diff := cmp.Diff(want, got.Dropped); diff != "" {
		t.Error(diff)
	}
	if got.Kept != 5 || got.Found != 5+len(bad)+2 {
		t.Errorf("%+v, want 5 kept", got)
	}
	if n := checkSet(t, dir); n != 5 {
		t.Errorf("%d pictures on disk, want 5", n)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, ".orrery", "tmp")); len(left) != 0 {
		t.Errorf("downloads left behind: %v", left)
	}

	// What is not worth another request is not asked for again; what may have passed is.
	before := map[string]int{}
	for path := range bad {
		before[path] = w.Asked("host", path)
	}
	if _, err = Run(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	transient := map[string]bool{"too_slow": true, "http_503": true, "unreachable": true}
	for path, reason := range bad {
		if again := w.Asked("host", path) > before[path]; again != transient[reason] && path != "/loop/a.jpg" {
			t.Errorf("%s (%s): asked again %t", path, reason, again)
		}
	}
}

func TestDuplicatesAcrossClasses(t *testing.T) {
	w := collecttest.New(t)
	w.Fill(10, "earth")
	for i := range 4 {
		w.Results["mars"] = append(w.Results["mars"], []string{"/picture/earth-0.jpg", "/again/earth-1.jpg", "/smaller/earth-2.jpg", "/picture/mars-3.jpg"}[i])
	}
	dir := t.TempDir()
	if _, err := Run(context.Background(), options(w, dir, "earth")); err != nil {
		t.Fatal(err)
	}
	summary, err := Run(context.Background(), options(w, dir, "mars"))
	if err != nil {
		t.Fatal(err)
	}
	want := ClassSummary{Wanted: 100, Found: 4, Kept: 1, New: 1, Dropped: map[string]int{"duplicate": 2, "near_duplicate": 1}, Across: 3}
	if diff := cmp.Diff(want, summary.Classes["mars"]); diff != "" {
		t.Error(diff)
	}
}

// TestHostsInParallel downloads from two slow hosts: three requests at once to each, and more than three in all.
func TestHostsInParallel(t *testing.T) {
	var mu sync.Mutex
	busy, busiest := map[string]int{}, map[string]int{}
	note := func(host string, change int) {
		mu.Lock()
		defer mu.Unlock()
		for _, name := range []string{host, "both"} {
			busy[name] += change
			busiest[name] = max(busiest[name], busy[name])
		}
	}
	dir := t.TempDir()
	var lists []string
	for _, name := range []string{"one", "two"} {
		var lines strings.Builder
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			note(name, 1)
			defer note(name, -1)
			time.Sleep(40 * time.Millisecond)
			_, _ = w.Write(collecttest.JPEG(collecttest.Pixels(name+r.URL.Path, 80, 60), 80))
		}))
		t.Cleanup(server.Close)
		for i := range 9 {
			fmt.Fprintf(&lines, "%s/%d.jpg\n", server.URL, i)
		}
		lists = append(lists, filepath.Join(dir, name))
		if err := os.WriteFile(lists[len(lists)-1], []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	summary, err := Run(context.Background(), Options{Into: filepath.Join(dir, "set"), Classes: []string{"earth"}, URLs: lists, AllowPrivate: true, fetch: quick})
	if err != nil || summary.Classes["earth"].Kept != 18 {
		t.Fatalf("%+v, %v", summary, err)
	}
	if busiest["one"] > 3 || busiest["two"] > 3 || busiest["both"] <= 3 {
		t.Errorf("most requests at once: %v, want at most 3 to each host and more to both", busiest)
	}
}
