package augment

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// lowest is the nice value of a thread that gives way to every other.
const lowest = 19

// giveWay lowers the priority of the calling goroutine's thread, which ends with the goroutine.
func giveWay() {
	runtime.LockOSThread()
	// Without the right to it, the thread runs as all others do: slower, not wrong.
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), lowest)
}

// hugePages asks for pages of 2 MiB: a batch then takes some twenty of them, not thousands. Where the system has none,
// nothing is lost.
func hugePages(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }
