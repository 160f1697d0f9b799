package live

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/wangkuiyi/orrery/internal/pageguard"
)

// newToken is the secret in the page's address: 128 random bits.
func newToken() (string, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return hex.EncodeToString(b), nil
}

// A guard lets a request through only when it names this machine as its host,
// comes from no other site, and carries the token. The host check stops other
// sites that point their name at the loopback address; the token stops other
// users of the machine.
type guard struct {
	token  string
	cookie string          // its name; several pages may be open, cookies ignore ports
	hosts  map[string]bool // allowed values of the Host header
	next   http.Handler
}

func newGuard(token, address string, next http.Handler) (*guard, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return nil, errors.New("the live page listens on the loopback address only, not on " + address)
	}
	g := &guard{token: token, cookie: "orrery-" + port, hosts: map[string]bool{}, next: next}
	for _, name := range []string{host, "localhost"} {
		g.hosts[net.JoinHostPort(name, port)] = true
	}
	return g, nil
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pageguard.SetHeaders(w.Header(), "data:")
	if !g.hosts[strings.ToLower(r.Host)] {
		http.Error(w, "this address is not served here", http.StatusForbidden)
		return
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		http.Error(w, "requests from other sites are refused", http.StatusForbidden)
		return
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		// A link from elsewhere to the page itself would need the token, which it cannot know.
		http.Error(w, "requests from other sites are refused", http.StatusForbidden)
		return
	}
	if given := r.URL.Query().Get("token"); given != "" && r.Method == http.MethodGet && r.URL.Path == "/" {
		if !g.same(given) {
			http.Error(w, "wrong token; take the address that orrery watch printed", http.StatusUnauthorized)
			return
		}
		// The cookie takes the token over, so that it leaves the address bar and a reload works.
		http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: g.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	if c, err := r.Cookie(g.cookie); err != nil || !g.same(c.Value) {
		http.Error(w, "no token; take the address that orrery watch printed", http.StatusUnauthorized)
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *guard) same(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(g.token)) == 1
}
