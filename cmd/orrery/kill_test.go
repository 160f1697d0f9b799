package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inLong is n in the long form of the tests, a smaller number else.
func inLong(n, otherwise int) int {
	if os.Getenv("ORRERY_LONG") != "" {
		return n
	}
	return otherwise
}

// kills is how often the test kills; $ORRERY_KILLS decides, else the form.
func kills(t *testing.T) int {
	t.Helper()
	text := os.Getenv("ORRERY_KILLS")
	if text == "" {
		return inLong(200, 3)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("ORRERY_KILLS is %q; it must be a number", text)
	}
	return n
}

// killed are the flags of a training that saves often and would be bit-equal
// when it is done again.
var killedFlags = append([]string{"--epochs", "6", "--save-every", "3steps,1epoch", "--schedule", "one-cycle", "--store", "off"}, small...)

// undisturbed is the model file of a training that nobody kills, and how long
// its process lived.
func undisturbed(t *testing.T, set string) (model []byte, took time.Duration) {
	t.Helper()
	dir := t.TempDir()
	began := time.Now()
	mustSucceed(t, orrery(t, dir, append([]string{"train", set, "-o", "run"}, killedFlags...)...))
	return modelFile(t, filepath.Join(dir, "run")), time.Since(began)
}

func modelFile(t *testing.T, run string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(run, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestKilledAnywhere kills trainings at random moments, as kill -9 does, and
// starts them again until they end: the model file is then byte for byte that of
// a training that was left alone.
func TestKilledAnywhere(t *testing.T) {
	set := photos(t, 40, "blue", "red")
	want, took := undisturbed(t, set)
	wanted, done, finished, working := kills(t), 0, 0, 0
	for run := 0; done < wanted; run++ {
		dir := t.TempDir()
		for {
			c := command(t, dir, append([]string{"train", set, "--resume", "auto", "-o", "run"}, killedFlags...)...)
			after := time.Hour // when it was killed often enough
			if done < wanted {
				after = rand.N(took)
			}
			if killAfter(t, c, after) {
				done++
				if found, _ := filepath.Glob(filepath.Join(dir, "run", "checkpoints", "step-*")); len(found) > 0 {
					working++
				}
				continue
			}
			if !c.ProcessState.Success() {
				t.Fatalf("after %d kills: exit code %d: %s", done, c.ProcessState.ExitCode(), c.Stderr)
			}
			break
		}
		finished++
		if got := modelFile(t, filepath.Join(dir, "run")); !bytes.Equal(got, want) {
			t.Fatalf("after %d kills the weights differ from an undisturbed run's", done)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "run", "*", "*.tmp-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	t.Logf("%d kills, %d of them with a checkpoint to go on from; %d trainings ended bit-equal to the undisturbed one", done, working, finished)
}

// killAfter starts a process and kills it after a while; false when it ended
// by itself before.
func killAfter(t *testing.T, c *exec.Cmd, after time.Duration) bool {
	t.Helper()
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { c.Process.Kill() })
	defer timer.Stop()
	c.Wait() // ProcessState tells
	status := c.ProcessState.Sys().(syscall.WaitStatus)
	return status.Signaled() && status.Signal() == syscall.SIGKILL
}

// TestTerminatedInMidEpoch: SIGTERM leaves a checkpoint, 143 and a run that ends
// bit-equal; SIGKILL right behind it, in the midst of that checkpoint, likewise.
func TestTerminatedInMidEpoch(t *testing.T) {
	set := photos(t, 40, "blue", "red")
	want, took := undisturbed(t, set)
	for i := range inLong(20, 2) {
		dir := t.TempDir()
		c := command(t, dir, append([]string{"train", set, "--resume", "auto", "-o", "run"}, killedFlags...)...)
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(took/2 + rand.N(took/4))
		asked := time.Now()
		c.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		if i%2 == 1 {
			time.Sleep(rand.N(60 * time.Millisecond))
			c.Process.Kill()
		}
		c.Wait() // ProcessState tells
		code := c.ProcessState.ExitCode()
		if i%2 == 0 && code != exitTerminated && code != exitOK {
			t.Fatalf("exit code %d after SIGTERM: %s", code, said.String())
		}
		if waited := time.Since(asked); code == exitTerminated && waited > 10*time.Second {
			t.Errorf("it took %v to leave", waited)
		}
		if code == exitTerminated && !strings.Contains(said.String(), "a checkpoint holds the training so far") {
			t.Errorf("it left without a word: %s", said.String())
		}
		mustSucceed(t, orrery(t, dir, append([]string{"train", set, "--resume", "auto", "-o", "run", "--accept-changes", "all"}, killedFlags...)...))
		if got := modelFile(t, filepath.Join(dir, "run")); !bytes.Equal(got, want) {
			t.Fatalf("after SIGTERM the weights differ from an undisturbed run's")
		}
	}
}

// TestResumeListsChanges: a run is not continued on other data, or with another
// recipe, unless asked.
func TestResumeListsChanges(t *testing.T) {
	set, other, dir := photos(t, 40, "blue", "red"), photos(t, 41, "blue", "red"), t.TempDir()
	c := command(t, dir, append([]string{"train", set, "--epochs", "500", "-o", "run"}, small...)...)
	if code := signalAfterFirstEpoch(t, c, syscall.SIGTERM); code != exitTerminated {
		t.Fatalf("exit code %d, want %d", code, exitTerminated)
	}
	changed := func(more ...string) outcome {
		return orrery(t, dir, append([]string{"train", other, "--resume", "run", "--epochs", "1"}, more...)...)
	}
	fails(t, changed(), exitFailed, "other pictures", "epochs was 500, is 1", "--accept-changes data,recipe")
	fails(t, changed("--accept-changes", "data"), exitFailed, "epochs was 500, is 1", "--accept-changes recipe")
	fails(t, changed("--accept-changes", "date"), exitUsage, "date", "data")
	o := mustSucceed(t, changed("--accept-changes", "data,recipe"))
	for _, words := range []string{"other pictures", "epochs was 500, is 1"} {
		if !strings.Contains(o.stderr, words) {
			t.Errorf("%q is not announced: %s", words, o.stderr)
		}
	}
}
