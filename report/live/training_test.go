package live

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wangkuiyi/orrery/internal/browser"
)

// photoClasses are names that would run as a script if the page took them for markup.
var photoClasses = []string{`<img src=x onerror="document.title='owned'">`, `<script>`}

// A process is a training by the binary that $ORRERY_BIN names.
type process struct {
	command *exec.Cmd
	ended   chan error
	dir     string // the run folder
}

// startTraining trains on drawn photos into runs/discs.
func startTraining(t *testing.T, runs string, flags ...string) *process {
	t.Helper()
	binary := os.Getenv("ORRERY_BIN")
	if binary == "" {
		t.Skip("set ORRERY_BIN to the orrery binary, as scripts/check/test.sh does, to watch a real training")
	}
	photos := t.TempDir()
	drawPhotos(t, photos)
	p := &process{dir: filepath.Join(runs, "discs"), ended: make(chan error, 1)}
	p.command = exec.Command(binary, append([]string{"train", photos, "--store", "off", "-o", p.dir}, flags...)...)
	printed, err := os.Create(filepath.Join(t.TempDir(), "printed"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(printed.Name()); t.Failed() && err == nil {
			t.Logf("%s", text)
		}
		release(printed)
	})
	p.command.Stdout, p.command.Stderr = printed, printed
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	finished := make(chan struct{})
	go func() { p.ended <- p.command.Wait(); close(finished) }()
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // it has ended by then unless the test failed
		<-finished
	})
	return p
}

// checkInert looks for traces of the classes' names as markup.
func checkInert(t *testing.T, tab *browser.Tab) {
	t.Helper()
	if got := browser.Eval[string](t, tab, "document.title"); got != "discs · Orrery" {
		t.Errorf("title is %q: a class name ran as a script", got)
	}
	if n := browser.Eval[int](t, tab, `document.scripts.length + document.querySelectorAll("img[src=x]").length`); n != 1 {
		t.Errorf("%d scripts and pictures that are not ours, want 1, the page's own script", n)
	}
}

const allPicturesShown = `[...document.images].length > 0 && [...document.images].every(i => i.complete && i.naturalWidth > 0)`

func TestLivePageDuringTraining(t *testing.T) {
	runs := t.TempDir()
	s := open(t, runs)
	tab := browser.Open(t)
	tab.Do(t, chromedp.Navigate(s.address))
	tab.Until(t, `document.getElementById("title").textContent === "Waiting for a run"`)
	training := startTraining(t, runs, "--epochs", "3", "-b", "8", "--item-size", "96", "--size", "64")
	tab.Until(t, `document.getElementById("title").textContent === "discs"`)
	tab.Until(t, `document.querySelectorAll("#epochs tbody tr").length >= 1`)
	if err := <-training.ended; err != nil {
		t.Fatal(err)
	}
	tab.Until(t, `document.getElementById("status").textContent === "finished" && document.querySelectorAll("#epochs tbody tr").length === 3`)
	tab.Until(t, `document.querySelectorAll("#confusion tbody tr").length === 2 && `+allPicturesShown)
	checkValues(t, tab, training.dir)
	if got := browser.Eval[[]string](t, tab, `[...document.querySelectorAll("#confusion tbody th")].map(h => h.textContent)`); !slices.Equal(got, photoClasses) {
		t.Errorf("the confusion matrix is of %q, want %q", got, photoClasses)
	}
	checkInert(t, tab)
	if got := tab.Problems(); len(got) != 0 {
		t.Errorf("script errors: %q", got)
	}
	tab.Screenshot(t, "live-finished")
}

// Everything that the page does while a run goes on, up to its stop button.
func TestLivePageStopsATraining(t *testing.T) {
	runs := t.TempDir()
	s := open(t, runs)
	tab := browser.Open(t)
	tab.Size(t, 1440, 900)
	tab.Do(t, chromedp.Navigate(s.address))
	training := startTraining(t, runs, "--epochs", "100000", "-b", "8", "--item-size", "96", "--size", "64", "--activations", "--save-every", "never")
	tab.Until(t, `document.getElementById("status").textContent === "running" && document.querySelectorAll("#epochs tbody tr").length >= 2`)
	tab.Until(t, `document.querySelectorAll("#layers img").length === 15 && document.querySelector("#pictures img[alt='The batch under way']")`)
	tab.Until(t, allPicturesShown)
	if got := browser.Eval[string](t, tab, `document.getElementById("where").textContent`); !strings.Contains(got, " of 100000 · step ") || !strings.Contains(got, " of 800000 · about ") {
		t.Errorf("progress reads %q", got)
	}
	if got := browser.Eval[[]string](t, tab, `[...document.querySelectorAll(".gauge")].map(g => g.firstChild.textContent.split(" ")[0])`); len(got) < 2 || got[0] != "CPU" || got[1] != "memory" {
		t.Errorf("gauges %q", got)
	}
	checkValues(t, tab, training.dir)
	checkInert(t, tab)
	checkWidths(t, tab, "live-running")
	tab.Scheme(t, "dark")
	checkWidths(t, tab, "live-running-dark")

	const last = `orreryCharts.live.get("loss").plot.data[0].at(-1)`
	seen := browser.Eval[int](t, tab, last)
	tab.Until(t, fmt.Sprintf(`%s > %d`, last, seen))
	tab.Do(t, chromedp.Reload())
	tab.Until(t, fmt.Sprintf(`orreryCharts.live.get("loss") && %s > %d && document.getElementById("title").textContent === "discs"`, last, seen))

	tab.Do(t, chromedp.SendKeys(chromedp.CSS("#note"), "discs, stopped by hand"))
	tab.Until(t, `document.getElementById("noted").textContent === "Saved."`)
	if note, err := os.ReadFile(filepath.Join(training.dir, "note.txt")); string(note) != "discs, stopped by hand" {
		t.Errorf("the note is %q, %v", note, err)
	}

	tab.Click(t, "#stop")
	tab.Click(t, "#stop")
	var exit *exec.ExitError
	if err := <-training.ended; !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("the training ended with %v, want exit code 130", err)
	}
	steps := len(records(t, filepath.Join(training.dir, "steps.csv")))
	if _, err := os.Stat(filepath.Join(training.dir, "checkpoints", fmt.Sprintf("step-%d.safetensors", steps))); err != nil {
		t.Errorf("no checkpoint of the last of %d steps: %v", steps, err)
	}
	tab.Until(t, `document.getElementById("status").textContent === "stopped" && document.getElementById("stop").hidden`)
	checkValues(t, tab, training.dir)
	if got := tab.Problems(); len(got) != 0 {
		t.Errorf("script errors: %q", got)
	}
}

// A long training: neither its memory nor the server's grows, and the page gets no more points and rows than at first.
func TestLongTraining(t *testing.T) {
	epochs := 100 // of 32 steps
	if os.Getenv("ORRERY_LONG") != "" {
		epochs = 1563 // 50,016 steps
	}
	steps := 32 * epochs
	runs := t.TempDir()
	s := open(t, runs)
	tab := browser.Open(t)
	tab.Do(t, chromedp.Navigate(s.address))
	training := startTraining(t, runs, "--epochs", strconv.Itoa(epochs), "-b", "2", "--item-size", "40", "--size", "32", "--width", "0.25", "--depth", "4", "--threads", "1",
		"--activations", "--save-every", "never")
	reached := func(step int) string {
		return fmt.Sprintf(`orreryCharts.live.get("loss") && orreryCharts.live.get("loss").plot.data[0].at(-1) >= %d`, step)
	}
	// Of this process, which serves the page; and how long the page takes to draw every chart anew.
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const redraw = `new Promise(done => { const t = performance.now(); for (const c of orreryCharts.live.values()) orreryCharts.show(c.spec); requestAnimationFrame(() => done(performance.now() - t)); })`
	tab.Within(t, 10*time.Minute, reached(steps/5))
	before, early := heap(), browser.Eval[float64](t, tab, redraw)
	if err := <-training.ended; err != nil {
		t.Fatal(err)
	}
	tab.Until(t, reached(steps-1)+` && document.getElementById("status").textContent === "finished"`)
	checkValues(t, tab, training.dir)
	if rows := browser.Eval[int](t, tab, `document.querySelectorAll("#epochs tbody tr").length`); rows != min(epochs, keepEpochs) {
		t.Errorf("%d rows of %d epochs, want %d", rows, epochs, min(epochs, keepEpochs))
	}
	after, late := heap(), browser.Eval[float64](t, tab, redraw)
	if after > before+32<<20 {
		t.Errorf("the server's heap grew from %d to %d bytes", before, after)
	}
	// The first fifth warms up: allocators, and activations.npz up to the steps it keeps.
	table := records(t, filepath.Join(training.dir, "steps.csv"))
	if len(table) != steps {
		t.Fatalf("%d steps, want %d", len(table), steps)
	}
	first, last := medianMemory(t, table[steps/5:2*steps/5]), medianMemory(t, table[4*steps/5:])
	if last > first+32 {
		t.Errorf("the training's memory grew from %v to %v MiB", first, last)
	}
	t.Logf("%d steps: training %v, then %v MiB; server %.1f, then %.1f MiB; charts drawn in %.0f, then %.0f ms", steps, first, last, float64(before)/(1<<20), float64(after)/(1<<20), early, late)
}

// medianMemory is that of rows of steps.csv, in MiB.
func medianMemory(t *testing.T, rows [][]string) float64 {
	t.Helper()
	var list []float64
	for _, row := range rows {
		mib, err := strconv.ParseFloat(row[8], 64)
		if err != nil {
			t.Skip("resident memory is read from Linux's /proc")
		}
		list = append(list, mib)
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// A page whose connection breaks, or whose server is away for a while, goes on by itself.
func TestLivePageReconnects(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "discs")
	startRun(t, dir)
	add(t, dir, "steps.csv", stepLine(0, 30))
	s, err := New(dir, Options{Every: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	serve := func(listener net.Listener) *httptest.Server {
		handler, err := s.Handler(listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(handler)
		release(server.Listener)
		server.Listener = listener
		server.Start()
		return server
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := serve(listener)
	tab := browser.Open(t)
	tab.Do(t, chromedp.Navigate(server.URL+"/?token="+s.token))
	points := func(n int) string {
		return fmt.Sprintf(`orreryCharts.live.get("loss") && orreryCharts.live.get("loss").plot.data[0].length === %d && document.getElementById("status").textContent === "running"`, n)
	}
	tab.Until(t, points(1))

	server.CloseClientConnections()
	add(t, dir, "steps.csv", stepLine(1, 30))
	tab.Until(t, points(2))

	server.CloseClientConnections()
	server.Close()
	tab.Until(t, `document.getElementById("status").textContent === "connection lost"`)
	add(t, dir, "steps.csv", stepLine(2, 30))
	if listener, err = net.Listen("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	server = serve(listener)
	defer func() { server.CloseClientConnections(); server.Close() }()
	tab.Until(t, points(3))
}

// drawPhotos makes two classes that even a short training tells apart.
func drawPhotos(t *testing.T, dir string) {
	t.Helper()
	random := rand.New(rand.NewPCG(5, 6))
	for i := range 80 {
		class := photoClasses[i%2]
		m := image.NewRGBA(image.Rect(0, 0, 120, 90))
		for p := 0; p < len(m.Pix); p += 4 {
			m.Pix[p], m.Pix[p+1], m.Pix[p+2], m.Pix[p+3] = 20, 20, 20, 255
		}
		x, y := 30+random.IntN(60), 30+random.IntN(30)
		c := color.RGBA{uint8(40 + 160*(i%2)), 60, uint8(200 - 160*(i%2)), 255}
		for dy := -20; dy <= 20; dy++ {
			for dx := -20; dx <= 20; dx++ {
				if dx*dx+dy*dy <= 400 {
					m.SetRGBA(x+dx, y+dy, c)
				}
			}
		}
		path := filepath.Join(dir, class, fmt.Sprintf("%02d.jpg", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := jpeg.Encode(f, m, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
