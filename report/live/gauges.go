package live

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// A meter reads what the machine is busy with: processors and memory from /proc,
// elsewhere than on Linux nothing, and GPUs from nvidia-smi, if it is there.
type meter struct {
	busy, total float64 // of the last look, in ticks of all cores
}

func newMeter() *meter {
	m := &meter{}
	m.busy, m.total = cpuTicks()
	return m
}

func (m *meter) read() []gauge {
	list := []gauge{}
	busy, total := cpuTicks()
	if total > m.total && m.total > 0 {
		share := (busy - m.busy) / (total - m.total)
		list = append(list, gauge{"CPU", share, fmt.Sprintf("%.0f %%", 100*share)})
	}
	m.busy, m.total = busy, total
	if all, free := memory(); all > 0 {
		const gib = 1 << 20 // /proc/meminfo counts KiB
		list = append(list, gauge{"memory", (all - free) / all, fmt.Sprintf("%.1f of %.1f GiB", (all-free)/gib, all/gib)})
	}
	return append(list, gpus.read()...)
}

// cpuTicks reads the first line of /proc/stat: user nice system idle iowait irq softirq steal.
func cpuTicks() (busy, total float64) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	for i, field := range strings.Fields(first) {
		v, err := strconv.ParseFloat(field, 64)
		if i == 0 || i > 8 || err != nil {
			continue
		}
		total += v
		if i != 4 && i != 5 {
			busy += v
		}
	}
	return busy, total
}

func memory() (all, available float64) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		v, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "MemTotal:":
			all = v
		case "MemAvailable:":
			available = v
		}
	}
	return all, available
}
