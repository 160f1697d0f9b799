package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/trainer"
)

// launchedVariable marks the processes that --nproc started.
const launchedVariable = "ORRERY_LAUNCHED"

// An exitError is the exit code of a process that was started to do the work.
type exitError struct {
	error
	code int
}

// launches tells whether this process is to start others that train.
func launches(c *cli.Context) bool { return c.Int("nproc") != 1 && os.Getenv(launchedVariable) == "" }

// A launch is the processes of one machine that train together.
type launch struct {
	children []*exec.Cmd
	ended    chan int // index of a child
}

// launchTraining runs this command line nproc times and gives the first failure.
// Started itself as one of several, one for each machine, it makes the training
// one of all machines' processes.
func launchTraining(c *cli.Context) error {
	n := c.Int("nproc")
	if n < 1 || n > 1024 {
		return usagef("nproc is %d; it must be between 1 and 1024", n)
	}
	machines, err := trainer.FindPlace(os.Getenv)
	if err != nil {
		return usageError{err}
	}
	if machines == nil {
		port, err := freePort()
		if err != nil {
			return err
		}
		machines = &trainer.Place{Size: 1, Host: "127.0.0.1", Port: port}
	} else if machines.LocalSize > 1 {
		return usagef("nproc is %d, but %s started %d processes on this machine already; leave --nproc out", n, machines.Launcher, machines.LocalSize)
	}
	// The children's parent-death signal follows the thread that started them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l := &launch{ended: make(chan int, n)}
	for i := range n {
		if err := l.start(c, *machines, i, n); err != nil {
			l.signal(syscall.SIGKILL)
			return err
		}
	}
	return l.wait(c.Duration("peer-timeout"))
}

// freePort is a port of the loopback interface that was free a moment ago.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (l *launch) start(c *cli.Context, machines trainer.Place, i, n int) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self, os.Args[1:]...)
	child.Env = append(os.Environ(), launchedVariable+"=1",
		"RANK="+strconv.Itoa(machines.Rank*n+i), "WORLD_SIZE="+strconv.Itoa(machines.Size*n),
		"LOCAL_RANK="+strconv.Itoa(i), "LOCAL_WORLD_SIZE="+strconv.Itoa(n),
		"MASTER_ADDR="+machines.Host, "MASTER_PORT="+strconv.Itoa(machines.Port))
	child.Stderr = c.App.ErrWriter
	child.Stdout = io.Discard
	if i == 0 {
		child.Stdout = c.App.Writer
	}
	// A group of its own: a terminal's Ctrl-C then comes once, through us. Should we be killed, they stop
	// as if asked to.
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := child.Start(); err != nil {
		return err
	}
	l.children = append(l.children, child)
	go func() {
		child.Wait() //nolint:errcheck // ProcessState tells
		l.ended <- i
	}()
	return nil
}

func (l *launch) signal(s os.Signal) {
	for _, child := range l.children {
		child.Process.Signal(s) //nolint:errcheck // it may have ended
	}
}

// wait passes signals on until every child has ended. After one has failed the
// others find out by themselves; those that do not within the timeout are killed.
func (l *launch) wait(timeout time.Duration) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	var failed error
	var overdue <-chan time.Time
	for left := len(l.children); left > 0; {
		select {
		case s := <-signals:
			l.signal(s)
		case <-overdue:
			l.signal(syscall.SIGKILL)
		case i := <-l.ended:
			left--
			if code := exitCodeOf(l.children[i].ProcessState); code != exitOK && failed == nil {
				failed = exitError{fmt.Errorf("process %d of %d ended with exit code %d", i, len(l.children), code), code}
				overdue = time.After(timeout + 10*time.Second)
			}
		}
	}
	return failed
}

// exitCodeOf is a shell's: 128 and the signal's number for a killed process.
func exitCodeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// exitCodeIn finds the exit code that an error carries.
func exitCodeIn(err error) (int, bool) {
	var exit exitError
	if errors.As(err, &exit) {
		return exit.code, true
	}
	if trainer.IsPeerError(err) {
		return exitPeer, true
	}
	return 0, false
}
