package main

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"
)

// together are the flags of a training that takes seconds, with an odd batch:
// two processes have different shares of it; forever is for those that are stopped.
// Adam divides by gradients, and where one is all but zero the last bits decide: with
// some seeds even another number of threads moves a loss by 1e-4. Seed 2 has no such step.
var (
	forever  = []string{"--size", "32", "--item-size", "40", "-b", "9", "--threads", "1", "--store", "off", "--epochs", "1000"}
	together = append(append([]string{}, forever[:len(forever)-1]...), "1", "--lr", "0.0003", "--seed", "2")
)

// TestTwoProcessesTrainLikeOne: with the same whole batches the losses of every
// step are the same to 1e-5, and the weights at the end nearly so. Two processes on libtorch's
// kernels are held against one on our own: our synchronised BatchNorm sums in
// double precision, libtorch's BatchNorm does not.
func TestTwoProcessesTrainLikeOne(t *testing.T) {
	set, dir := photos(t, 40, "blue", "green", "red"), t.TempDir()
	one := filepath.Join(dir, "one")
	mustSucceed(t, orrery(t, dir, append([]string{"train", set, "-o", "one"}, together...)...))
	for kernels, relative := range map[string]float64{"own": 1e-4, "libtorch": 3e-4} {
		two := filepath.Join(dir, kernels)
		mustSucceed(t, orrery(t, dir, append([]string{"train", set, "-o", kernels, "--nproc", "2", "--kernels", kernels}, together...)...))
		sameWeights(t, one, two, relative)
		sameLosses(t, one, two, 1e-5)
		if x, y := predictions(t, one), predictions(t, two); !slices.Equal(x, y) {
			t.Errorf("%s: one process validated %v, two %v", kernels, x, y)
		}
	}
}

// sameLosses compares two runs' losses, step by step.
func sameLosses(t *testing.T, one, two string, relative float64) {
	t.Helper()
	a, b := columns(t, filepath.Join(one, "steps.csv")), columns(t, filepath.Join(two, "steps.csv"))
	if len(a) != len(b) || len(a) != 1+96/9 {
		t.Fatalf("%d and %d steps", len(a)-1, len(b)-1)
	}
	worst := 0.0
	for i := range a[1:] {
		x, y := parseNumber(t, a[i+1][4]), parseNumber(t, b[i+1][4])
		if worst = max(worst, math.Abs(x-y)/math.Abs(x)); math.Abs(x-y) > relative*math.Abs(x) {
			t.Errorf("the loss of step %d is %v in %s, %v in %s", i, x, one, y, two)
		}
	}
	t.Logf("the losses of %s and %s differ by at most %.2g of their size", filepath.Base(one), filepath.Base(two), worst)
}

func columns(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		rows = append(rows, strings.Split(line, ","))
	}
	return rows
}

func parseNumber(t *testing.T, text string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// predictions are the paths in predictions.csv, in order.
func predictions(t *testing.T, run string) []string {
	t.Helper()
	var paths []string
	for _, row := range columns(t, filepath.Join(run, "predictions.csv")) {
		paths = append(paths, row[0])
	}
	return paths
}

// sameWeights compares two runs' models, tensor by tensor, by the largest
// difference over the largest value (at least 0.01: fresh biases are all but zero).
func sameWeights(t *testing.T, a, b string, relative float64) {
	t.Helper()
	scope := torch.NewScope()
	defer scope.Close()
	one, err := safetensors.Load(filepath.Join(a, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := safetensors.Load(filepath.Join(b, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for name, x := range one {
		x, y := x.CastTo(torch.Double), two[name].CastTo(torch.Double)
		largest := x.Abs().Max().ItemFloat64()
		if off := x.Sub(y, 1).Abs().Max().ItemFloat64() / max(largest, 1e-2); off > relative {
			t.Errorf("%s differs by %.2g of its largest value %.3g", name, off, largest)
		} else {
			worst = max(worst, off)
		}
	}
	t.Logf("%s and %s differ by at most %.2g", filepath.Base(a), filepath.Base(b), worst)
}

// A rank is one of several processes that this test started by itself.
type rankProcess struct {
	*exec.Cmd
	said  bytes.Buffer
	ended chan struct{}
}

// startRanks starts a training by two processes without a launcher.
func startRanks(t *testing.T, dir string, port int, args ...string) [2]*rankProcess {
	t.Helper()
	var ranks [2]*rankProcess
	for rank := range ranks {
		r := &rankProcess{Cmd: command(t, dir, args...)}
		r.Env = append(r.Env, "RANK="+strconv.Itoa(rank), "WORLD_SIZE=2", "LOCAL_RANK="+strconv.Itoa(rank), "LOCAL_WORLD_SIZE=2",
			"MASTER_ADDR=127.0.0.1", "MASTER_PORT="+strconv.Itoa(port))
		ranks[rank] = r
	}
	startAll(t, ranks)
	return ranks
}

// startAll starts them, until the test ends.
func startAll(t *testing.T, ranks [2]*rankProcess) {
	t.Helper()
	for _, r := range ranks {
		r.Stderr, r.ended = &r.said, make(chan struct{})
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			r.Wait() //nolint:errcheck // ProcessState tells
			close(r.ended)
		}()
		t.Cleanup(func() {
			r.Process.Kill()
			<-r.ended
		})
	}
}

func portForTest(t *testing.T) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// waitForSteps waits until the run has begun to train.
func waitForSteps(t *testing.T, dir string, ranks [2]*rankProcess) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if text, err := os.ReadFile(filepath.Join(dir, "run", "steps.csv")); err == nil && bytes.Count(text, []byte("\n")) > 3 {
			return
		}
		for rank, r := range ranks {
			select {
			case <-r.ended:
				t.Fatalf("rank %d ended: %s", rank, r.said.String())
			default:
			}
		}
		if time.Since(began) > 3*time.Minute {
			t.Fatal("no step is done")
		}
	}
}

// TestLostRank kills or stops one of two processes in the midst of training:
// the other leaves within the timeout and 5 s, names the rank and what it waited
// for, and exits with a code that schedulers try again.
func TestLostRank(t *testing.T) {
	const timeout = 4 * time.Second
	set := photos(t, 40, "blue", "red")
	for _, test := range []struct {
		signal syscall.Signal
		lost   int
	}{{syscall.SIGKILL, 1}, {syscall.SIGSTOP, 1}, {syscall.SIGKILL, 0}, {syscall.SIGSTOP, 0}} {
		t.Run(fmt.Sprintf("%v of rank %d", test.signal, test.lost), func(t *testing.T) {
			dir := t.TempDir()
			ranks := startRanks(t, dir, portForTest(t), append([]string{"train", set, "-o", "run", "--peer-timeout", timeout.String()}, forever...)...)
			waitForSteps(t, dir, ranks)
			ranks[test.lost].Process.Signal(test.signal)
			lost := time.Now()
			other := ranks[1-test.lost]
			select {
			case <-other.ended:
			case <-time.After(2 * time.Minute):
				t.Fatalf("the other rank never leaves: %s", other.said.String())
			}
			took := time.Since(lost)
			last := lastLine(&other.said)
			if code := other.ProcessState.ExitCode(); code != exitPeer {
				t.Errorf("exit code %d, want %d: %s", code, exitPeer, last)
			}
			// As in "rank 0: averaging the gradients of step 7 failed: rank 1 shows no sign of life ...".
			if ok, err := regexp.MatchString(fmt.Sprintf(`rank %d: .{8,} failed: rank %d.* (dead, stopped or cut off|left)`, 1-test.lost, test.lost), last); err != nil || !ok {
				t.Errorf("the error does not name the rank that is lost and the collective: %s", last)
			}
			t.Logf("left after %.1f s: %s", took.Seconds(), last)
			if took > timeout+5*time.Second && long() {
				t.Errorf("it took %v to leave, more than the timeout of %v and 5 s", took, timeout)
			}
		})
	}
}

// TestElasticRestart: a training by two whose one is killed goes on with one
// process from the last checkpoint and ends like a training by one.
func TestElasticRestart(t *testing.T) {
	set, dir := photos(t, 40, "blue", "green", "red"), t.TempDir()
	mustSucceed(t, orrery(t, dir, append([]string{"train", set, "-o", "one"}, together...)...))
	args := append([]string{"train", set, "-o", "run", "--resume", "auto", "--accept-changes", "world", "--save-every", "2steps", "--peer-timeout", "5s"}, together...)
	ranks := startRanks(t, dir, portForTest(t), args...)
	waitForCheckpoint(t, dir, &ranks[0].said)
	ranks[1].Process.Kill()
	<-ranks[0].ended
	if code := ranks[0].ProcessState.ExitCode(); code != exitPeer && code != exitOK {
		t.Fatalf("exit code %d: %s", code, ranks[0].said.String())
	}
	o := mustSucceed(t, orrery(t, dir, args...))
	if ranks[0].ProcessState.ExitCode() == exitPeer && !strings.Contains(o.stderr, "2 processes trained, now it is 1") {
		t.Errorf("the change is not announced: %s", o.stderr)
	}
	sameLosses(t, filepath.Join(dir, "one"), filepath.Join(dir, "run"), 1e-4)
}

// TestStopTogether: SIGTERM to one of two processes ends both after a checkpoint.
func TestStopTogether(t *testing.T) {
	set, dir := photos(t, 40, "blue", "red"), t.TempDir()
	ranks := startRanks(t, dir, portForTest(t), append([]string{"train", set, "-o", "run"}, forever...)...)
	waitForSteps(t, dir, ranks)
	ranks[1].Process.Signal(syscall.SIGTERM)
	for rank, want := range []int{exitInterrupted, exitTerminated} {
		<-ranks[rank].ended
		if code := ranks[rank].ProcessState.ExitCode(); code != want {
			t.Errorf("rank %d: exit code %d, want %d: %s", rank, code, want, ranks[rank].said.String())
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "run", "checkpoints", "step-*.safetensors")); len(found) == 0 {
		t.Error("no checkpoint was left")
	}
}

// TestMeetingPlace: the processes listen on the chosen interface and nowhere
// else, and say who did not come.
func TestMeetingPlace(t *testing.T) {
	set, dir, port := photos(t, 20, "blue", "red"), t.TempDir(), portForTest(t)
	c := command(t, dir, append([]string{"train", set, "-o", "run", "--interface", "lo", "--peer-timeout", "4s"}, small...)...)
	c.Env = append(c.Env, "RANK=0", "WORLD_SIZE=2", "LOCAL_WORLD_SIZE=2", "MASTER_ADDR=127.0.0.1", "MASTER_PORT="+strconv.Itoa(port))
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	reached := false
	for began := time.Now(); !reached && time.Since(began) < 90*time.Second && c.ProcessState == nil; time.Sleep(20 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			conn.Close()
			reached = true
		}
		if reached {
			for _, address := range otherAddresses(t) {
				if conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, strconv.Itoa(port)), time.Second); err == nil {
					conn.Close()
					t.Errorf("the store can be reached at %s, which is not on the chosen interface", address)
				}
			}
		}
	}
	c.Wait() // the exit code is what is asked for
	if !reached {
		t.Error("the store could not be reached on the chosen interface")
	}
	fails(t, outcome{c.ProcessState.ExitCode(), "", said.String()}, exitPeer, "no sign of rank 1")
}

// otherAddresses are this machine's beside 127.0.0.1; all of 127.0.0.0/8 is one
// interface, but only one address of it was chosen.
func otherAddresses(t *testing.T) []string {
	t.Helper()
	found := []string{"127.0.0.2"}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			found = append(found, n.IP.String())
		}
	}
	return found
}

func TestWorldRefuses(t *testing.T) {
	dir, set := t.TempDir(), "nowhere"
	fails(t, orrery(t, dir, "train", set, "--nproc", "0"), exitUsage, "nproc")
	fails(t, orrery(t, dir, "train", set, "--peer-timeout", "1ms"), exitUsage, "peer-timeout")
	c := command(t, dir, "train", set)
	c.Env = append(c.Env, "RANK=5", "WORLD_SIZE=2", "MASTER_ADDR=127.0.0.1")
	fails(t, finish(t, c), exitUsage, "rank 5 of 2")
	c = command(t, dir, "train", set, "--interface", "no-such")
	c.Env = append(c.Env, "RANK=1", "WORLD_SIZE=2", "MASTER_ADDR=127.0.0.1")
	fails(t, finish(t, c), exitFailed, "no-such", "lo")
}
