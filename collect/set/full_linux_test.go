package set

import (
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk lets no file grow beyond a limit, as a full disk would. What was there stays whole, what did not fit is refused, and
// afterwards the set goes on.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	s := openSet(t, dir)
	addTo(t, s, "earth", 3)
	info, err := os.Stat(filepath.Join(dir, ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	for room := range 40 {
		small := syscall.Rlimit{Cur: uint64(info.Size()) + uint64(room*7), Max: limit.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &small); err != nil {
			t.Fatal(err)
		}
		err := s.manifest.add(Record{File: "mars/1.jpg", Title: strings.Repeat("x", 400)})
		if restoring := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); restoring != nil {
			t.Fatal(restoring)
		}
		if err == nil {
			t.Fatalf("a line of more than 400 bytes fits into %d", room*7)
		}
		if now, _ := os.Stat(filepath.Join(dir, ManifestName)); now.Size() != info.Size() {
			t.Fatalf("half a line of %d bytes is left", now.Size()-info.Size())
		}
	}
	addTo(t, s, "venus", 1)
	s.Close()
	recorded(t, dir)
}
