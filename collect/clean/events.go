package clean

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// hub tells every open tab what changed.
type hub struct {
	mu   sync.Mutex
	tabs map[chan []byte]bool
}

// tell sends a message to all tabs. One that does not read falls out; its page connects again and asks for everything.
func (h *hub) tell(message any) {
	data, err := json.Marshal(message)
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for tab := range h.tabs {
		select {
		case tab <- data:
		default:
			delete(h.tabs, tab)
			close(tab)
		}
	}
}

func (h *hub) join() chan []byte {
	tab := make(chan []byte, 256)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tabs == nil {
		h.tabs = map[chan []byte]bool{}
	}
	h.tabs[tab] = true
	return tab
}

func (h *hub) leave(tab chan []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tabs[tab] {
		delete(h.tabs, tab)
		close(tab)
	}
}

// ServeHTTP is a stream of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tab := h.join()
	defer h.leave(tab)
	stream := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, ": hello\n\n")
	alive := time.NewTicker(15 * time.Second)
	defer alive.Stop()
	for {
		_ = stream.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if stream.Flush() != nil {
			return
		}
		select {
		case data, open := <-tab:
			if !open {
				return
			}
			fmt.Fprintf(w, "data: %s\n\n", data)
		case <-alive.C:
			fmt.Fprint(w, ": still here\n\n")
		case <-r.Context().Done():
			return
		}
	}
}
