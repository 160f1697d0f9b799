package live

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every route refuses foreign hosts, foreign origins and those without the token, and changes nothing.
func TestGuard(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	startRun(t, dir)
	s := open(t, dir)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(plain.CloseIdleConnections)
	routes := []string{"GET /", "GET /style.css", "GET /live.js", "GET /events?run=.", "GET /picture?run=.&name=batch.png", "GET /layer?run=.&index=0",
		"POST /stop?run=.", "POST /note?run=.", "GET /none", "DELETE /"}
	for _, route := range routes {
		method, path, _ := strings.Cut(route, " ")
		for _, c := range []struct {
			name   string
			change func(r *http.Request)
			want   int
		}{
			{"no token", func(r *http.Request) { r.Header.Del("Cookie") }, 401},
			{"wrong token", func(r *http.Request) { r.Header.Set("Cookie", "orrery-"+port+"=0123") }, 401},
			{"token of another port", func(r *http.Request) { r.Header.Set("Cookie", "orrery-1="+s.token) }, 401},
			{"foreign host", func(r *http.Request) { r.Host = "evil.example" }, 403},
			{"rebound host", func(r *http.Request) { r.Host = "evil.example:" + port }, 403},
			{"no port", func(r *http.Request) { r.Host = "127.0.0.1" }, 403},
			{"foreign origin", func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
			{"null origin", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
			{"other port's origin", func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") }, 403},
			{"cross-site", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
			{"same-site", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
		} {
			r, err := http.NewRequest(method, s.base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Cookie", "orrery-"+port+"="+s.token)
			c.change(r)
			reply, err := plain.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			reply.Body.Close()
			if reply.StatusCode != c.want {
				t.Errorf("%s with %s: %d, want %d", route, c.name, reply.StatusCode, c.want)
			}
			if csp := reply.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self';") {
				t.Errorf("%s: policy %q", route, csp)
			}
		}
	}
	reply, err := plain.Get(s.base + "/?token=00")
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if reply.StatusCode != 401 || len(reply.Cookies()) > 0 {
		t.Errorf("a wrong token in the address: %d, cookies %v", reply.StatusCode, reply.Cookies())
	}
	for _, name := range []string{"stop", "note.txt"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("a refused request wrote %s", name)
		}
	}
}

func TestServesLoopbackOnly(t *testing.T) {
	s, err := New(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer release(s)
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:80", "example.com:80", "nonsense"} {
		if err := s.Serve(context.Background(), address, nil); err == nil || !strings.Contains(err.Error(), "address") {
			t.Errorf("serving at %q: %v", address, err)
		}
	}
	if _, err := New(filepath.Join(t.TempDir(), "none"), Options{}); err == nil {
		t.Error("a missing folder is watched")
	}
}

// Not a byte from outside the folder, whatever the names.
func TestNoWayOut(t *testing.T) {
	outside := t.TempDir()
	put(t, outside, "secret.png", "\x89PNG secret")
	startRun(t, filepath.Join(outside, "other"))
	dir := t.TempDir()
	startRun(t, filepath.Join(dir, "run"))
	for from, to := range map[string]string{
		filepath.Join(dir, "link"):                     filepath.Join(outside, "other"),
		filepath.Join(dir, "run", "note.txt"):          filepath.Join(outside, "secret.png"),
		filepath.Join(dir, "run", "plots"):             outside,
		filepath.Join(dir, "run", "evaluation.json"):   "../../secret.png",
		filepath.Join(outside, "show-batch.png"):       "secret.png",
		filepath.Join(dir, "run", ".note.txt.tmp"):     filepath.Join(outside, "secret.png"),
		filepath.Join(dir, "run", "activations.npz"):   filepath.Join(outside, "secret.png"),
		filepath.Join(outside, "other", "plots-of-us"): dir,
	} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	for _, query := range []string{
		"/picture?run=run&name=show-batch.png", "/picture?run=run&name=..%2f..%2fsecret.png", "/picture?run=run&name=%2fetc%2fpasswd",
		"/picture?run=run&name=batch.png%00", "/picture?run=..&name=show-batch.png", "/picture?run=link&name=show-batch.png",
		"/picture?run=%2e%2e%2fother&name=show-batch.png", "/layer?run=run&index=0", "/layer?run=run&index=-1", "/picture?run=run%2f..%2frun&name=batch.png",
	} {
		reply, err := s.client.Get(s.base + query)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		if reply.StatusCode != 404 || strings.Contains(string(text), "secret") {
			t.Errorf("%s: %d %q", query, reply.StatusCode, text)
		}
	}
	if st := s.states(t, "run")(); strings.Contains(st.Note, "secret") || len(st.Pictures) > 0 {
		t.Errorf("the state holds what lies outside: %+v", st)
	}
	// Writing a note replaces the link and leaves what it points at alone.
	if code := s.post(t, "/note?run=run", "mine"); code != http.StatusNoContent {
		t.Errorf("note: %d", code)
	}
	if text, _ := os.ReadFile(filepath.Join(outside, "secret.png")); string(text) != "\x89PNG secret" {
		t.Errorf("the file outside became %q", text)
	}
}
