package trainer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

// lockRun makes this process the only writer of a run folder. The kernel lets
// the lock go when its process ends in whatever way, so none is ever stale; the
// file tells others who has it.
func lockRun(dir string) (*Run, error) {
	path := filepath.Join(dir, lockFile)
	for {
		lock := flock.New(path)
		taken, err := lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("run folder %s: %w", dir, err)
		}
		if !taken {
			return nil, fmt.Errorf("run folder %s: another process is training into it%s; wait for it or give another --output", dir, owner(path))
		}
		if !isFile(lock, path) { // its owner removed it between our opening and locking it
			lock.Unlock()
			continue
		}
		host, err := os.Hostname()
		if err != nil {
			host = "an unnamed host"
		}
		// A full disk keeps nobody from training: the name is for people.
		os.WriteFile(path, fmt.Appendf(nil, "process %d on %s", os.Getpid(), host), 0o644) //nolint:errcheck
		return &Run{Dir: dir, lock: lock}, nil
	}
}

// isFile tells whether the locked file is still the one at path.
func isFile(lock *flock.Flock, path string) bool {
	locked, err := lock.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(locked, now)
}

// owner says in brackets who holds a lock.
func owner(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 || len(text) > 300 {
		return ""
	}
	return " (" + strings.TrimSpace(string(text)) + ")"
}

// unlock removes the lock's file while it is still ours and lets it go. A file
// that cannot be removed is no harm: the lock is the kernel's.
func unlock(lock *flock.Flock) error {
	os.Remove(lock.Path())
	return lock.Unlock()
}
