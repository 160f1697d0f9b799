package trainer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"
)

// childVariable makes this test program save one checkpoint into the folder it
// names, as a training would, and end: 0 when it said that it saved, 3 when it
// said that it did not.
const childVariable = "ORRERY_TEST_SAVE_INTO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		if err := exampleJob(20).write(dir, 2); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// exampleJob is a checkpoint of some megabytes, as of a best epoch.
func exampleJob(step int) *saveJob {
	r := rand.New(rand.NewPCG(uint64(step), 1))
	tensors := map[string]safetensors.Data{}
	for i := range 3 {
		b := make([]byte, 1<<20)
		for j := range b {
			b[j] = byte(r.Uint32() & 0x3f) // small numbers, all finite
		}
		tensors[fmt.Sprintf("model.%d.weight", i)] = safetensors.Data{Dtype: torch.Float, Shape: []int64{1 << 18}, Bytes: b}
	}
	return &saveJob{header{Progress: &progress{Step: step}}, tensors, true}
}

// saveUnder saves step 20 beside step 10 under strace with an injection, and
// gives the exit code (-1 when killed) and what was said.
func saveUnder(t *testing.T, inject string) (dir string, code int, said string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, checkpointsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := exampleJob(10).write(dir, 2); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	c := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject="+inject, self)
	c.Env = append(os.Environ(), childVariable+"="+dir)
	c.Stderr = &stderr
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if status := c.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() { // strace ends as its child did
		return dir, -1, stderr.String()
	}
	return dir, c.ProcessState.ExitCode(), stderr.String()
}

func needStrace(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("strace", "-qq", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here: %v %s", err, out)
	}
}

// newestStep is the step of the checkpoint that a resumed run would take.
func newestStep(t *testing.T, dir string) int {
	t.Helper()
	file, path, _, err := readNewest(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	head, err := readHeader(path, file)
	if err != nil {
		t.Fatal(err)
	}
	return head.Progress.Step
}

// TestSaveKilledAtEverySystemCall: whatever write, fsync, rename, link or
// removal a save is killed at, the old checkpoint loads or the new one.
func TestSaveKilledAtEverySystemCall(t *testing.T) {
	needStrace(t)
	total, old := 0, 0
	for _, call := range []string{"write", "fsync", "/^rename", "/^link", "/^unlink", "openat", "close"} {
		if !long() && call != "fsync" && call != "/^rename" {
			continue // the short form takes the two that decide
		}
		killed := 0
		for n := 1; ; n++ {
			dir, code, said := saveUnder(t, fmt.Sprintf("%s:signal=SIGKILL:when=%d", call, n))
			if code == 0 {
				break
			}
			if code != -1 || n > 2000 {
				t.Fatalf("killed at %s %d: exit code %d: %s", call, n, code, said)
			}
			step := newestStep(t, dir)
			if step != 10 && step != 20 {
				t.Fatalf("killed at %s %d: step %d loads", call, n, step)
			}
			if step == 10 {
				old++
			}
			killed++
			// The next owner of the folder clears away what was not finished.
			if err := removeTemporaries(dir); err != nil {
				t.Fatal(err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, checkpointsDir, "*.tmp-*")); len(left) > 0 {
				t.Fatalf("left: %v", left)
			}
		}
		t.Logf("%s: killed at each of %d calls", call, killed)
		total += killed
	}
	if total == 0 || old == 0 || old == total {
		t.Errorf("%d kills, after %d of which the old checkpoint was the newest: the injection misses the save", total, old)
	}
	t.Logf("%d kills: the old checkpoint loaded after %d, the new one after %d", total, old, total-old)
}

// TestSaveFailsAtEverySystemCall: an error of any write, fsync, rename, link or
// open is reported, the checkpoint before stays, nothing half-written is left.
func TestSaveFailsAtEverySystemCall(t *testing.T) {
	needStrace(t)
	reported := 0
	for _, fault := range [][2]string{{"write", "ENOSPC"}, {"write", "EIO"}, {"fsync", "EIO"}, {"/^rename", "EIO"}, {"/^rename", "EROFS"}, {"/^link", "ENOSPC"}} {
		if !long() && fault != [2]string{"write", "ENOSPC"} && fault != [2]string{"fsync", "EIO"} {
			continue
		}
		failures := 0
		for n := 1; ; n++ {
			dir, code, said := saveUnder(t, fmt.Sprintf("%s:error=%s:when=%d", fault[0], fault[1], n))
			if n > 2000 {
				t.Fatalf("%s never ends", fault[0])
			}
			step := newestStep(t, dir)
			left, _ := filepath.Glob(filepath.Join(dir, checkpointsDir, "*.tmp-*"))
			if code == 0 && step != 20 || step != 10 && step != 20 || len(left) > 0 {
				t.Fatalf("%s %d fails with %s: exit code %d, step %d loads, left %v: %s", fault[0], n, fault[1], code, step, left, said)
			}
			if code == 0 {
				break
			}
			if code == 3 && len(strings.TrimSpace(said)) > 0 {
				failures++
			}
		}
		t.Logf("%s fails with %s: reported at each of %d calls", fault[0], fault[1], failures)
		reported += failures
	}
	if reported == 0 {
		t.Error("no fault was reported: the injection misses the save")
	}
}
