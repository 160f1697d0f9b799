// Command load sends pictures to a server and tells how it did, as one JSON
// object: for scripts/peers/serve_bench.py, which has it measure ours and a peer.
//
//	load -url http://127.0.0.1:8000/predict -seconds 10 -clients 16 PICTURE...     as fast as answers come
//	load -url http://127.0.0.1:8000/predict -seconds 60 -rate 400 PICTURE...       400 a second, whatever comes back
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// A tally is what came of the requests.
type tally struct {
	sync.Mutex
	latencies []float64      // seconds, of answers with status 200
	refusals  []float64      // seconds, of answers with 429 or 503
	statuses  map[string]int // by status; "error": no answer
	wrong     int            // answers that are another picture's
	answers   map[int]string // the first answer to each picture
}

// An answer is what both servers give back.
type answer struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
}

func main() {
	url := flag.String("url", "http://127.0.0.1:8000/predict", "where to send pictures")
	seconds := flag.Float64("seconds", 10, "how long")
	clients := flag.Int("clients", 16, "that send one picture after the other, without -rate")
	rate := flag.Float64("rate", 0, "requests a second, sent whatever comes back; 0: as answers come")
	flag.Parse()
	pictures := make([][]byte, flag.NArg())
	for i, path := range flag.Args() {
		var err error
		if pictures[i], err = os.ReadFile(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if len(pictures) == 0 {
		fmt.Fprintln(os.Stderr, "load: no pictures were named")
		os.Exit(2)
	}
	t := &tally{statuses: map[string]int{}, answers: map[int]string{}}
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4096}}
	length := time.Duration(*seconds * float64(time.Second))
	begin := time.Now()
	if *rate > 0 {
		openLoop(length, *rate, func(n int) { t.ask(client, *url, n%len(pictures), pictures) })
	} else {
		closedLoop(length, *clients, func(n int) { t.ask(client, *url, n%len(pictures), pictures) })
	}
	took := time.Since(begin).Seconds()
	out := map[string]any{
		"seconds": took, "requests": len(t.latencies), "requests_per_second": float64(len(t.latencies)) / took,
		"statuses": t.statuses, "wrong": t.wrong, "refusal_p99_ms": 1000 * quantile(t.refusals, 0.99),
	}
	for name, q := range map[string]float64{"p50_ms": 0.5, "p90_ms": 0.9, "p99_ms": 0.99, "max_ms": 1} {
		out[name] = 1000 * quantile(t.latencies, q)
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		os.Exit(1)
	}
}

// openLoop calls ask rate times a second, each on a goroutine of its own.
func openLoop(length time.Duration, rate float64, ask func(n int)) {
	var wait sync.WaitGroup
	begin := time.Now()
	for n := 0; ; n++ {
		at := begin.Add(time.Duration(float64(n) / rate * float64(time.Second)))
		if at.Sub(begin) > length {
			break
		}
		time.Sleep(time.Until(at))
		wait.Go(func() { ask(n) })
	}
	wait.Wait()
}

// closedLoop has each of the clients ask, wait for the answer and ask again.
func closedLoop(length time.Duration, clients int, ask func(n int)) {
	var wait sync.WaitGroup
	end := time.Now().Add(length)
	for c := range clients {
		wait.Go(func() {
			for n := c; time.Now().Before(end); n += clients {
				ask(n)
			}
		})
	}
	wait.Wait()
}

func (t *tally) ask(client *http.Client, url string, n int, pictures [][]byte) {
	begin := time.Now()
	r, err := client.Post(url, "image/jpeg", bytes.NewReader(pictures[n]))
	status, body := "error", []byte(nil)
	if err == nil {
		status = fmt.Sprint(r.StatusCode)
		body, err = io.ReadAll(r.Body)
		r.Body.Close()
	}
	took := time.Since(begin).Seconds()
	t.Lock()
	defer t.Unlock()
	if err != nil {
		status = "error"
	}
	t.statuses[status]++
	switch status {
	case "429", "503":
		t.refusals = append(t.refusals, took)
	case "200":
		t.latencies = append(t.latencies, took)
		var a answer
		if err := json.Unmarshal(body, &a); err != nil || a.Class == "" {
			t.wrong++
			return
		}
		// Batches of other sizes may round the last digits otherwise.
		got := fmt.Sprintf("%s %.3f", a.Class, a.Probability)
		if first, ok := t.answers[n]; !ok {
			t.answers[n] = got
		} else if first != got && !near(first, got) {
			t.wrong++
		}
	}
}

// near tells whether two answers are of one class and within a rounding step.
func near(a, b string) bool {
	var class1, class2 string
	var p1, p2 float64
	if _, err := fmt.Sscan(a, &class1, &p1); err != nil {
		return false
	}
	if _, err := fmt.Sscan(b, &class2, &p2); err != nil {
		return false
	}
	return class1 == class2 && p1-p2 < 0.0015 && p2-p1 < 0.0015
}

// quantile is that of the values; 0 of none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(int(q*float64(len(values))), len(values)-1)]
}
