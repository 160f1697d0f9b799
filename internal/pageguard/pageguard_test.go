package pageguard

import (
	"net/http"
	"strings"
	"testing"
)

func TestSetHeaders(t *testing.T) {
	for want, pictures := range map[string][]string{"img-src 'self';": nil, "img-src 'self' blob: data:;": {"blob:", "data:"}} {
		h := http.Header{}
		SetHeaders(h, pictures...)
		if policy := h.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") || !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
}

func TestHosts(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:80": true, "127.0.0.1": true, "127.8.9.1:8080": true, "[::1]:80": true, "[::1]": true,
		"example.org": false, "127.0.0.1.example.org:80": false, "10.0.0.1": false, "": false, "[::1": true,
	} {
		if got := IsLoopback(HostName(host)); got != want {
			t.Errorf("%q is this machine: %v, want %v", host, got, want)
		}
	}
}
