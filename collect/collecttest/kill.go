package collecttest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

// childVariable tells a test program that it is to do a piece of work until it is killed.
const childVariable = "ORRERY_TEST_CHILD"

// atWork is what a child says when its work begins.
const atWork = "at work"

// Child runs work in place of the tests, when this process was started by Kill. TestMain calls it first. The arguments are Kill's.
func Child(work map[string]func(arguments []string)) {
	name := os.Getenv(childVariable)
	if name == "" {
		return
	}
	fmt.Println(atWork)
	work[name](os.Args[1:])
	os.Exit(0)
}

// Kills is how often kill tests kill a process at work: a few times, 200 times with ORRERY_LONG.
func Kills(few int) int {
	if os.Getenv("ORRERY_LONG") != "" {
		return 200
	}
	return few
}

// Kill starts this test program to do the named work, lets it work for up to longest, kills it as kill -9 does, and tells whether it
// was still at work.
func Kill(t *testing.T, longest time.Duration, name string, arguments ...string) (killed bool) {
	t.Helper()
	command := exec.Command(os.Args[0], arguments...)
	command.Env = append(os.Environ(), childVariable+"="+name)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len(atWork))
	if _, err := io.ReadFull(out, said); err != nil || string(said) != atWork {
		t.Fatalf("%s did not begin: %q, %v", name, said, err)
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
