package clean

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// routes are all the page's, with a body for those that take one.
var routes = []struct{ method, path, body string }{
	{"GET", "/", ""}, {"GET", "/page.js", ""}, {"GET", "/page.css", ""}, {"GET", "/favicon.ico", ""}, {"GET", "/api/state", ""}, {"GET", "/api/view", ""},
	{"GET", "/api/events", ""}, {"GET", "/thumbnail/0", ""}, {"GET", "/picture/0", ""}, {"POST", "/api/step", `{"do":"trash","ids":[0]}`},
}

// send makes a request that says what it likes about where it comes from.
func send(t *testing.T, method, address, body string, header map[string]string) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		if name == "Host" {
			request.Host = value
		} else {
			request.Header.Set(name, value)
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.Header.Get("Content-Type") == "text/event-stream" {
		return response.StatusCode, ""
	}
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

func TestStrangersAreRefused(t *testing.T) {
	dir := newSet(t, 3, "earth")
	before := strings.Join(tree(t, dir), "\n")
	address, token := serve(t, dir, ServeOptions{})
	if !strings.HasPrefix(address, "http://127.0.0.1:") {
		t.Errorf("served at %s, want loopback", address)
	}
	good := "Bearer " + token
	for _, stranger := range []struct {
		what   string
		header map[string]string
		status int
	}{
		{"no token", nil, 401},
		{"empty token", map[string]string{"Authorization": "Bearer "}, 401},
		{"wrong token", map[string]string{"Authorization": good[:len(good)-1] + "_"}, 401},
		{"wrong cookie", map[string]string{"Cookie": "orrery-clean-" + address[len("http://127.0.0.1:"):] + "=x"}, 401},
		{"foreign host", map[string]string{"Authorization": good, "Host": "evil.example"}, 403},
		{"foreign host like ours", map[string]string{"Authorization": good, "Host": "127.0.0.1.evil.example"}, 403},
		{"other address", map[string]string{"Authorization": good, "Host": "192.168.1.4"}, 403},
		{"foreign origin", map[string]string{"Authorization": good, "Origin": "https://evil.example"}, 403},
		{"null origin", map[string]string{"Authorization": good, "Origin": "null"}, 403},
		{"origin of another port", map[string]string{"Authorization": good, "Origin": "http://127.0.0.1:1"}, 403},
		{"foreign site", map[string]string{"Authorization": good, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403},
	} {
		for _, route := range routes {
			if status, answer := send(t, route.method, address+route.path, route.body, stranger.header); status != stranger.status {
				t.Errorf("%s: %s %s answered %d %.60q, want %d", stranger.what, route.method, route.path, status, answer, stranger.status)
			}
		}
	}
	if after := strings.Join(tree(t, dir), "\n"); after != before {
		t.Errorf("strangers changed the set:\n%s", after)
	}
	for _, route := range routes {
		if status, _ := send(t, route.method, address+route.path, route.body, map[string]string{"Authorization": good}); status != 200 && status != 204 {
			t.Errorf("%s %s with the token answered %d", route.method, route.path, status)
		}
	}
}

func TestHeaders(t *testing.T) {
	address, token := serve(t, newSet(t, 1, "earth"), ServeOptions{})
	response, err := http.Get(address + "/?token=" + token)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for name, want := range map[string]string{"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if got := response.Header.Get(name); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", name, got, want)
		}
	}
	if policy := response.Header.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("policy %q is not strict", policy)
	}
	cookie := response.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %v can be read by scripts or sent from elsewhere", cookie)
	}
}

func TestOnlyLoopback(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.168.1.4:0", "example.org:80", "nonsense"} {
		if err := checkListen(listen); err == nil {
			t.Errorf("%s is listened to", listen)
		}
	}
	for _, listen := range []string{"127.0.0.1:0", "localhost:8080", "[::1]:0"} {
		if err := checkListen(listen); err != nil {
			t.Error(err)
		}
	}
}

// TestTraversal asks for files outside the set in many spellings, and through links inside it.
func TestTraversal(t *testing.T) {
	dir := newSet(t, 2, "earth")
	secret := filepath.Join(filepath.Dir(dir), "secret.jpg")
	write(t, secret, []byte("a secret"))
	write(t, filepath.Join(filepath.Dir(dir), "outside", "mars.jpg"), []byte("a secret"))
	for link, target := range map[string]string{"earth/link.jpg": secret, "venus": filepath.Join(filepath.Dir(dir), "outside"), "earth/up": "../.."} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	address, token := serve(t, dir, ServeOptions{})
	header := map[string]string{"Authorization": "Bearer " + token}
	_, view := send(t, "GET", address+"/api/view", "", header)
	if strings.Contains(view, "link.jpg") || strings.Contains(view, "secret") || strings.Contains(view, "mars.jpg") {
		t.Errorf("a link is shown: %s", view)
	}
	connection := strings.TrimPrefix(address, "http://")
	for _, path := range []string{"/picture/../../secret.jpg", "/picture/..%2f..%2fsecret.jpg", "/picture/%2e%2e/%2e%2e/secret.jpg", "/picture/0/../../../secret.jpg",
		"/..%2fsecret.jpg", "/%2e%2e%2fsecret.jpg", "/page/../../secret.jpg", "/picture/-1", "/picture/2", "/picture/99999999999999999999", "/picture/0%00", "/picture/secret.jpg",
		"/thumbnail/..%5c..%5csecret.jpg", "//etc/passwd", "/page.js/../../../etc/passwd", "/picture/1e0", "/picture/0x0", "/picture/%30%2f%2e%2e"} {
		answer := rawGet(t, connection, path, token)
		if strings.Contains(answer, "a secret") || strings.Contains(answer, "root:") || strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Errorf("%s answered %.80q", path, answer)
		}
	}
	for _, to := range []string{"..", "../outside", "/elsewhere", ".trash", ".orrery", "a/b", `a\b`, "", "a\x00b", "a\nb", strings.Repeat("a", 200), "venus"} {
		body, _ := json.Marshal(Step{Do: "move", IDs: []int{0}, To: to})
		if status, answer := send(t, "POST", address+"/api/step", string(body), header); status < 400 {
			t.Errorf("moved to %q: %d %s", to, status, answer)
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(filepath.Dir(dir), "outside")); len(entries) != 1 {
		t.Errorf("something was moved outside: %v", entries)
	}
}

// rawGet sends a path exactly as it is spelled.
func rawGet(t *testing.T, host, path, token string) string {
	t.Helper()
	connection, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", path, host, token)
	answer, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestBodies(t *testing.T) {
	address, token := serve(t, newSet(t, 1, "earth"), ServeOptions{})
	header := map[string]string{"Authorization": "Bearer " + token}
	for _, one := range []struct {
		body   string
		status int
	}{
		{strings.Repeat("a", maxBody+1), 413}, {`{"do":"trash","ids":[` + strings.Repeat("0,", maxBody/2) + `0]}`, 413}, {"", 400}, {"[]", 400}, {`{"do":"trash","ids":[-1]}`, 409},
		{`{"do":"trash","ids":[7]}`, 409}, {`{"do":"explode"}`, 409}, {`{"do":"trash","files":["earth/001.jpg"]}`, 400}, {`{"do":"undo"}`, 409},
	} {
		if status, answer := send(t, "POST", address+"/api/step", one.body, header); status != one.status {
			t.Errorf("%.40q answered %d %s, want %d", one.body, status, answer, one.status)
		}
	}
	// Chunked, without a length.
	request, _ := http.NewRequest("POST", address+"/api/step", io.MultiReader(bytes.NewReader(make([]byte, maxBody)), strings.NewReader("more")))
	request.Header.Set("Authorization", "Bearer "+token)
	request.ContentLength = -1
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 413 {
		t.Errorf("a chunked body over the limit answered %d, want 413", response.StatusCode)
	}
}
