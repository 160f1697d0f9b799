package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// quick has waits short enough for tests.
var quick = Options{AllowPrivate: true, Wait: 5 * time.Millisecond, Grace: 200 * time.Millisecond}

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// reason returns the reason of a failed request, or "".
func reason(err error) string {
	if err == nil {
		return ""
	}
	word, _ := Reason(err)
	return word
}

func get(c *Client, address string) (string, error) {
	body, _, err := c.Text(context.Background(), Request{URL: address})
	return string(body), err
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"8.8.8.8": "public", "2606:4700::1111": "public", "93.184.216.34": "public", "64:ff9b::808:808": "public", "2002:808:808::": "public",
		"127.0.0.1": "private", "::1": "private", "10.1.2.3": "private", "::ffff:10.1.2.3": "private", "192.168.1.1": "private", "172.31.0.1": "private",
		"100.64.0.1": "private", "fc00::1": "private", "64:ff9b::a00:1": "private", "2002:a00:1::": "private", "::127.0.0.1": "private",
		"2001:0:0:0:0:0:80ff:fffe": "private", // Teredo of 127.0.0.1
		"169.254.169.254":          "never", "::ffff:169.254.169.254": "never", "0.0.0.0": "never", "::": "never", "224.0.0.1": "never", "255.255.255.255": "never",
		"fe80::1": "never", "ff02::1": "never", "192.0.2.1": "never", "fd00:ec2::254": "never", "100.100.100.200": "never", "64:ff9b::a9fe:a9fe": "never", "240.0.0.1": "never",
	} {
		address := netip.MustParseAddr(text)
		got := "public"
		if checkAddress(address, true) != nil {
			got = "never"
		} else if checkAddress(address, false) != nil {
			got = "private"
		}
		if got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func TestRedirectsAreChecked(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, map[string]string{"/metadata": "http://169.254.169.254/latest/", "/file": "file:///etc/passwd", "/user": "http://a:b@127.0.0.1/",
			"/round": "/round", "/gopher": "gopher://127.0.0.1/", "/nowhere": "http://"}[r.URL.Path], http.StatusFound)
	})
	c := New(quick)
	for path, want := range map[string]string{"/metadata": PrivateAddress, "/file": BadAddress, "/user": BadAddress, "/round": Unreachable, "/gopher": BadAddress, "/nowhere": BadAddress} {
		if _, err := get(c, server.URL+path); reason(err) != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	for _, address := range []string{"", "nonsense", "file:///etc/passwd", "ftp://example.org/a.jpg", "http:///a.jpg", "http://user@example.org/", "javascript:alert(1)",
		"http://example.org/" + strings.Repeat("a", 9000), "http://exa mple.org/", "//example.org/a.jpg"} {
		if u, err := CheckURL(address); err == nil {
			t.Errorf("%.60q is taken for %s", address, u)
		}
	}
	if u, err := CheckURL(" https://example.org/a b.jpg#top "); err != nil || u.String() != "https://example.org/a%20b.jpg" {
		t.Errorf("%v, %v", u, err)
	}
}

func TestAgain(t *testing.T) {
	var asked atomic.Int64
	var answers []int
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		n := int(asked.Add(1)) - 1
		if n < len(answers) {
			w.WriteHeader(answers[n])
			return
		}
		fmt.Fprint(w, "here")
	})
	for _, one := range []struct {
		answers []int
		reason  string
		asked   int64
	}{
		{nil, "", 1}, {[]int{503}, "", 2}, {[]int{429, 500, 502}, "", 4}, {[]int{503, 503, 503, 503}, "http_503", 4}, {[]int{404}, "http_404", 1},
		{[]int{403}, "http_403", 1}, {[]int{202}, "http_202", 1}, {[]int{418}, "http_418", 1}, {[]int{304}, "http_304", 1},
	} {
		answers = one.answers
		asked.Store(0)
		_, err := get(New(quick), server.URL)
		if reason(err) != one.reason || asked.Load() != one.asked {
			t.Errorf("%v: %v after %d requests, want %q after %d", one.answers, err, asked.Load(), one.reason, one.asked)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "x": 0, "1e9": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0, "99999999999999999999": 0} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
	var times []time.Time
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		times = append(times, time.Now())
		if len(times) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		}
		if r.URL.Path == "/long" {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	var waited time.Duration
	o := quick
	o.OnWait = func(_ string, wait time.Duration) { waited = wait }
	c := New(o)
	if _, err := get(c, server.URL); err != nil || times[1].Sub(times[0]) < time.Second || waited < time.Second {
		t.Errorf("%v: asked again after %v, want after 1 s", err, times[1].Sub(times[0]))
	}
	begun := time.Now()
	if _, err := get(c, server.URL+"/long"); reason(err) != "http_429" || time.Since(begun) > 10*time.Second {
		t.Errorf("told to wait an hour: %v after %v, want it given up", err, time.Since(begun))
	}
}

func TestPerHost(t *testing.T) {
	var busy, busiest atomic.Int64
	server := serve(t, func(http.ResponseWriter, *http.Request) {
		now := busy.Add(1)
		defer busy.Add(-1)
		for most := busiest.Load(); now > most && !busiest.CompareAndSwap(most, now); most = busiest.Load() {
		}
		time.Sleep(20 * time.Millisecond)
	})
	c := New(quick)
	done := make(chan error)
	for range 12 {
		go func() {
			_, err := get(c, server.URL)
			done <- err
		}()
	}
	for range 12 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := busiest.Load(); got != 3 {
		t.Errorf("%d requests at once, want 3", got)
	}
}

func TestDeadHostIsLeftAlone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	listener.Close()
	o := quick
	o.Attempts = 1
	c := New(o)
	for range downAfter {
		if _, err := get(c, address); reason(err) != Unreachable {
			t.Fatal(err)
		}
	}
	if _, err := get(c, address); err == nil || !strings.Contains(err.Error(), "in a row") {
		t.Errorf("%v, want the host given up", err)
	}
}

func picture(t *testing.T, o Options, address string) (Download, []byte, error) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "a"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, err := New(o).Picture(context.Background(), address, file)
	data, _ := os.ReadFile(file.Name())
	return got, data, err
}

var gif = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

func TestPicture(t *testing.T) {
	var asked atomic.Int64
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		switch r.URL.Path {
		case "/good":
			fmt.Fprint(w, gif)
		case "/moved":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/html":
			header.Set("Content-Type", "image/jpeg")
			fmt.Fprint(w, "<!DOCTYPE html><p>no")
		case "/svg":
			fmt.Fprint(w, `<svg xmlns="http://www.w3.org/2000/svg"/>`)
		case "/empty":
		case "/noai":
			header.Set("X-Robots-Tag", "noai")
			fmt.Fprint(w, gif)
		case "/noai-for-others":
			header.Set("X-Robots-Tag", "otherbot: noai, noindex")
			fmt.Fprint(w, gif)
		case "/noai-for-us":
			header.Add("X-Robots-Tag", "otherbot: all")
			header.Add("X-Robots-Tag", "Orrery: NoImageAI")
			fmt.Fprint(w, gif)
		case "/reserved":
			header.Set("TDM-Reservation", "1")
			fmt.Fprint(w, gif)
		case "/announced":
			header.Set("Content-Length", "1000000")
			fmt.Fprint(w, gif)
		case "/endless":
			for range 1000 {
				fmt.Fprint(w, gif+strings.Repeat("x", 1000))
			}
		case "/silent":
			fmt.Fprint(w, gif)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/slow":
			for range 100 {
				fmt.Fprint(w, "G")
				w.(http.Flusher).Flush()
				time.Sleep(20 * time.Millisecond)
			}
		case "/broken-once":
			if asked.Add(1) == 1 {
				header.Set("Content-Length", "900")
				fmt.Fprint(w, gif)
				return
			}
			fmt.Fprint(w, gif)
		}
	})
	o := quick
	o.MaxBytes = 50_000
	for path, want := range map[string]string{"/good": "", "/moved": "", "/broken-once": "", "/noai-for-others": "", "/html": NotAPicture, "/svg": NotAPicture, "/empty": NotAPicture, "/noai": NoAI,
		"/noai-for-us": NoAI, "/reserved": NoAI, "/announced": TooLarge, "/endless": TooLarge, "/silent": TooSlow, "/slow": TooSlow} {
		got, data, err := picture(t, o, server.URL+path)
		if reason(err) != want {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if want == "" && (string(data) != gif || got.Type != "image/gif" || got.Bytes != int64(len(gif)) || len(got.SHA256) != 64) {
			t.Errorf("%s: %+v, %q", path, got, data)
		}
		if len(data) > 1<<20 {
			t.Errorf("%s: %d bytes on disk", path, len(data))
		}
	}
}

// TestGzipBomb serves a small answer that unpacks to a gigabyte.
func TestGzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	chunk := make([]byte, 1<<20)
	for range 64 {
		_, _ = w.Write(chunk)
	}
	w.Close()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	body, err := get(New(quick), server.URL)
	if reason(err) != TooLarge || len(body) > maxAnswer+1 {
		t.Errorf("%v, %d bytes", err, len(body))
	}
}

func TestJSON(t *testing.T) {
	var asked atomic.Int64
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n := asked.Add(1); r.URL.Path == "/once" && n == 1 || r.URL.Path == "/always" {
			_, _ = io.WriteString(w, `{"a": [1, 2`)
			return
		}
		_, _ = io.WriteString(w, `{"a": [1, 2]}`)
	})
	var value struct{ A []int }
	if _, err := New(quick).JSON(context.Background(), Request{URL: server.URL + "/once"}, &value); err != nil || !cmp.Equal(value.A, []int{1, 2}) {
		t.Errorf("%v, %v", value, err)
	}
	if _, err := New(quick).JSON(context.Background(), Request{URL: server.URL + "/always"}, &value); reason(err) != BrokenAnswer {
		t.Errorf("%v, want %s", err, BrokenAnswer)
	}
}

func TestSniff(t *testing.T) {
	for head, want := range map[string]string{gif: "image/gif", "\xff\xd8\xff\xe0": "image/jpeg", "\x89PNG\r\n\x1a\n": "image/png", "BM\x00": "image/bmp", "RIFF\x00\x00\x00\x00WEBPVP8 ": "image/webp",
		"II*\x00": "image/tiff", "MM\x00*": "image/tiff", "\x00\x00\x00\x20ftypavif": "image/avif", "\x00\x00\x00\x20ftypheic": "image/heic", "": "text/plain", "<html>": "text/html"} {
		if got := Sniff([]byte(head)); got != want {
			t.Errorf("%q is %s, want %s", head, got, want)
		}
	}
}

func TestCancel(t *testing.T) {
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, _, err := New(quick).Text(ctx, Request{URL: server.URL})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}
