// Package pageguard is what the pages that Orrery serves to a browser have in common.
package pageguard

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// SetHeaders lets a page load its own files, show pictures of its own and of those sources ("blob:", "data:"), and
// nothing else, keeps it out of other sites' pages, and out of caches.
func SetHeaders(h http.Header, pictures ...string) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src "+strings.Join(append([]string{"'self'"}, pictures...), " ")+
		"; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// HostName is the name in a Host header, without its port, in small letters.
func HostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// IsLoopback tells whether a host, without its port, is this machine's loopback address.
func IsLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
