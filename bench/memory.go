package bench

import (
	"os"
	"strconv"
	"strings"
)

// resetPeak makes the kernel forget the most resident memory that the process held
// so far. Where it may not, peaks are those since the process began.
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peakMemory is the most resident memory since resetPeak, in bytes; 0 where there is no /proc.
func peakMemory() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	return statusBytes(string(text), "VmHWM")
}

// statusBytes reads a line such as "VmHWM:   1234 kB" of a process's status; 0 without it.
func statusBytes(status, name string) int64 {
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		if key != name {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		if err != nil {
			return 0
		}
		return kib << 10
	}
	return 0
}
