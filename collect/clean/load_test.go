package clean

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowly keeps one connection busy with an unfinished request of a kind, a new one whenever the server ends it, until stop.
func slowly(kind int, host, token string, stop <-chan struct{}, ended *atomic.Int64) {
	head := fmt.Sprintf("Host: %s\r\nAuthorization: Bearer %s\r\n", host, token)
	for {
		connection, err := net.Dial("tcp", host)
		if err != nil {
			return // the test's own limit of open files
		}
		switch kind % 4 {
		case 0: // half a header
			fmt.Fprint(connection, "GET / HTTP/1.1\r\nHost: 127")
		case 1: // a body that never ends, with the token
			fmt.Fprintf(connection, "POST /api/step HTTP/1.1\r\n%sContent-Length: 1000\r\n\r\n{", head)
		case 2: // nothing at all
		case 3: // an answer that is not read
			fmt.Fprintf(connection, "GET /api/view HTTP/1.1\r\n%s\r\n", head)
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			if kind%4 == 3 {
				<-stop
				return
			}
			_, _ = io.Copy(io.Discard, connection)
		}()
		for waiting := true; waiting; {
			select {
			case <-stop:
				connection.Close()
				return
			case <-gone:
				ended.Add(1)
				waiting = false
			case <-time.After(time.Second):
				if kind%4 < 2 {
					fmt.Fprint(connection, "x") // a byte a second
				}
			}
		}
		connection.Close()
	}
}

// hundredth answers good requests for a while and returns how long the slowest of a hundred took.
func hundredth(t *testing.T, address, token string, lasting time.Duration) (p99 time.Duration, requests int) {
	t.Helper()
	var took []time.Duration
	for begun := time.Now(); time.Since(begun) < lasting; {
		for _, path := range []string{"/api/state", "/api/view", "/thumbnail/3"} {
			asked := time.Now()
			if status, answer := send(t, "GET", address+path, "", map[string]string{"Authorization": "Bearer " + token}); status != 200 {
				t.Fatalf("%s answered %d %.100s", path, status, answer)
			}
			took = append(took, time.Since(asked))
		}
	}
	slices.Sort(took)
	return took[len(took)*99/100], len(took)
}

// TestSlowSockets keeps connections that never finish a request or never read an answer; the page goes on answering and gets rid of them.
// With ORRERY_LONG 1,000 of them for a minute, and the slowest of a hundred good requests takes less than twice as long as without.
func TestSlowSockets(t *testing.T) {
	sockets, lasting, before := 200, 7*time.Second, time.Second
	if os.Getenv("ORRERY_LONG") != "" {
		sockets, lasting, before = 1000, time.Minute, 20*time.Second
	}
	address, token := serve(t, newSet(t, 300, "earth"), ServeOptions{})
	host := strings.TrimPrefix(address, "http://")
	hundredth(t, address, token, before/4) // thumbnails are made, connections warm
	alone, n := hundredth(t, address, token, before)
	stop := make(chan struct{})
	var ended atomic.Int64
	var working sync.WaitGroup
	for i := range sockets {
		working.Go(func() { slowly(i, host, token, stop, &ended) })
	}
	among, m := hundredth(t, address, token, lasting)
	close(stop)
	working.Wait()
	t.Logf("99th of 100: %v of %d requests alone, %v of %d among %d slow sockets; the server ended %d of those", alone, n, among, m, sockets, ended.Load())
	if ended.Load() == 0 {
		t.Error("connections that never finish a request stay open")
	}
	if os.Getenv("ORRERY_LONG") != "" && among > 2*alone {
		t.Errorf("good requests take %v among slow sockets, %v without", among, alone)
	}
}

// TestBodiesKeepMemoryFlat sends bodies far over the limit, with and without a length, and one that unpacks to a gigabyte.
func TestBodiesKeepMemoryFlat(t *testing.T) {
	address, token := serve(t, newSet(t, 1, "earth"), ServeOptions{})
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	for range 256 {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	w.Close()
	post := func(body io.Reader, length int64, encoding string) int {
		request, err := http.NewRequest("POST", address+"/api/step", body)
		if err != nil {
			t.Fatal(err)
		}
		request.ContentLength = length
		request.Header.Set("Authorization", "Bearer "+token)
		if encoding != "" {
			request.Header.Set("Content-Encoding", encoding)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0 // ended while the body was still on its way
		}
		response.Body.Close()
		return response.StatusCode
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	before := stats.HeapSys
	const far = 24 << 20
	for range 3 {
		for _, one := range []struct {
			length   int64
			encoding string
			body     io.Reader
			want     int
		}{
			{far, "", io.LimitReader(zeros{}, far), 413}, {-1, "", io.LimitReader(zeros{}, far), 413}, {int64(bomb.Len()), "gzip", bytes.NewReader(bomb.Bytes()), 413},
		} {
			if status := post(one.body, one.length, one.encoding); status != one.want && status != 0 {
				t.Errorf("a body of %d bytes, encoding %q, answered %d, want %d", one.length, one.encoding, status, one.want)
			}
		}
	}
	runtime.ReadMemStats(&stats)
	if grown := int64(stats.HeapSys) - int64(before); grown > 48<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	if status, _ := send(t, "GET", address+"/api/state", "", map[string]string{"Authorization": "Bearer " + token}); status != 200 {
		t.Errorf("afterwards the page answers %d", status)
	}
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
