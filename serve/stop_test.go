package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestStopLosesNoRequest ends a server under load from clients that connect anew
// for each request: each that gets a connection gets an answer, and nothing of
// the server is left. Where the kernel takes no filter, a connection of the last
// moment may be reset.
func TestStopLosesNoRequest(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := newStoppable(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	picture := square(0, 1)
	filters := takesFilters(t)
	var answered, refused, lost atomic.Int64
	var clients sync.WaitGroup
	for range 12 {
		clients.Go(func() {
			for {
				r, err := client.Post("http://"+listener.Addr().String()+"/predict", "image/png", bytes.NewReader(picture))
				var dial *net.OpError
				switch {
				case err == nil && r.StatusCode == http.StatusOK:
					answered.Add(1)
				case err == nil:
					t.Errorf("status %d", r.StatusCode)
				case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &dial) && dial.Op == "dial":
					refused.Add(1)
					return
				case !filters && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) ||
					errors.Is(err, net.ErrClosed)): // the transport closes what was reset, at times under the write
					refused.Add(1)
					return
				default:
					lost.Add(1)
					t.Errorf("lost: %v", err)
					return
				}
				if r != nil {
					r.Body.Close()
				}
			}
		})
	}
	for answered.Load() < 30 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	clients.Wait()
	if lost.Load() != 0 || refused.Load() != 12 {
		t.Errorf("%d answered, %d lost, %d refused; want none lost and each of 12 clients refused in the end", answered.Load(), lost.Load(), refused.Load())
	}
	s.Close()
	goleak.VerifyNone(t, before)
}

// takesFilters reports whether the kernel can hold connections off.
func takesFilters(t *testing.T) bool {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = refuseSYN(l.(*net.TCPListener))
	if err != nil {
		t.Log("this kernel takes no socket filter: ", err)
	}
	return err == nil
}

// newStoppable is a server that the test closes itself.
func newStoppable(t *testing.T) *Server {
	t.Helper()
	s, err := Open(run, "cpu", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHealthEndsFirst(t *testing.T) {
	s := newServer(t, Options{})
	if w := do(s, request("GET", "/healthz", nil)); w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
	s.stopping.Store(true)
	if w := do(s, request("GET", "/healthz", nil)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("while stopping: status %d", w.Code)
	}
}

// TestStopCutsOffWhatHangs has a request that never ends.
func TestStopCutsOffWhatHangs(t *testing.T) {
	s := newServer(t, Options{Grace: 100 * time.Millisecond})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, listener) }()
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nhalf")); err != nil {
		t.Fatal(err)
	}
	for s.memory.used.Load() == 0 { // until its body is being read
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-served; err == nil {
		t.Error("a request was cut off and nothing said so")
	}
}
