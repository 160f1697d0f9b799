package serve

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"

	"github.com/wangkuiyi/orrery/internal/pageguard"
)

// cookie holds the token for the page's own requests.
const cookie = "orrery-serve"

// guarded lets through what addresses the server by a name of its own, comes
// from no page of another site and carries the token, where one is asked for.
// Whoever asks /healthz needs no token: it tells nothing.
func guarded(o Options, next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	inner := origin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pageguard.SetHeaders(w.Header(), "blob:", "data:") // the pictures it was given
		foreign := r.Header.Get("Origin") != "" && r.Header.Get("Origin") != "http://"+r.Host && r.Header.Get("Origin") != "https://"+r.Host
		switch {
		case !o.isOwn(r.Host):
			refuse(w, http.StatusForbidden, "this server does not answer to that name; see --host")
		case foreign: // also a GET, which CrossOriginProtection lets pass
			refuse(w, http.StatusForbidden, "requests from other sites are refused")
		case r.URL.Path != "/healthz" && !o.knows(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, http.StatusUnauthorized, "the token is missing or wrong; send it as: Authorization: Bearer TOKEN")
		case o.Token != "" && r.URL.Path == "/" && r.URL.Query().Has("token"):
			// The cookie takes over, so that the token leaves the address bar.
			http.SetCookie(w, &http.Cookie{Name: cookie, Value: o.Token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			http.Redirect(w, r, "/", http.StatusSeeOther)
		default:
			inner.ServeHTTP(w, r)
		}
	})
}

// isOwn tells whether a Host header names this server, so that no other name
// can be made to lead here (DNS rebinding). Ports may differ, as through a tunnel.
func (o Options) isOwn(host string) bool {
	host = pageguard.HostName(host)
	switch {
	case len(o.Hosts) > 0:
		return slices.Contains(o.Hosts, host)
	case o.Token != "":
		return true
	}
	return pageguard.IsLoopback(host)
}

// knows looks for the token in an Authorization header, the page's address and its cookie.
func (o Options) knows(r *http.Request) bool {
	if o.Token == "" {
		return true
	}
	var given string
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		given = bearer
	} else if r.Method == http.MethodGet && r.URL.Path == "/" && r.URL.Query().Has("token") {
		given = r.URL.Query().Get("token")
	} else if c, err := r.Cookie(cookie); err == nil {
		given = c.Value
	}
	return subtle.ConstantTimeCompare([]byte(given), []byte(o.Token)) == 1
}
