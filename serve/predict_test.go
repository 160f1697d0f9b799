package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/png"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

// expected is what the run makes of a file, without a server.
func expected(t *testing.T, files ...[]byte) []trainer.Prediction {
	t.Helper()
	saved, err := trainer.OpenSaved(run, "cpu")
	if err != nil {
		t.Fatal(err)
	}
	defer saved.Close()
	var list []trainer.Prediction
	for _, f := range files {
		picture, err := data.Decode(f, saved.Recipe.DecodeOptions())
		if err != nil {
			t.Fatal(err)
		}
		p, err := saved.Predict("", picture)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

func TestPredictIsTheRuns(t *testing.T) {
	content := square(2, 99)
	want := expected(t, content)[0]
	w := post(newServer(t, Options{}), "/predict?top=2", content)
	got := decode[Answer](t, w.Body.Bytes())
	if w.Code != http.StatusOK || got.Class != want.Class || got.Probability != want.Probability || len(got.Top) != 2 || got.Top[1] != want.Top[1] {
		t.Errorf("status %d, %+v; want %+v", w.Code, got, want)
	}
}

// TestEveryAnswerIsItsOwnPictures asks for 120 pictures at once, through batches of all sizes.
func TestEveryAnswerIsItsOwnPictures(t *testing.T) {
	var files [][]byte
	for i := range 120 {
		files = append(files, square(i%3, uint64(1000+i)))
	}
	want := expected(t, files...)
	s := newSlowServer(t, Options{MaxBatch: 7}, 2*time.Millisecond)
	var wait sync.WaitGroup
	for i, f := range files {
		wait.Go(func() {
			w := post(s, "/predict", f)
			got := decode[Answer](t, w.Body.Bytes())
			if w.Code != http.StatusOK || got.Class != want[i].Class || math.Abs(got.Probability-want[i].Probability) > 1e-6 {
				t.Errorf("picture %d: status %d, %s %v; want %s %v", i, w.Code, got.Class, got.Probability, want[i].Class, want[i].Probability)
			}
		})
	}
	wait.Wait()
	if n := s.works.onTheWay.Load(); n != 0 {
		t.Errorf("%d pictures are still on their way", n)
	}
	if n := s.memory.used.Load(); n != 0 {
		t.Errorf("%d bytes are still held", n)
	}
}

func TestForm(t *testing.T) {
	s := newServer(t, Options{MaxFiles: 3})
	w := do(s, form(t, "/predict", file{"a.png", square(0, 1)}, file{"<b>.html", []byte("<html>")}, file{"c.png", square(2, 1)}))
	got := decode[[]Answer](t, w.Body.Bytes())
	if w.Code != http.StatusOK || len(got) != 3 || got[0].Name != "a.png" || got[0].Class == "" || got[1].Error == "" || got[1].Class != "" || got[2].Name != "c.png" {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	four := make([]file, 4)
	for i := range four {
		four[i] = file{"x.png", square(1, 1)}
	}
	if w := do(s, form(t, "/predict", four...)); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("four files where three are taken: status %d", w.Code)
	}
	// A form with an address and no file: nobody fetches it.
	if w := do(s, form(t, "/predict")); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "no file") {
		t.Errorf("no file: status %d, %s", w.Code, w.Body)
	}
}

// claim is a PNG file whose header claims a size; there are no pixels behind it.
func claim(width, height uint32) []byte {
	header := []byte("IHDR")
	header = binary.BigEndian.AppendUint32(header, width)
	header = binary.BigEndian.AppendUint32(header, height)
	header = append(header, 8, 2, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n"), 0, 0, 0, 13)
	b = append(b, header...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(header))
}

// tiny is a PNG file of one pixel.
func tiny(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBadRequests(t *testing.T) {
	s := newServer(t, Options{MaxBytes: 64 << 10})
	half := square(1, 1)
	half = half[:len(half)/2]
	huge := claim(20000, 20000)
	huge = append(huge, make([]byte, 60<<10)...) // or it would be refused as a stump
	for name, c := range map[string]struct {
		content []byte
		status  int
		words   string
	}{
		"one pixel":     {tiny(t), http.StatusOK, `"class"`},
		"nothing":       {nil, http.StatusBadRequest, "no body"},
		"a page":        {[]byte("<html>hello</html>"), http.StatusBadRequest, "error"},
		"half a file":   {half, http.StatusBadRequest, "error"},
		"20,000x20,000": {huge, http.StatusBadRequest, "20000x20000"},
		"too large":     {make([]byte, 65<<10), http.StatusRequestEntityTooLarge, "65536 bytes"},
	} {
		w := post(s, "/predict", c.content)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.words) || strings.Count(w.Body.String(), "\n") != 1 {
			t.Errorf("%s: status %d, %s; want %d with %q in one line", name, w.Code, w.Body, c.status, c.words)
		}
	}
	endless := request("POST", "/predict", bytes.NewReader(make([]byte, 200<<10)))
	endless.ContentLength = -1 // as with chunks
	if w := do(s, endless); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a chunked body over the limit: status %d", w.Code)
	}
	packed := request("POST", "/predict", bytes.NewReader(square(0, 1)))
	packed.Header.Set("Content-Encoding", "gzip")
	if w := do(s, packed); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("gzip: status %d", w.Code)
	}
	for _, top := range []string{"0", "-1", "many"} {
		if w := post(s, "/predict?top="+top, square(0, 1)); w.Code != http.StatusBadRequest {
			t.Errorf("top=%s: status %d", top, w.Code)
		}
	}
	if w := do(s, request("GET", "/predict", nil)); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET /predict: status %d", w.Code)
	}
	if n := s.memory.used.Load() + s.works.onTheWay.Load(); n != 0 {
		t.Errorf("%d bytes and pictures are still held", n)
	}
}

func TestMemoryOfAllBodiesIsBounded(t *testing.T) {
	s := newServer(t, Options{MaxMemory: 8 << 10})
	if w := post(s, "/predict", make([]byte, 9<<10)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", w.Code)
	}
	if w := post(s, "/predict", square(0, 1)); w.Code != http.StatusOK {
		t.Errorf("afterwards: status %d, %s", w.Code, w.Body)
	}
}

// TestOverload sends more than may wait: each request is answered rightly or refused with 429, at once.
func TestOverload(t *testing.T) {
	files := [][]byte{square(0, 5), square(1, 5), square(2, 5)}
	want := expected(t, files...)
	s := newSlowServer(t, Options{Queue: 6, MaxBatch: 2}, 100*time.Millisecond)
	var mutex sync.Mutex
	statuses := map[int]int{}
	var wait sync.WaitGroup
	for i := range 60 {
		wait.Go(func() {
			w := post(s, "/predict", files[i%3])
			mutex.Lock()
			defer mutex.Unlock()
			statuses[w.Code]++
			if w.Code == http.StatusOK {
				if got := decode[Answer](t, w.Body.Bytes()); math.Abs(got.Probability-want[i%3].Probability) > 1e-6 {
					t.Errorf("an answer of %v, want %v", got.Probability, want[i%3].Probability)
				}
			} else if w.Header().Get("Retry-After") == "" {
				t.Errorf("status %d without Retry-After", w.Code)
			}
		})
	}
	wait.Wait()
	if statuses[200] < 6 || statuses[429] == 0 || statuses[200]+statuses[429] != 60 {
		t.Errorf("statuses %v; want at least 6 of 200, the others 429", statuses)
	}
	seven := make([]file, 7)
	for i := range seven {
		seven[i] = file{"picture.png", files[0]}
	}
	if w := do(s, form(t, "/predict", seven...)); w.Code != http.StatusTooManyRequests {
		t.Errorf("a form with more pictures than may wait: status %d, want 429", w.Code)
	}
}

func TestPatienceEnds(t *testing.T) {
	s := newSlowServer(t, Options{MaxBatch: 1, Patience: 150 * time.Millisecond}, 100*time.Millisecond)
	var wait sync.WaitGroup
	answers := make([]*httptest.ResponseRecorder, 8)
	for i := range answers {
		wait.Go(func() { answers[i] = post(s, "/predict", square(0, 1)) })
	}
	wait.Wait()
	late := 0
	for _, w := range answers {
		if w.Code == http.StatusServiceUnavailable {
			late++
		} else if w.Code != http.StatusOK {
			t.Errorf("status %d", w.Code)
		}
	}
	if late == 0 {
		t.Error("8 pictures of 100 ms each were answered within 150 ms")
	}
}

func TestExplain(t *testing.T) {
	s := newServer(t, Options{})
	w := post(s, "/explain", square(0, 1))
	got := decode[Explanation](t, w.Body.Bytes())
	if w.Code != http.StatusOK || got.Class == "" {
		t.Fatalf("status %d: %.200s", w.Code, w.Body)
	}
	for what, url := range map[string]string{"picture": got.Picture, "heat": got.Heat} {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(url, "data:image/png;base64,"))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		m, err := png.Decode(bytes.NewReader(raw))
		if err != nil || m.Bounds().Dx() != 32 || m.Bounds().Dy() != 32 {
			t.Errorf("%s: %v, %v; want 32x32 pixels", what, m, err)
		}
	}
	if w := post(s, "/explain", []byte("no picture")); w.Code != http.StatusBadRequest {
		t.Errorf("no picture: status %d", w.Code)
	}
}

func TestMetricsAndAbout(t *testing.T) {
	s := newServer(t, Options{})
	post(s, "/predict", square(0, 1))
	post(s, "/predict", []byte("no picture"))
	text := do(s, request("GET", "/metrics", nil)).Body.String()
	for _, line := range []string{
		`orrery_requests_total{code="200",route="predict"} 1`, `orrery_requests_total{code="400",route="predict"} 1`,
		`orrery_pictures_total{outcome="answered"} 1`, `orrery_pictures_total{outcome="bad"} 1`,
		`orrery_batch_pictures_count 1`, `orrery_pictures_on_the_way 0`, "go_goroutines",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
	about := decode[About](t, do(s, request("GET", "/about", nil)).Body.Bytes())
	if fmt.Sprint(about) != "{squares cnn8 [blue green red] 32}" {
		t.Errorf("about: %+v", about)
	}
	page := do(s, request("GET", "/", nil))
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "What is on the picture?") {
		t.Errorf("the page: status %d", page.Code)
	}
}

func TestOpenRefusesWhatIsNoRun(t *testing.T) {
	if _, err := Open(t.TempDir(), "cpu", Options{}); err == nil || !strings.Contains(err.Error(), "not a finished run") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(run); err != nil {
		t.Error(err)
	}
}

func FuzzPredict(f *testing.F) {
	s := newServer(f, Options{MaxPixels: 1 << 20})
	for class := range 3 {
		f.Add(square(class, 1))
	}
	f.Add(claim(20000, 20000))
	f.Add([]byte("GIF89a\xff\xff\xff\xff\x80\x00\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		w := post(s, "/predict", content)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
