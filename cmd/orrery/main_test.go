package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/internal/testdata"
)

// asOrrery makes the test's own binary behave as orrery.
const asOrrery = "ORRERY_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asOrrery) != "" {
		main()
	}
	dir, err := os.MkdirTemp("", "orrery-test-cache-")
	if err != nil {
		panic(err)
	}
	userCache = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// userCache is the user's cache folder of the processes under test.
var userCache string

// An outcome is what one orrery process left.
type outcome struct {
	code           int
	stdout, stderr string
}

// command prepares an orrery process that works in dir.
func command(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), asOrrery+"=1", "XDG_CACHE_HOME="+userCache)
	return c
}

func orrery(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	return finish(t, command(t, dir, args...))
}

func finish(t *testing.T, c *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// mustTrain is orrery, and fails the test unless it exits with 0.
func mustSucceed(t *testing.T, o outcome) outcome {
	t.Helper()
	if o.code != exitOK {
		t.Fatalf("exit code %d, want 0\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	return o
}

// fails checks the exit code and that standard error's last line holds every word.
func fails(t *testing.T, o outcome, code int, words ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	last := lines[len(lines)-1]
	if o.code != code {
		t.Errorf("exit code %d, want %d: %s", o.code, code, last)
	}
	for _, word := range words {
		if !strings.Contains(last, word) {
			t.Errorf("the error %q does not mention %q", last, word)
		}
	}
}

// photos writes a set of noisy one-colour pictures, a folder a class.
func photos(t *testing.T, each int, classes ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "photos")
	r := rand.New(rand.NewPCG(3, 4))
	for i, class := range classes {
		for n := range each {
			testdata.WritePNG(t, filepath.Join(dir, class, fmt.Sprintf("%03d.png", n)), testdata.Noisy(r, 44, 40, i%3))
		}
	}
	return dir
}

// small are the flags of a training that takes about a second.
var small = []string{"--size", "32", "--item-size", "40", "-b", "8", "--threads", "1"}

func trainSmall(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	return orrery(t, dir, append(append([]string{"train"}, args...), small...)...)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}
