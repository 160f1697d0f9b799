package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
	"github.com/wangkuiyi/orrery/trainer"
)

// run is the folder of a run that TestMain trained: noisy squares of three colours.
var run string

var classes = []string{"blue", "green", "red"}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "orrery-serve-")
	if err == nil {
		run = filepath.Join(dir, "squares")
		err = train(filepath.Join(dir, "pictures"), run)
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func train(pictures, run string) error {
	for class, name := range classes {
		folder := filepath.Join(pictures, name)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		for i := range 16 {
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%02d.png", i)), square(class, uint64(i)), 0o644); err != nil {
				return err
			}
		}
	}
	recipe := trainer.Article()
	recipe.Size, recipe.ItemSize, recipe.BatchSize, recipe.Epochs, recipe.Threads, recipe.Workers = 32, 40, 8, 2, 1, 2
	set, err := data.Open(context.Background(), pictures, data.Options{})
	if err != nil {
		return err
	}
	defer set.Close()
	folder, err := trainer.NewRun(run, recipe)
	if err != nil {
		return err
	}
	defer folder.Close()
	_, err = trainer.Fit(context.Background(), recipe, set, trainer.Options{
		Run: folder, Pictures: data.NewCache(set, 0), Log: slog.New(slog.DiscardHandler), Started: time.Now(),
	})
	return err
}

// square is a PNG file of 48x40 noisy pixels of a class's colour.
func square(class int, seed uint64) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, testdata.Noisy(rand.New(rand.NewPCG(seed, uint64(class))), 48, 40, class)) // a Buffer takes every write
	return b.Bytes()
}

// newServer makes a server of the run, closed with the test.
func newServer(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Open(run, "cpu", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// A slow model takes its time for each batch.
type slow struct {
	*trainer.Saved
	delay time.Duration
}

func (s slow) Logits(pixels []float32, n int) ([]float32, error) {
	time.Sleep(s.delay)
	return s.Saved.Logits(pixels, n)
}

func newSlowServer(t *testing.T, o Options, delay time.Duration) *Server {
	t.Helper()
	s, err := open(o, func() (model, About, data.DecodeOptions, error) {
		saved, err := trainer.OpenSaved(run, "cpu")
		if err != nil {
			return nil, About{}, data.DecodeOptions{}, err
		}
		return slow{saved, delay}, About{Classes: classes}, saved.Recipe.DecodeOptions(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// request makes a request to this machine.
func request(method, path string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, path, body)
	r.Host = "127.0.0.1:8000"
	return r
}

// do answers a request without a network.
func do(s *Server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func post(s *Server, path string, content []byte) *httptest.ResponseRecorder {
	return do(s, request("POST", path, bytes.NewReader(content)))
}

// form is a multipart request with the files, in order.
func form(t *testing.T, path string, files ...file) *http.Request {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.WriteField("url", "http://127.0.0.1:1/picture.png"); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		part, err := w.CreateFormFile("file", f.name)
		if err == nil {
			_, err = part.Write(f.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	r := request("POST", path, &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	return r
}

func decode[T any](t *testing.T, body []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}
