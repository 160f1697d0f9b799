package mirror

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/internal/bucket/buckettest"
)

const place = "s3://runs/some/run"

var options = Options{Skip: func(name string) bool { return name == ".lock" }, First: "recipe.yaml", Last: "a-result.json"}

func open(t *testing.T, dir string) *Folder {
	t.Helper()
	f, err := Open(place, dir, options)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fetched is what the bucket holds, by name.
func fetched(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	f := open(t, dir)
	names, err := f.Remote(context.Background())
	if err == nil {
		err = f.Fetch(context.Background(), names)
	}
	if err != nil {
		t.Fatal(err)
	}
	local, err := f.Local()
	if err != nil || !slices.Equal(names, local) {
		t.Fatalf("%v, %v fetched, want %v", err, local, names)
	}
	contents := map[string]string{}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		contents[name] = string(content)
	}
	return contents
}

func holds(t *testing.T, want map[string]string) {
	t.Helper()
	got := fetched(t)
	if len(got) != len(want) {
		t.Errorf("the bucket has %d files, want %d", len(got), len(want))
	}
	for name, content := range want {
		if got[name] != content {
			t.Errorf("%s has %d bytes in the bucket, want other %d", name, len(got[name]), len(content))
		}
	}
}

func TestSend(t *testing.T) {
	buckettest.Start(t, "runs")
	dir, ctx := t.TempDir(), context.Background()
	f := open(t, dir)
	long := strings.Repeat("0123456789abcdef", 2<<20) // two parts
	put(t, dir, ".lock", "")
	put(t, dir, "recipe.yaml", "a recipe")
	put(t, dir, "steps.csv", "1\n")
	put(t, dir, "checkpoints/step-1.safetensors", long)
	if err := f.Send(ctx); err != nil {
		t.Fatal(err)
	}
	holds(t, map[string]string{"recipe.yaml": "a recipe", "steps.csv": "1\n", "checkpoints/step-1.safetensors": long})

	// What has changed goes there, what is gone goes there too; the rest is not sent again.
	put(t, dir, "steps.csv", "1\n2\n")
	put(t, dir, "checkpoints/step-2.safetensors", "two")
	os.Remove(filepath.Join(dir, "checkpoints/step-1.safetensors"))
	if err := f.Send(ctx); err != nil {
		t.Fatal(err)
	}
	now := map[string]string{"recipe.yaml": "a recipe", "steps.csv": "1\n2\n", "checkpoints/step-2.safetensors": "two"}
	holds(t, now)
	info, err := os.Stat(filepath.Join(dir, "recipe.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "recipe.yaml", "A RECIPE")
	if err := os.Chtimes(filepath.Join(dir, "recipe.yaml"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := f.Send(ctx); err != nil {
		t.Fatal(err)
	}
	holds(t, now)
}

// TestGoneWhileAway: what an earlier process left in the bucket and is not in the folder any more is removed.
func TestGoneWhileAway(t *testing.T) {
	buckettest.Start(t, "runs")
	dir, ctx := t.TempDir(), context.Background()
	put(t, dir, "one", "1")
	put(t, dir, "two", "2")
	if err := open(t, dir).Send(ctx); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "one"))
	f := open(t, dir)
	if _, err := f.Remote(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.Send(ctx); err != nil {
		t.Fatal(err)
	}
	holds(t, map[string]string{"two": "2"})
}

func TestOrder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a-result.json", "b", "checkpoints/a", "recipe.yaml", ".lock"} {
		put(t, dir, name, "")
	}
	got, err := open(t, dir).Local()
	if want := []string{"recipe.yaml", "b", "checkpoints/a", "a-result.json"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := open(t, filepath.Join(dir, "none")).Local(); err != nil || len(got) != 0 {
		t.Errorf("%v, %v of a folder that is not there", got, err)
	}
}

// A note is a log that two goroutines may use.
type note struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (n *note) Write(p []byte) (int, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.Buffer.Write(p)
}

func (n *note) count(words string) int {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return strings.Count(n.String(), words)
}

func (n *note) await(t *testing.T, words string) {
	t.Helper()
	for begun := time.Now(); n.count(words) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("the log does not say %q:\n%s", words, n.String())
		}
	}
}

// TestKeeperOutlivesTheServer: a store that goes away is told once, and gets everything when it is back.
func TestKeeperOutlivesTheServer(t *testing.T) {
	server := buckettest.Start(t, "runs")
	dir, log := t.TempDir(), &note{}
	put(t, dir, "recipe.yaml", "a recipe")
	server.Down()
	k := Keep(open(t, dir), 10*time.Millisecond, slog.New(slog.NewTextHandler(log, nil)))
	log.await(t, "tried again")
	put(t, dir, "model", "weights")
	server.Up(t)
	log.await(t, "takes the run again")
	put(t, dir, "a-result.json", "{}")
	k.Close(time.Minute)
	holds(t, map[string]string{"recipe.yaml": "a recipe", "model": "weights", "a-result.json": "{}"})
	if n := log.count("tried again"); n != 1 {
		t.Errorf("the log tells %d times of one failure:\n%s", n, log.String())
	}
}

// TestKeeperLosesPatience: a store that is gone for good does not keep the process.
func TestKeeperLosesPatience(t *testing.T) {
	server := buckettest.Start(t, "runs")
	dir, log := t.TempDir(), &note{}
	k := Keep(open(t, dir), time.Hour, slog.New(slog.NewTextHandler(log, nil)))
	server.Down()
	put(t, dir, "recipe.yaml", "a recipe")
	k.Close(2 * time.Second)
	if log.count("lacks the end of the run") != 1 {
		t.Errorf("the log is\n%s", log.String())
	}
}
