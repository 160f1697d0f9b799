package clean

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/wangkuiyi/orrery/internal/pageguard"
)

// guard lets through requests that come from the page it protects: to this machine by name or number, from no other origin, with
// the token.
type guard struct {
	token  string
	cookie string // its name; cookies know no ports, so it holds the port
	next   http.Handler
}

func newToken() string {
	random := make([]byte, 24)
	_, _ = rand.Read(random) // never fails, by its documentation
	return base64.RawURLEncoding.EncodeToString(random)
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pageguard.SetHeaders(w.Header())
	switch {
	case !isLocal(r.Host):
		http.Error(w, "this page answers only to the name of this machine", http.StatusForbidden)
	case !sameOrigin(r):
		http.Error(w, "this page answers only itself", http.StatusForbidden)
	case !g.knows(r):
		http.Error(w, "the address lacks its token; open the one that orrery clean printed", http.StatusUnauthorized)
	default:
		if r.URL.Path == "/" && r.URL.Query().Has("token") {
			http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		}
		g.next.ServeHTTP(w, r)
	}
}

// isLocal tells whether a Host header names this machine, so that no other name can be made to lead here (DNS rebinding).
// The port may be another one, as through an ssh tunnel.
func isLocal(host string) bool { return pageguard.IsLoopback(pageguard.HostName(host)) }

// sameOrigin refuses what a browser says was sent by a page of another origin.
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		// A link in a mail or notebook may open the page itself.
		if !(r.Method == http.MethodGet && r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document") {
			return false
		}
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == "http" && u.Host == r.Host
}

// knows looks for the token in the address of the page, in the cookie, and in an Authorization header, for scripts.
func (g *guard) knows(r *http.Request) bool {
	var given string
	bearer, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch cookie, err := r.Cookie(g.cookie); {
	case isBearer:
		given = bearer
	case r.URL.Path == "/" && r.Method == http.MethodGet && r.URL.Query().Has("token"):
		given = r.URL.Query().Get("token")
	case err == nil:
		given = cookie.Value
	}
	return subtle.ConstantTimeCompare([]byte(given), []byte(g.token)) == 1
}

// checkListen refuses to listen to other machines.
func checkListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q: %w; want one such as 127.0.0.1:8080", address, err)
	}
	if !isLocal(host) || host == "" {
		return fmt.Errorf("listen address %q: the page changes files and is for this machine only; from another one, use: ssh -L 8080:127.0.0.1:8080 this-machine", address)
	}
	return nil
}
