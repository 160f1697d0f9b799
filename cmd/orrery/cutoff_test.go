package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// system runs a command of the system's.
func system(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// twoMachines makes two network namespaces with a cable between them.
func twoMachines(t *testing.T) (names, addresses [2]string) {
	t.Helper()
	for _, tool := range []string{"ip", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil || os.Geteuid() != 0 {
			t.Skipf("machines that are cut off need root, ip and iptables (%s: %v)", tool, err)
		}
	}
	id := strconv.Itoa(os.Getpid())
	names, addresses = [2]string{"orrery-a-" + id, "orrery-b-" + id}, [2]string{"10.213.77.1", "10.213.77.2"}
	for i, name := range names {
		if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
			t.Skipf("this machine makes no network namespace: %s", out)
		}
		t.Cleanup(func() { exec.Command("ip", "netns", "delete", name).Run() }) //nolint:errcheck // nothing to be done
		system(t, "ip", "-n", name, "link", "set", "lo", "up")
		if i == 0 {
			continue
		}
		system(t, "ip", "link", "add", "cable0", "netns", names[0], "type", "veth", "peer", "name", "cable0", "netns", names[1])
	}
	for i, name := range names {
		system(t, "ip", "-n", name, "address", "add", addresses[i]+"/24", "dev", "cable0")
		system(t, "ip", "-n", name, "link", "set", "cable0", "up")
	}
	return names, addresses
}

// TestCutOff: two machines train together and the cable is cut, by iptables that
// drop every packet. Both leave within the timeout and 5 s and name the other.
func TestCutOff(t *testing.T) {
	names, addresses := twoMachines(t)
	const timeout = 4 * time.Second
	set, dir := photos(t, 40, "blue", "red"), t.TempDir()
	var ranks [2]*rankProcess
	for i := range ranks {
		c := command(t, dir, append([]string{"train", set, "-o", "run", "--peer-timeout", timeout.String(), "--interface", "cable0"}, forever...)...)
		r := &rankProcess{Cmd: exec.Command("ip", append([]string{"netns", "exec", names[i]}, c.Args...)...)}
		r.Dir = dir
		r.Env = append(c.Env, fmt.Sprintf("RANK=%d", i), "WORLD_SIZE=2", "MASTER_ADDR="+addresses[0], "MASTER_PORT=29500")
		ranks[i] = r
	}
	startAll(t, ranks)
	waitForSteps(t, dir, ranks)
	system(t, "ip", "netns", "exec", names[1], "iptables", "-A", "INPUT", "-i", "cable0", "-j", "DROP")
	system(t, "ip", "netns", "exec", names[1], "iptables", "-A", "OUTPUT", "-o", "cable0", "-j", "DROP")
	cut := time.Now()
	for i, r := range ranks {
		select {
		case <-r.ended:
		case <-time.After(2 * time.Minute):
			t.Fatalf("rank %d never leaves: %s", i, r.said.String())
		}
		took, last := time.Since(cut), lastLine(&r.said)
		if code := r.ProcessState.ExitCode(); code != exitPeer {
			t.Errorf("rank %d: exit code %d, want %d: %s", i, code, exitPeer, last)
		}
		if ok, err := regexp.MatchString(fmt.Sprintf(`rank %d: .{8,} failed: rank %d.* (dead, stopped or cut off|left)`, i, 1-i), last); err != nil || !ok {
			t.Errorf("rank %d does not name the other and the collective: %s", i, last)
		}
		t.Logf("rank %d left after %.1f s: %s", i, took.Seconds(), last)
		if took > timeout+5*time.Second && long() {
			t.Errorf("rank %d took %v to leave, more than the timeout of %v and 5 s", i, took, timeout)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "run", "*", "*.tmp-*")); len(found) > 0 {
		t.Errorf("left behind: %v", found)
	}
}

func lastLine(said *bytes.Buffer) string {
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	return lines[len(lines)-1]
}
