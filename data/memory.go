package data

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// AvailableMemory returns the bytes of memory that may be taken without
// swapping: the kernel's estimate, or what the control group leaves if that
// is less. Where the kernel does not say, it assumes 1 GiB.
func AvailableMemory() int64 {
	avail := int64(1 << 30)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.SplitSeq(string(b), "\n") {
			if rest, ok := strings.CutPrefix(line, "MemAvailable:"); ok {
				if kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
					avail = kb << 10
				}
			}
		}
	}
	for _, g := range [][2]string{
		{"memory.max", "memory.current"},                                 // version 2
		{"memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"}, // version 1
	} {
		limit, ok1 := cgroupValue(g[0])
		used, ok2 := cgroupValue(g[1])
		if ok1 && ok2 && limit > 0 && limit-used < avail {
			avail = max(limit-used, 0)
		}
	}
	return avail
}

func cgroupValue(name string) (int64, bool) {
	b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", name))
	if err != nil {
		return 0, false
	}
	v, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return v, err == nil // "max" is no number: no limit
}
