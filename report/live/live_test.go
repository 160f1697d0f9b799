package live

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	historyHeader = "epoch,train_loss,valid_loss,accuracy,seconds\n"
	stepsHeader   = "step,epoch,lr,momentum,loss,smoothed_loss,images_per_second,data_wait_seconds,memory_mib\n"
	hostile       = `<script>document.title="owned"</script>`
)

func put(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func add(t testing.TB, dir, name, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func stepLine(i, perEpoch int) string {
	loss := 0.5 + math.Exp(-float64(i)/30) + 0.05*math.Sin(float64(i))
	return fmt.Sprintf("%d,%d,%.6f,%.4f,%.6f,%.6f,%.1f,%.4f,%.1f\n", i, i/perEpoch, 0.003*float64(i%40)/40, 0.95-0.001*float64(i%40), loss, loss+0.02, 180.5, 0.001, 900+float64(i%7)/2)
}

// startRun makes a run folder as the trainer leaves it just after the start.
func startRun(t testing.TB, dir string) {
	t.Helper()
	put(t, dir, "recipe.yaml", "data: planets\nmodel: cnn8\nepochs: 3\nbatch_size: 128\nlr: 0.003\nschedule: one-cycle\nseed: 42\n")
	put(t, dir, "history.csv", historyHeader)
	put(t, dir, "steps.csv", stepsHeader)
	put(t, dir, "log.jsonl", `{"time":"2026-11-24T03:00:00Z","level":"INFO","msg":"found `+strings.ReplaceAll(hostile, `"`, `\"`)+`"}`+"\n")
}

// A site is a served live page with a client that came in through its address.
type site struct {
	base, address, token string
	client               *http.Client
}

func open(t *testing.T, dir string) *site {
	t.Helper()
	s, err := New(dir, Options{Every: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- s.Serve(ctx, "127.0.0.1:0", func(url string) { ready <- url }) }()
	var address string
	select {
	case address = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, token, _ := strings.Cut(address, "/?token=")
	client := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	t.Cleanup(client.CloseIdleConnections)
	reply, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if reply.StatusCode != 200 || reply.Request.URL.RawQuery != "" {
		t.Fatalf("opening %s: %s at %s", address, reply.Status, reply.Request.URL)
	}
	return &site{base, address, token, client}
}

// states follows the event stream and hands out each state.
func (s *site) states(t *testing.T, run string) func() state {
	t.Helper()
	reply, err := s.client.Get(s.base + "/events?run=" + run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reply.Body.Close() })
	in := bufio.NewReader(reply.Body)
	return func() state {
		t.Helper()
		event := ""
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if name, ok := strings.CutPrefix(line, "event: "); ok {
				event = strings.TrimSpace(name)
			}
			text, ok := strings.CutPrefix(line, "data: ")
			if !ok || event != "state" {
				continue
			}
			var st state
			if err := json.Unmarshal([]byte(text), &st); err != nil {
				t.Fatalf("%v in %.200s", err, text)
			}
			return st
		}
	}
}

func (s *site) post(t *testing.T, path, body string) int {
	t.Helper()
	reply, err := s.client.Post(s.base+path, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	return reply.StatusCode
}

func TestStreamFollowsGrowingFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	startRun(t, dir)
	s := open(t, dir)
	next := s.states(t, "")
	first := next()
	if first.Title != "run" || first.Status != "running" || first.Epochs != 3 || len(first.Charts) != 0 || !strings.Contains(first.Log[0].Text, hostile) {
		t.Errorf("first state is %+v", first)
	}
	// A line that is half written is not shown until its end has come.
	whole := stepLine(0, 10)
	add(t, dir, "steps.csv", whole[:9])
	time.Sleep(150 * time.Millisecond)
	add(t, dir, "steps.csv", whole[9:]+stepLine(1, 10))
	st := next()
	if st.Step != 2 || len(st.Charts) == 0 || st.Charts[0].X[1] != 1 {
		t.Errorf("after two steps: step %d, charts %v", st.Step, st.Charts)
	}
	if st.ETA != nil || st.Steps != 0 {
		t.Errorf("nothing tells the end yet, but the state has %d steps, ETA %v", st.Steps, st.ETA)
	}
	add(t, dir, "log.jsonl", `{"level":"INFO","msg":"training","steps":30}`+"\n")
	// 28 steps of 128 pictures at 180.5 a second.
	if st = next(); st.Steps != 30 || st.ETA == nil || math.Abs(*st.ETA-28*128/180.5) > 1e-9 {
		t.Errorf("steps %d, ETA %v; want 30 and %v", st.Steps, st.ETA, 28*128/180.5)
	}
	for i := 2; i < 15; i++ {
		add(t, dir, "steps.csv", stepLine(i, 10))
	}
	add(t, dir, "history.csv", "0,0.9,0.8,0.61,12\n")
	for st.Step < 15 || len(st.History) == 0 {
		st = next()
	}
	if diff := cmp.Diff([][]string{{"0", "0.900000", "0.800000", "0.610000", "0:12"}}, st.History); diff != "" {
		t.Error(diff)
	}
	// 30 steps in all; of the second epoch's 12 s half are over, and the third's are to come.
	if st.Steps != 30 || st.ETA == nil || math.Abs(*st.ETA-18) > 1e-9 {
		t.Errorf("steps %d, ETA %v; want 30 and 18", st.Steps, st.ETA)
	}
	put(t, dir, "result.json", `{"accuracy":0.7,"epochs":3}`)
	for st.Status != "finished" {
		st = next()
	}
	// Replaced by a shorter file, as by a run that begins anew.
	put(t, dir, "new.csv", stepsHeader+stepLine(0, 10))
	if err := os.Rename(filepath.Join(dir, "new.csv"), filepath.Join(dir, "steps.csv")); err != nil {
		t.Fatal(err)
	}
	for st.Step != 1 {
		st = next()
	}
}

func TestStopAndNote(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	startRun(t, dir)
	s := open(t, dir)
	next := s.states(t, "")
	next()
	if code := s.post(t, "/note?run=.", "tried a lower rate\n<b>"); code != http.StatusNoContent {
		t.Errorf("note: %d", code)
	}
	if st := next(); st.Note != "tried a lower rate\n<b>" || st.Stopping {
		t.Errorf("note came back as %q, stopping %v", st.Note, st.Stopping)
	}
	if code := s.post(t, "/stop?run=.", ""); code != http.StatusNoContent {
		t.Errorf("stop: %d", code)
	}
	if _, err := os.Stat(filepath.Join(dir, "stop")); err != nil {
		t.Error(err)
	}
	if st := next(); !st.Stopping {
		t.Error("the page does not know of the stop")
	}
	if code := s.post(t, "/note?run=.", strings.Repeat("x", noteLimit+1)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a note that is too long: %d, want 413", code)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "note.txt")); string(text) != "tried a lower rate\n<b>" {
		t.Errorf("the note became %q", text)
	}
}

// The page gets a bounded state however long the run, and memory stays flat.
func TestLongRunIsThinned(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	startRun(t, dir)
	var text strings.Builder
	text.WriteString(stepsHeader)
	for i := range 100_000 {
		text.WriteString(stepLine(i, 5_000))
	}
	put(t, dir, "steps.csv", text.String())
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release(root)
	w, err := watch(root, ".")
	if err != nil {
		t.Fatal(err)
	}
	defer release(w.root)
	_, state := w.look(time.Now(), time.Second)
	if len(state) > 400_000 {
		t.Errorf("the state of 100,000 steps has %d bytes", len(state))
	}
	if len(w.run.Steps) > keepSteps {
		t.Errorf("%d steps are kept, want at most %d", len(w.run.Steps), keepSteps)
	}
	if last := w.run.Steps[len(w.run.Steps)-1].Step; last != 99_999 || w.perEpoch != 5_000 {
		t.Errorf("last step %d, %d an epoch; want 99999 and 5000", last, w.perEpoch)
	}
	ends := 0
	for i, s := range w.run.Steps {
		if i+1 == len(w.run.Steps) || w.run.Steps[i+1].Epoch != s.Epoch {
			if s.Step%5_000 != 4_999 {
				t.Errorf("epoch %d ends with step %d", s.Epoch, s.Step)
			}
			ends++
		}
	}
	if ends != 20 {
		t.Errorf("%d epochs, want 20", ends)
	}
}

func TestRunsNewestFirst(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"old", "new", "middle"} {
		startRun(t, filepath.Join(dir, name))
		at := time.Unix(1_700_000_000+int64([]int{0, 200, 100}[i]), 0)
		for _, file := range marks {
			_ = os.Chtimes(filepath.Join(dir, name, file), at, at) // result.json is not there yet
		}
	}
	put(t, dir, "no-run/readme", "")
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer release(root)
	if diff := cmp.Diff([]string{"new", "middle", "old"}, findRuns(root)); diff != "" {
		t.Error(diff)
	}
}

func TestTerminal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	startRun(t, dir)
	for i := range 20 {
		add(t, dir, "steps.csv", stepLine(i, 10))
	}
	put(t, dir, "result.json", `{"accuracy":0.7,"epochs":3}`)
	var out strings.Builder
	screen := Screen{Out: &out, Size: func() (int, int) { return 60, 40 }, Redraw: true}
	if err := Terminal(context.Background(), dir, 10*time.Millisecond, screen); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cnn8 on planets", "accuracy 0.7000", "loss: train", "\x1b[K\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the terminal lacks %q", want)
		}
	}
	if strings.Contains(out.String(), "\x1b[34m") {
		t.Error("colours without being asked for")
	}
}

// What following a run of 50,000 steps costs at each new step.
func BenchmarkLook(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "run")
	startRun(b, dir)
	var text strings.Builder
	text.WriteString(stepsHeader)
	for i := range 50_000 {
		text.WriteString(stepLine(i, 5_000))
	}
	put(b, dir, "steps.csv", text.String())
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer release(root)
	w, err := watch(root, ".")
	if err != nil {
		b.Fatal(err)
	}
	defer release(w.root)
	w.look(time.Now(), 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		add(b, dir, "steps.csv", stepLine(50_000+i, 5_000))
		w.look(time.Now(), 0)
	}
}
