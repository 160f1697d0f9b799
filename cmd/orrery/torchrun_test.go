package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A torchrun is PyTorch's own launcher with the processes it starts.
type torchrun struct {
	*exec.Cmd
	said bytes.Buffer
}

// startTorchrun has torchrun train, in a process group of its own.
func startTorchrun(t *testing.T, dir string, flags []string, args ...string) *torchrun {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(cache, "orrery", "peers", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Skip("torchrun is not installed: make peers installs it")
	}
	c := command(t, dir, args...)
	all := slices.Concat([]string{"-m", "torch.distributed.run"}, flags, []string{"--no-python"}, c.Args)
	r := &torchrun{Cmd: exec.Command(python, all...)}
	r.Dir, r.Env, r.Stderr = c.Dir, append(c.Env, "OMP_NUM_THREADS=1"), &r.said
	r.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.WaitDelay = 10 * time.Second // workers of a torchrun that is killed hold its standard error
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-r.Process.Pid, syscall.SIGKILL) }) //nolint:errcheck // it may have ended
	return r
}

// succeeds waits for torchrun to end well; one that waits for others forever is killed.
func (r *torchrun) succeeds(t *testing.T) {
	t.Helper()
	timer := time.AfterFunc(3*time.Minute, func() { syscall.Kill(-r.Process.Pid, syscall.SIGKILL) }) //nolint:errcheck // Wait tells
	defer timer.Stop()
	if err := r.Wait(); err != nil {
		t.Fatalf("torchrun: %v: %s", err, r.said.String())
	}
}

// workers are the processes that torchrun has started.
func (r *torchrun) workers(t *testing.T) []int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(r.Process.Pid), "task", strconv.Itoa(r.Process.Pid), "children"))
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// waitForCheckpoint waits until the run in dir has one to go on from.
func waitForCheckpoint(t *testing.T, dir string, said *bytes.Buffer) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if found, _ := filepath.Glob(filepath.Join(dir, "run", "checkpoints", "step-*.safetensors")); len(found) > 0 {
			return
		}
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("no checkpoint: %s", said.String())
		}
	}
}

// TestTorchrunRestarts: torchrun starts two processes; one is killed, torchrun
// starts both again, and they go on from the last checkpoint to the losses of a
// training by one.
func TestTorchrunRestarts(t *testing.T) {
	set, dir := photos(t, 40, "blue", "green", "red"), t.TempDir()
	args := slices.Concat([]string{"train", set, "-o", "run", "--resume", "auto", "--save-every", "2steps", "--peer-timeout", "5s"}, together)
	r := startTorchrun(t, dir, []string{"--nproc-per-node", "2", "--max-restarts", "3", "--master-port", strconv.Itoa(portForTest(t))}, args...)
	waitForCheckpoint(t, dir, &r.said)
	if pids := r.workers(t); len(pids) > 1 {
		syscall.Kill(pids[1], syscall.SIGKILL) //nolint:errcheck // it may have ended
	}
	r.succeeds(t)
	mustSucceed(t, orrery(t, dir, append([]string{"train", set, "-o", "one"}, together...)...))
	sameLosses(t, filepath.Join(dir, "one"), filepath.Join(dir, "run"), 1e-4)
}

// TestTorchrunLosesAMachine: of two machines' launchers one dies with its
// process; the other goes on alone from the last checkpoint, as --nnodes 1:2 allows.
// In the long form only: torchrun itself has been seen to wait forever for the lost one.
func TestTorchrunLosesAMachine(t *testing.T) {
	if !long() {
		t.Skip("how torchrun gets over a lost launcher is its own affair and not certain: ORRERY_LONG=1 tries it")
	}
	set, dir := photos(t, 40, "blue", "green", "red"), t.TempDir()
	args := slices.Concat([]string{"train", set, "-o", "run", "--resume", "auto", "--accept-changes", "world", "--save-every", "2steps", "--peer-timeout", "5s", "--interface", "lo"}, forever[:len(forever)-1], []string{"6", "--lr", "0.0003"})
	port := strconv.Itoa(portForTest(t))
	flags := []string{
		"--nproc-per-node", "1", "--nnodes", "1:2", "--max-restarts", "3", "--rdzv-backend", "c10d", "--rdzv-id", "test",
		"--rdzv-endpoint", "127.0.0.1:" + port, "--local-addr", "127.0.0.1",
		// As torchrun asks those to say who cannot wait for minutes.
		"--rdzv-conf", "timeout=60,last_call_timeout=8,keep_alive_interval=1,keep_alive_max_attempt=2",
	}
	// The first one serves what the launchers meet at, and is to stay.
	stays := startTorchrun(t, dir, flags, args...)
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			conn.Close()
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("torchrun serves no rendezvous: %s", stays.said.String())
		}
	}
	dies := startTorchrun(t, dir, flags, args...)
	waitForCheckpoint(t, dir, &stays.said)
	syscall.Kill(-dies.Process.Pid, syscall.SIGKILL) //nolint:errcheck // Wait tells
	for _, pid := range dies.workers(t) {
		syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // likewise
	}
	dies.Wait() //nolint:errcheck // it was killed
	stays.succeeds(t)
	if !strings.Contains(stays.said.String(), "2 processes trained, now it is 1") {
		t.Errorf("the other number of processes is not announced: %s", stays.said.String())
	}
	if rows := columns(t, filepath.Join(dir, "run", "history.csv")); len(rows) != 1+6 {
		t.Errorf("%d epochs, want 6", len(rows)-1)
	}
}
