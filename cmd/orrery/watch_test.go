package main

import (
	"bufio"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTrainWatch follows a training on its own page, by HTTP, until the page's stop ends it.
func TestTrainWatch(t *testing.T) {
	set, dir := photos(t, 30, "blue", "green", "red"), t.TempDir()
	run := filepath.Join(dir, "run")
	c := command(t, dir, append([]string{"train", set, "--epochs", "100000", "-o", "run", "--watch", "--save-every", "never"}, small...)...)
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill() //nolint:errcheck // it has ended by then unless the test failed
	printed := bufio.NewReader(stderr)
	address := ""
	for address == "" {
		line, err := printed.ReadString('\n')
		if err != nil {
			t.Fatalf("no address was printed: %v", err)
		}
		_, address, _ = strings.Cut(strings.TrimSpace(line), "watch: ")
	}
	rest := make(chan string, 1)
	go func() { text, _ := io.ReadAll(printed); rest <- string(text) }()

	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base, _, _ := strings.Cut(address, "/?token=")
	stranger, client := &http.Client{Timeout: time.Minute}, &http.Client{Jar: jar, Timeout: time.Minute}
	if reply, err := stranger.Get(base + "/"); err != nil || reply.StatusCode != http.StatusUnauthorized {
		t.Errorf("without the token: %v, %v", reply, err)
	}
	if reply, err := client.Get(address); err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("the page: %v, %v", reply, err)
	}
	stream, err := client.Get(base + "/events?run=.")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	events := bufio.NewReaderSize(stream.Body, 1<<20)
	until := func(words ...string) { // that one message of the stream has all
		t.Helper()
		for {
			line, err := events.ReadString('\n')
			if err != nil {
				t.Fatalf("the stream ended before %q: %v", words, err)
			}
			all := true
			for _, word := range words {
				all = all && strings.Contains(line, word)
			}
			if all {
				return
			}
		}
	}
	until(`"status":"running"`, `"batch.png"`) // drawn two seconds after the start
	if info, err := os.Stat(filepath.Join(run, "plots", "batch.png")); err != nil || info.Size() < 1000 {
		t.Errorf("the batch under way: %v, %v", info, err)
	}
	for path, body := range map[string]string{"/note?run=.": "a try", "/stop?run=.": ""} {
		if reply, err := client.Post(base+path, "text/plain", strings.NewReader(body)); err != nil || reply.StatusCode != http.StatusNoContent {
			t.Fatalf("%s: %v, %v", path, reply, err)
		}
	}
	until(`"status":"stopped"`, `"note":"a try"`)
	text := <-rest
	if c.Wait(); c.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(text, "--resume run") {
		t.Errorf("exit code %d, want %d, after\n%s", c.ProcessState.ExitCode(), exitInterrupted, text)
	}
	if read(t, filepath.Join(run, "note.txt")) != "a try" {
		t.Error("the note was not kept")
	}
	if kept, _ := filepath.Glob(filepath.Join(run, "checkpoints", "step-*.safetensors")); len(kept) == 0 {
		t.Error("no checkpoint was left")
	}
}

// TestWatchInTheTerminal draws a finished run as text.
func TestWatchInTheTerminal(t *testing.T) {
	set, dir := photos(t, 30, "blue", "green", "red"), t.TempDir()
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "2", "-o", "run"))
	drawn := mustSucceed(t, orrery(t, dir, "watch", "run", "--terminal")).stdout
	for _, word := range []string{"cnn8 on", "loss: train, o valid", "accuracy", "train_loss"} {
		if !strings.Contains(drawn, word) {
			t.Errorf("no %q in\n%s", word, drawn)
		}
	}
	if !strings.ContainsAny(drawn, "⠁⠂⠄⡀⠈⠐⠠⢀⣀⠉⠒⠤") {
		t.Errorf("no curve in\n%s", drawn)
	}
	fails(t, orrery(t, dir, "watch", "nowhere"), exitFailed, "nowhere")
}
