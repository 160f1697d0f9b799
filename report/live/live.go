package live

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/wangkuiyi/orrery/report"
)

//go:embed page
var page embed.FS

// Options of the live page.
type Options struct {
	// Every is how often the files are looked at; 0 takes one second.
	Every time.Duration
}

// A Server shows the runs of a folder.
type Server struct {
	root  *os.Root
	every time.Duration
	token string

	mu      sync.Mutex
	runs    map[string]*watched
	viewers int
}

// maxViewers is how many pages may follow at once.
const maxViewers = 32

// New opens a run folder, or a folder of them.
func New(dir string, o Options) (*Server, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot watch: %w", err)
	}
	token, err := newToken()
	if err != nil {
		release(root)
		return nil, err
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	return &Server{root: root, every: o.Every, token: token, runs: map[string]*watched{}}, nil
}

// Close lets go of the folder.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.runs {
		release(w.root)
	}
	return s.root.Close()
}

// Serve shows the page at a loopback address such as "127.0.0.1:0" until ctx
// ends. Once it listens it calls ready with the page's address, which holds
// the token that the page asks for.
func (s *Server) Serve(ctx context.Context, address string, ready func(url string)) error {
	if host, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	} else if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("address %q: the live page listens on a loopback address only, such as 127.0.0.1:0", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("cannot show the live page: %w", err)
	}
	handler, err := s.Handler(listener.Addr().String())
	if err != nil {
		release(listener)
		return err
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if server.Shutdown(limit) != nil {
			release(server)
		}
	})
	defer stop()
	if ready != nil {
		ready("http://" + listener.Addr().String() + "/?token=" + s.token)
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Handler serves the page to requests for the given address, host:port.
func (s *Server) Handler(address string) (http.Handler, error) {
	assets, err := report.Scripts()
	if err != nil {
		return nil, err
	}
	own := map[string]string{}
	for _, name := range []string{"index.html", "live.js", "live.css"} {
		text, err := page.ReadFile("page/" + name)
		if err != nil {
			return nil, err
		}
		own[name] = string(text)
	}
	mux := http.NewServeMux()
	text := func(pattern, kind, content string) {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind+"; charset=utf-8")
			_, _ = io.WriteString(w, content) // a viewer that left needs no answer
		})
	}
	text("/{$}", "text/html", own["index.html"])
	text("/style.css", "text/css", assets.Style+own["live.css"])
	text("/live.js", "text/javascript", assets.Script+own["live.js"])
	mux.HandleFunc("GET /events", s.events)
	mux.HandleFunc("GET /picture", s.withRun(func(w http.ResponseWriter, r *http.Request, run *watched) {
		run.servePicture(w, r.URL.Query().Get("name"))
	}))
	mux.HandleFunc("GET /layer", s.withRun(func(w http.ResponseWriter, r *http.Request, run *watched) {
		run.serveLayer(w, r.URL.Query().Get("index"))
	}))
	mux.HandleFunc("POST /stop", s.withRun(func(w http.ResponseWriter, _ *http.Request, run *watched) {
		answer(w, run.write("stop", []byte("asked for on the live page\n")))
	}))
	mux.HandleFunc("POST /note", s.withRun(func(w http.ResponseWriter, r *http.Request, run *watched) {
		note, err := io.ReadAll(http.MaxBytesReader(w, r.Body, noteLimit))
		if err != nil {
			http.Error(w, "the note is too long", http.StatusRequestEntityTooLarge)
			return
		}
		answer(w, run.write("note.txt", note))
	}))
	return newGuard(s.token, address, http.NewCrossOriginProtection().Handler(mux))
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// withRun finds the run that a request names.
func (s *Server) withRun(next func(http.ResponseWriter, *http.Request, *watched)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		run := s.run(r.URL.Query().Get("run"))
		if run == nil {
			http.Error(w, "no such run", http.StatusNotFound)
			return
		}
		next(w, r, run)
	}
}

// run is the followed run of a name that findRuns lists; nil for any other.
func (s *Server) run(name string) *watched {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.runs[name]; w != nil {
		return w
	}
	for _, known := range findRuns(s.root) {
		if known != name {
			continue
		}
		w, err := watch(s.root, name)
		if err != nil {
			return nil
		}
		s.runs[name] = w
		return w
	}
	return nil
}

// release closes what was only read from, where an error changes nothing.
func release(c io.Closer) { c.Close() }
