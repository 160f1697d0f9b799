package serve

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

//go:embed page
var page embed.FS

// A Server answers what a run makes of pictures. Open makes one, Serve runs it,
// Close ends it.
type Server struct {
	options  Options
	works    works
	memory   memory
	metrics  *metrics
	about    About
	stopping atomic.Bool
}

// About is what GET /about tells: {"run", "model", "classes", "size"}.
type About struct {
	Run     string   `json:"run"`
	Model   string   `json:"model"`
	Classes []string `json:"classes"`
	Size    int      `json:"size"` // side of the square that the network sees, in pixels
}

// Open loads the run in dir onto the device (auto, cpu, cuda, cuda:N).
func Open(dir, device string, o Options) (*Server, error) {
	return open(o, func() (model, About, data.DecodeOptions, error) {
		saved, err := trainer.OpenSaved(dir, device)
		if err != nil {
			return nil, About{}, data.DecodeOptions{}, err
		}
		about := About{filepath.Base(filepath.Clean(dir)), saved.Recipe.Model, saved.Classes, saved.Recipe.Size}
		return saved, about, saved.Recipe.DecodeOptions(), nil
	})
}

// open makes a server of what load opens.
func open(o Options, load func() (model, About, data.DecodeOptions, error)) (*Server, error) {
	s := &Server{options: o.withDefaults()}
	s.memory.limit = s.options.MaxMemory
	s.metrics = newMetrics(func() float64 { return float64(s.works.onTheWay.Load()) })
	s.works.options, s.works.metrics = s.options, s.metrics
	err := s.works.start(func() (m model, err error) {
		m, s.about, s.works.decode, err = load()
		s.works.decode.MaxPixels = s.options.MaxPixels
		if err == nil {
			torch.SetNumThreads(int32(s.options.Threads))
		}
		return m, err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close frees the model. No request may be under way.
func (s *Server) Close() { s.works.close() }

// Handler answers the server's routes, guarded.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern, route string, h http.HandlerFunc) { mux.Handle(pattern, s.metrics.measured(route, h)) }
	handle("POST /predict", "predict", s.predict)
	handle("POST /explain", "explain", s.explain)
	for _, path := range []string{"/predict", "/explain"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, "send the picture with POST")
		})
	}
	handle("GET /about", "about", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.about) })
	handle("GET /healthz", "healthz", s.health)
	mux.Handle("GET /metrics", s.metrics.handler())
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	mux.Handle("GET /", http.FileServerFS(files))
	return guarded(s.options, mux)
}

// health answers 200 while requests are taken on, and 503 from the beginning of the end.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	if s.stopping.Load() {
		refuse(w, http.StatusServiceUnavailable, "stopping")
		return
	}
	fmt.Fprintln(w, "ok")
}

// Serve answers requests on the listener until ctx ends. Then it answers
// those that were accepted, for as long as Options.Grace, and returns nil if
// none was cut off.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	quiet := &quietable{Listener: listener}
	h := &http.Server{
		Handler: s.lastAnswers(s.Handler()), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: s.options.ReadTimeout,
		WriteTimeout: s.options.ReadTimeout + s.options.Patience + 10*time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(quiet) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	s.options.Log.Info("stopping; requests under way are answered", "pictures", s.works.onTheWay.Load())
	quiet.quiet()
	if err := <-served; !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		s.options.Log.Warn("the listener ended early", "reason", err)
	} // every connection that was begun is accepted now
	grace, cancel := context.WithTimeout(context.Background(), s.options.Grace)
	defer cancel()
	if err := h.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("requests were cut off %v after the end was asked for: %w", s.options.Grace, err), h.Close())
	}
	return nil
}

// lastAnswers ends each connection with its next answer once the server is stopping.
func (s *Server) lastAnswers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.stopping.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
