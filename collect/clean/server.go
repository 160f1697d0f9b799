package clean

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/wangkuiyi/orrery/collect/fetch"
	"github.com/wangkuiyi/orrery/collect/set"
)

//go:embed page
var pageFiles embed.FS

// ServeOptions say how the page is served.
type ServeOptions struct {
	Listen      string               // a loopback address, "127.0.0.1:0" when empty: any free port
	Predictions *Predictions         // nil for none
	Ready       func(address string) // told the page's address, token included, once it answers
	Notice      func(string)         // one line that the user should see
}

const (
	maxBody    = 4 << 20         // bytes of a request
	flushAfter = time.Second     // a burst of steps makes one new manifest
	tellEvery  = time.Second / 2 // how often tabs hear how far measuring and predicting are
)

// Serve serves the page for a set until the context ends.
func Serve(ctx context.Context, dir string, o ServeOptions) error {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if err := checkListen(o.Listen); err != nil {
		return err
	}
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	catalogue, err := OpenCatalogue(s, o.Predictions)
	if err != nil {
		return err
	}
	defer catalogue.Close()
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return err
	}
	token := newToken()
	server := newServer(catalogue, token, listener.Addr().(*net.TCPAddr).Port)
	measuring, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { server.measure(measuring) })
	background.Go(func() { server.predict(measuring, o.Notice) })
	background.Go(catalogue.thumbs.prune)
	if o.Ready != nil {
		o.Ready(fmt.Sprintf("http://%s/?token=%s", listener.Addr(), token))
	}
	httpServer := &http.Server{Handler: server.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	ending, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if httpServer.Shutdown(ending) != nil {
		httpServer.Close()
	}
	stop()
	background.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, s.Flush())
}

// server answers the page.
type server struct {
	catalogue *Catalogue
	hub       *hub
	handler   http.Handler

	mu    sync.Mutex
	flush *time.Timer
}

func newServer(c *Catalogue, token string, port int) *server {
	s := &server{catalogue: c, hub: &hub{}}
	mux := http.NewServeMux()
	files, _ := fs.Sub(pageFiles, "page")
	for path, kind := range map[string]string{"page.css": "text/css", "page.js": "text/javascript", "index.html": "text/html"} {
		data, _ := fs.ReadFile(files, path)
		route := "GET /" + path
		if path == "index.html" {
			route = "GET /{$}"
		}
		mux.HandleFunc(route, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind+"; charset=utf-8")
			_, _ = w.Write(data)
		})
	}
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /api/state", func(w http.ResponseWriter, _ *http.Request) { reply(w, c.State()) })
	mux.HandleFunc("GET /api/view", s.view)
	mux.HandleFunc("POST /api/step", s.step)
	mux.HandleFunc("GET /thumbnail/{id}", s.thumbnail)
	mux.HandleFunc("GET /picture/{id}", s.picture)
	mux.Handle("GET /api/events", s.hub)
	s.handler = &guard{token: token, cookie: "orrery-clean-" + strconv.Itoa(port), next: mux}
	return s
}

func reply(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func refuse(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

func (s *server) view(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	view := View{Class: query.Get("class"), Trash: query.Get("trash") != "", Sort: query.Get("sort"), Filter: query.Get("filter")}
	if err := view.Check(); err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	items, version := s.catalogue.Items(view)
	reply(w, map[string]any{"version": version, "items": items})
}

// stepEvent is what tabs hear after a step.
type stepEvent struct {
	State   State    `json:"state"`
	Changes []Change `json:"changes,omitempty"`
}

func (s *server) step(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Encoding") != "" {
		refuse(w, http.StatusRequestEntityTooLarge, errors.New("send the step as it is, not packed: what a packed one unfolds to has no bound"))
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Errorf("more than %d MiB at once", maxBody>>20))
		return
	}
	var step Step
	if err == nil {
		err = json.Unmarshal(data, &step)
	}
	if err == nil && len(step.Files) > 0 {
		err = errors.New("name pictures by their numbers")
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	stepped, err := s.catalogue.Do(step)
	if len(stepped.Changes) > 0 {
		s.hub.tell(stepEvent{s.catalogue.State(), stepped.Changes})
		s.flushSoon()
	}
	if err != nil {
		refuse(w, http.StatusConflict, err)
		return
	}
	reply(w, stepped)
}

// flushSoon writes the manifest after a pause in the steps; the journal has them until then.
func (s *server) flushSoon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flush != nil {
		s.flush.Stop()
	}
	s.flush = time.AfterFunc(flushAfter, func() { _ = s.catalogue.set.Flush() })
}

func (s *server) item(w http.ResponseWriter, r *http.Request) (Item, bool) {
	id, err := strconv.Atoi(r.PathValue("id"))
	item, known := s.catalogue.Item(id)
	if err != nil || !known {
		refuse(w, http.StatusNotFound, errors.New("there is no such picture"))
		return item, false
	}
	return item, true
}

func (s *server) thumbnail(w http.ResponseWriter, r *http.Request) {
	item, known := s.item(w, r)
	if !known {
		return
	}
	data, err := s.catalogue.Thumbnail(r.Context(), item)
	if err != nil {
		refuse(w, http.StatusNotFound, errors.New("the picture cannot be read"))
		return
	}
	// A number stays with its content while the server runs, and the next server has another port.
	w.Header().Set("Cache-Control", "private, max-age=86400, immutable")
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(data)
}

// shown are the types a picture is sent as; anything else is sent as bytes for no program to interpret.
var shown = map[string]bool{"image/jpeg": true, "image/png": true, "image/gif": true, "image/webp": true, "image/bmp": true}

func (s *server) picture(w http.ResponseWriter, r *http.Request) {
	item, known := s.item(w, r)
	if !known {
		return
	}
	file, err := s.catalogue.set.Root().Open(item.File)
	if err != nil {
		refuse(w, http.StatusNotFound, errors.New("the picture is no longer there"))
		return
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		refuse(w, http.StatusNotFound, errors.New("the picture is no longer there"))
		return
	}
	head := make([]byte, 512)
	n, _ := file.ReadAt(head, 0)
	kind := fetch.Sniff(head[:n])
	if kind == "image/tiff" { // browsers do not show it
		pixels, err := s.catalogue.Thumbnail(r.Context(), item)
		if err == nil {
			w.Header().Set("Content-Type", "image/jpeg")
			http.ServeContent(w, r, "", info.ModTime(), bytes.NewReader(pixels))
			return
		}
	}
	if !shown[kind] {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// measure reads all pictures in the background, with one worker so that thumbnails on screen come first.
func (s *server) measure(ctx context.Context) {
	err := s.catalogue.Measure(ctx, 1, s.now("measured", "pictures"))
	if err == nil {
		s.hub.tell(map[string]any{"state": s.catalogue.State()})
	}
}

// predict shows the network the pictures it has not seen, in the background.
func (s *server) predict(ctx context.Context, notice func(string)) {
	err := s.catalogue.Predict(ctx, s.now("asked", "to_ask"))
	if err != nil && ctx.Err() == nil {
		s.hub.tell(map[string]string{"trouble": err.Error()})
		if notice != nil {
			notice(err.Error())
		}
	}
	s.hub.tell(map[string]any{"state": s.catalogue.State()})
}

// now returns a function that tells tabs how far something is, not too often.
func (s *server) now(done, all string) func(doneNow, allNow int) {
	var mu sync.Mutex
	var told time.Time
	return func(doneNow, allNow int) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(told) > tellEvery || doneNow == allNow {
			told = time.Now()
			s.hub.tell(map[string]int{done: doneNow, all: allNow})
		}
	}
}
