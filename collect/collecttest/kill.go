package collecttest

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// childVariable tells a test program that it is to do a piece of work until it is killed.
const childVariable = "ORRERY_TEST_CHILD"

// Child runs work in place of the tests, when this process was started by Kill. TestMain calls it first. The arguments are Kill's.
func Child(work map[string]func(arguments []string)) {
	name := os.Getenv(childVariable)
	if name == "" {
		return
	}
	work[name](os.Args[1:])
	os.Exit(0)
}

// Kills is how often kill tests kill: $ORRERY_KILLS, else a few times.
func Kills(few int) int {
	if n, err := strconv.Atoi(os.Getenv("ORRERY_KILLS")); err == nil && n > 0 {
		return n
	}
	return few
}

// Kill starts this test program to do the named work, lets it live for up to longest, kills it as kill -9 does, and tells whether it
// was still at work.
func Kill(t *testing.T, longest time.Duration, name string, arguments ...string) (killed bool) {
	t.Helper()
	command := exec.Command(os.Args[0], arguments...)
	command.Env = append(os.Environ(), childVariable+"="+name)
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%s failed: %v", name, err)
		}
		return false
	case <-time.After(rand.N(longest)):
		_ = command.Process.Kill()
		return <-done != nil // nil: it ended by itself just before
	}
}
