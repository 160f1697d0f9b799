package serve

import (
	"bytes"
	"net/http"
	"testing"
)

var routes = []struct{ method, path string }{
	{"GET", "/"}, {"GET", "/page.js"}, {"GET", "/about"}, {"GET", "/metrics"}, {"GET", "/healthz"}, {"POST", "/predict"}, {"POST", "/explain"}, {"GET", "/nowhere"},
}

// TestGuard asks every route as another site, under another name and without the token.
func TestGuard(t *testing.T) {
	plain, secret := newServer(t, Options{}), newServer(t, Options{Token: "secret"})
	for _, route := range routes {
		ask := func(s *Server, change func(r *http.Request)) int {
			r := request(route.method, route.path, bytes.NewReader(square(0, 1)))
			change(r)
			return do(s, r).Code
		}
		for what, c := range map[string]struct {
			server *Server
			change func(r *http.Request)
			status int
		}{
			"a foreign Host":   {plain, func(r *http.Request) { r.Host = "evil.example:8000" }, http.StatusForbidden},
			"an empty Host":    {plain, func(r *http.Request) { r.Host = "" }, http.StatusForbidden},
			"a foreign Origin": {plain, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, http.StatusForbidden},
			"no Origin":        {plain, func(r *http.Request) { r.Header.Set("Origin", "null") }, http.StatusForbidden},
			"no token":         {secret, func(*http.Request) {}, http.StatusUnauthorized},
			"a wrong token":    {secret, func(r *http.Request) { r.Header.Set("Authorization", "Bearer guess") }, http.StatusUnauthorized},
			"a wrong cookie":   {secret, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookie, Value: "guess"}) }, http.StatusUnauthorized},
			"token, other Origin": {secret, func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer secret")
				r.Header.Set("Origin", "http://evil.example")
			}, http.StatusForbidden},
		} {
			want := c.status
			if route.path == "/healthz" && want == http.StatusUnauthorized {
				want = http.StatusOK // whoever watches over the server has no token
			}
			if got := ask(c.server, c.change); got != want {
				t.Errorf("%s %s with %s: status %d, want %d", route.method, route.path, what, got, want)
			}
		}
		good := map[string]int{"/nowhere": http.StatusNotFound}[route.path]
		if good == 0 {
			good = http.StatusOK
		}
		for what, change := range map[string]func(r *http.Request){
			"the token":           func(r *http.Request) { r.Header.Set("Authorization", "Bearer secret") },
			"the cookie":          func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookie, Value: "secret"}) },
			"another Host, token": func(r *http.Request) { r.Host = "models.example"; r.Header.Set("Authorization", "Bearer secret") },
		} {
			if got := ask(secret, change); got != good {
				t.Errorf("%s %s with %s: status %d, want %d", route.method, route.path, what, got, good)
			}
		}
		if got := ask(plain, func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:8000") }); got != good {
			t.Errorf("%s %s from the page itself: status %d, want %d", route.method, route.path, got, good)
		}
	}
}

func TestTokenGoesIntoACookie(t *testing.T) {
	s := newServer(t, Options{Token: "secret"})
	w := do(s, request("GET", "/?token=secret", nil))
	cookies := w.Result().Cookies()
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/" || len(cookies) != 1 || cookies[0].Value != "secret" || !cookies[0].HttpOnly {
		t.Errorf("status %d, %v", w.Code, w.Header())
	}
	if w := do(s, request("GET", "/?token=guess", nil)); w.Code != http.StatusUnauthorized {
		t.Errorf("a wrong token in the address: status %d", w.Code)
	}
}

func TestNamedHosts(t *testing.T) {
	s := newServer(t, Options{Hosts: []string{"models.example"}})
	for host, want := range map[string]int{"models.example": 200, "MODELS.example:80": 200, "127.0.0.1": 403, "models.example.evil": 403} {
		r := request("GET", "/about", nil)
		r.Host = host
		if got := do(s, r).Code; got != want {
			t.Errorf("Host %s: status %d, want %d", host, got, want)
		}
	}
}

func TestFilesOutsideThePageAreNotServed(t *testing.T) {
	s := newServer(t, Options{})
	for _, path := range []string{"/..%2fserver.go", "/%2e%2e/server.go", "/page/index.html", "/index.html%00", "//etc/passwd", "/page.js/../../go.mod"} {
		r := request("GET", "/", nil)
		r.URL.Opaque = path
		r.URL.Path = path
		if w := do(s, r); w.Code == http.StatusOK {
			t.Errorf("%s: status 200, %.80s", path, w.Body)
		}
	}
}
