package collecttest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// World is a small internet: three search services and a host of pictures, each a server of its own on loopback.
type World struct {
	Openverse, Commons, DuckDuckGo, Host *httptest.Server

	// Results are the paths at Host that a search for a word finds, by word. Openverse and Commons share them out, even and odd.
	Results map[string][]string
	// Intercept, when set, may answer a request to a service ("openverse", "commons", "duckduckgo", "host") in its place.
	Intercept func(service string, w http.ResponseWriter, r *http.Request) (answered bool)
	// Bandwidth of the host in bytes a second, 0 for as fast as it goes.
	Bandwidth int
	// Size of the pictures, 320 x 240 when zero.
	Width, Height int

	mu       sync.Mutex
	asked    map[string]int // requests by service and path
	busy     map[string]int
	busiest  map[string]int // most requests at once, by service
	agents   map[string]bool
	pictures map[string][]byte
	line     *rate.Limiter // what Bandwidth allows
}

// New starts the servers; they end with the test.
func New(t testing.TB) *World {
	w := &World{Results: map[string][]string{}, asked: map[string]int{}, busy: map[string]int{}, busiest: map[string]int{},
		agents: map[string]bool{}, pictures: map[string][]byte{}}
	start := func(service string, handler http.HandlerFunc) *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			defer w.note(service, r)()
			if w.Intercept != nil && w.Intercept(service, out, r) {
				return
			}
			handler(out, r)
		}))
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
		return server
	}
	w.Host = start("host", w.host)
	w.Openverse = start("openverse", w.openverse)
	w.Commons = start("commons", w.commons)
	w.DuckDuckGo = start("duckduckgo", w.duckduckgo)
	return w
}

// Bases returns the services' addresses as collect.Options wants them.
func (w *World) Bases() map[string]string {
	return map[string]string{"openverse": w.Openverse.URL, "commons": w.Commons.URL, "duckduckgo": w.DuckDuckGo.URL}
}

// Fill gives each class n pictures of its own.
func (w *World) Fill(n int, classes ...string) {
	for _, class := range classes {
		for i := range n {
			w.Results[class] = append(w.Results[class], fmt.Sprintf("/picture/%s-%d.jpg", url.PathEscape(class), i))
		}
	}
}

func (w *World) note(service string, r *http.Request) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[service+" "+r.URL.Path]++
	w.agents[r.UserAgent()] = true
	w.busy[service]++
	w.busiest[service] = max(w.busiest[service], w.busy[service])
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy[service]--
	}
}

// Asked returns how many requests went to a path of a service.
func (w *World) Asked(service, path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[service+" "+path]
}

// AskedOf returns how many requests went to a service.
func (w *World) AskedOf(service string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, count := range w.asked {
		if strings.HasPrefix(key, service+" ") {
			n += count
		}
	}
	return n
}

// Busiest returns the most requests a service saw at once.
func (w *World) Busiest(service string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busiest[service]
}

// Agents returns the User-Agents seen.
func (w *World) Agents() (agents []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for agent := range w.agents {
		agents = append(agents, agent)
	}
	return agents
}

func (w *World) size() (int, int) {
	if w.Width == 0 {
		return 320, 240
	}
	return w.Width, w.Height
}

// Picture returns the bytes served for a name.
func (w *World) Picture(name string) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, drawn := w.pictures[name]; !drawn {
		width, height := w.size()
		w.pictures[name] = JPEG(Pixels(name, width, height), 85)
	}
	return w.pictures[name]
}

func found(all []string, half int) (some []string) {
	for i, path := range all {
		if i%2 == half {
			some = append(some, path)
		}
	}
	return some
}

// cut returns page n (from 0) of results.
func cut(results []string, from, size int) []string {
	from = min(from, len(results))
	return results[from:min(from+size, len(results))]
}

func refuse(out http.ResponseWriter, status int, words string) {
	out.WriteHeader(status)
	answer(out, map[string]any{"error": words, "detail": words, "fields": []string{}})
}

func answer(out http.ResponseWriter, value any) {
	_ = json.NewEncoder(out).Encode(value)
}

func (w *World) openverse(out http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	page, _ := strconv.Atoi(query.Get("page"))
	size, _ := strconv.Atoi(query.Get("page_size"))
	switch {
	case r.URL.Path != "/v1/images/":
		http.NotFound(out, r)
	case size < 1 || size > 20:
		refuse(out, http.StatusUnauthorized, "page_size must be 20 or less for anonymous requests")
	case page < 1 || page > 20 || query.Get("q") == "" || len(query.Get("q")) > 200:
		refuse(out, http.StatusBadRequest, "bad value")
	default:
		all := found(w.Results[query.Get("q")], 0)
		results := []map[string]any{}
		width, height := w.size()
		for _, path := range cut(all, (page-1)*size, size) {
			results = append(results, map[string]any{"id": path, "title": "Title of " + path, "url": w.Host.URL + path,
				"foreign_landing_url": "https://example.org" + path, "creator": "A. Painter", "license": "by-sa", "license_version": "4.0",
				"license_url": "https://creativecommons.org/licenses/by-sa/4.0/", "width": width, "height": height})
		}
		answer(out, map[string]any{"result_count": len(all), "page_count": (len(all) + size - 1) / size, "page_size": size, "page": page, "results": results})
	}
}

func (w *World) commons(out http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	word, _, _ := strings.Cut(query.Get("gsrsearch"), " file")
	offset, _ := strconv.Atoi(query.Get("gsroffset"))
	limit, _ := strconv.Atoi(query.Get("gsrlimit"))
	if r.URL.Path != "/w/api.php" || query.Get("gsrnamespace") != "6" || limit < 1 || limit > 50 || r.UserAgent() == "" {
		refuse(out, http.StatusBadRequest, "bad value")
		return
	}
	all := found(w.Results[word], 1)
	pages := []map[string]any{}
	width, height := w.size()
	for i, path := range cut(all, offset, limit) {
		pages = append([]map[string]any{{"pageid": offset + i + 1, "title": "File:" + path, "index": offset + i + 1,
			"imageinfo": []map[string]any{{"url": w.Host.URL + path, "descriptionurl": "https://example.org/File:" + path,
				"width": width, "height": height, "mime": "image/jpeg", "extmetadata": map[string]any{
					"LicenseShortName": map[string]any{"value": "CC0"}, "LicenseUrl": map[string]any{"value": "https://creativecommons.org/publicdomain/zero/1.0/"},
					"Artist": map[string]any{"value": `<a href="//example.org/user">B. <b>Photographer</b></a>`}}}}}}, pages...)
	}
	reply := map[string]any{"batchcomplete": true}
	if len(pages) > 0 {
		reply["query"] = map[string]any{"pages": pages}
	}
	if offset+limit < len(all) {
		reply["continue"] = map[string]any{"gsroffset": offset + limit, "continue": "gsroffset||"}
	}
	answer(out, reply)
}

func (w *World) duckduckgo(out http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case r.URL.Path == "/" && r.Method == http.MethodPost:
		fmt.Fprintf(out, `<html><script>vqd="4-%d"</script></html>`, len(r.FormValue("q")))
	case r.URL.Path != "/i.js" || query.Get("vqd") != fmt.Sprintf("4-%d", len(query.Get("q"))) || !strings.HasPrefix(r.UserAgent(), "Mozilla") || r.Referer() == "":
		out.WriteHeader(http.StatusForbidden)
	default:
		from, _ := strconv.Atoi(query.Get("s"))
		all := w.Results[query.Get("q")]
		results := []map[string]any{}
		width, height := w.size()
		for _, path := range cut(all, from, 30) {
			results = append(results, map[string]any{"image": w.Host.URL + path, "thumbnail": w.Host.URL + path, "url": "https://example.org" + path,
				"title": path, "width": width, "height": height})
		}
		reply := map[string]any{"results": results}
		if from+30 < len(all) {
			reply["next"] = "i.js?" + url.Values{"q": {query.Get("q")}, "vqd": {"old"}, "s": {strconv.Itoa(from + 30)}}.Encode()
		}
		answer(out, reply)
	}
}

// write sends a body as fast as the host's bandwidth allows, which all its answers share.
func (w *World) write(ctx context.Context, out http.ResponseWriter, body []byte) {
	const piece = 16 << 10
	w.mu.Lock()
	if w.line == nil && w.Bandwidth > 0 {
		w.line = rate.NewLimiter(rate.Limit(w.Bandwidth), piece)
	}
	w.mu.Unlock()
	for part := range slices.Chunk(body, piece) {
		if w.line != nil && w.line.WaitN(ctx, len(part)) != nil {
			return
		}
		if _, err := out.Write(part); err != nil {
			return
		}
	}
}

// host serves pictures under /picture/ and what goes wrong with pictures under /KIND/.
func (w *World) host(out http.ResponseWriter, r *http.Request) {
	kind, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	send := func(body []byte) {
		out.Header().Set("Content-Type", "image/jpeg")
		w.write(r.Context(), out, body)
	}
	switch kind {
	case "picture":
		send(w.Picture(name))
	case "again": // the picture of the same name, from another address
		send(w.Picture(name))
	case "smaller": // and scaled and compressed harder
		width, height := w.size()
		send(JPEG(Pixels(name, width, height).SubImage(Pixels(name, width, height).Rect), 40))
	case "html":
		send([]byte("<!DOCTYPE html><html><body>not found</body></html>"))
	case "403", "404", "410", "503":
		status, _ := strconv.Atoi(kind)
		out.WriteHeader(status)
	case "busy": // 429 once, then the picture
		if w.Asked("host", r.URL.Path) == 1 {
			out.Header().Set("Retry-After", "1")
			out.WriteHeader(http.StatusTooManyRequests)
			return
		}
		send(w.Picture(name))
	case "endless":
		out.Header().Set("Content-Type", "image/jpeg")
		body := w.Picture(name)
		for r.Context().Err() == nil {
			if _, err := out.Write(body); err != nil {
				return
			}
		}
	case "slow": // a byte at a time
		out.Header().Set("Content-Type", "image/jpeg")
		for _, b := range w.Picture(name) {
			if _, err := out.Write([]byte{b}); err != nil {
				return
			}
			_ = http.NewResponseController(out).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	case "truncated":
		body := w.Picture(name)
		send(body[:len(body)/2])
	case "short": // less than announced
		out.Header().Set("Content-Length", strconv.Itoa(len(w.Picture(name))))
		send(w.Picture(name)[:100])
	case "empty":
		send(nil)
	case "noai":
		out.Header().Set("X-Robots-Tag", "noai, noimageai")
		send(w.Picture(name))
	case "loop":
		http.Redirect(out, r, r.URL.Path, http.StatusFound)
	case "moved":
		http.Redirect(out, r, "/picture/"+name, http.StatusMovedPermanently)
	case "metadata":
		http.Redirect(out, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
	case "giant": // 34 bytes that claim 65535 x 65535
		send([]byte("GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x02D\x01\x00;"))
	default:
		http.NotFound(out, r)
	}
}
