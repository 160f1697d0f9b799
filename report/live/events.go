package live

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// A pulse is the small message that comes at every look.
type pulse struct {
	Now    int64   `json:"now"` // the server's clock, milliseconds since 1970
	Runs   []named `json:"runs"`
	Gauges []gauge `json:"gauges"`
	Run    string  `json:"run"`
}

type named struct {
	Run   string `json:"run"`
	Title string `json:"title"`
}

// A gauge is a share of something of this machine that is in use.
type gauge struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"` // in [0, 1]
	Text  string  `json:"text"`
}

// events streams a run's state, whole at first and whenever it changed. A page
// that reconnects therefore needs nothing from before.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		http.Error(w, "too many pages follow already", http.StatusServiceUnavailable)
		return
	}
	defer s.leave()
	name := r.URL.Query().Get("run")
	out := http.NewResponseController(w)
	// The stream lives on; each message has its own limit.
	_ = out.SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(event string, text []byte) error {
		_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, text); err != nil {
			return err
		}
		return out.Flush()
	}
	meter := newMeter()
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	sent, at := -1, ""
	for {
		now := time.Now()
		runs := s.names(now)
		current := name
		if !slices.ContainsFunc(runs, func(n named) bool { return n.Run == name }) {
			current = ""
			if len(runs) > 0 {
				current = runs[0].Run // the newest
			}
		}
		if name == "" {
			name = current // a newer run must not take the page over
		}
		beat, err := json.Marshal(pulse{Now: now.UnixMilli(), Runs: runs, Gauges: meter.read(), Run: current})
		if err != nil {
			return
		}
		if send("pulse", beat) != nil {
			return
		}
		if run := s.run(current); run != nil {
			version, text := run.look(now, s.every)
			if version != sent || current != at {
				sent, at = version, current
				if send("state", text) != nil {
					return
				}
			}
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Server) names(time.Time) []named {
	list := []named{}
	for _, name := range findRuns(s.root) {
		list = append(list, named{name, title(s.root, name)})
	}
	return list
}

func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.viewers >= maxViewers {
		return false
	}
	s.viewers++
	return true
}

func (s *Server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.viewers--
}
