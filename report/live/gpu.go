package live

import (
	"context"
	"encoding/csv"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A gpuMeter asks NVIDIA's program nvidia-smi, where it is installed. Its
// library would do, too, but a binary that is linked for it (NVIDIA/go-nvml)
// does not start where symbols are bound at once, as Ubuntu's compiler has it.
type gpuMeter struct {
	mu     sync.Mutex
	asking bool
	asked  time.Time
	gauges []gauge
}

const (
	gpuEvery = 2 * time.Second  // between two questions: each costs nvidia-smi a part of a second
	gpuLimit = 10 * time.Second // a driver that hangs must not pile them up
)

// gpus is shared by all pages.
var gpus gpuMeter

// read gives what was heard last, and asks again in the background when that has aged.
func (m *gpuMeter) read() []gauge {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.asking && time.Since(m.asked) >= gpuEvery {
		if program, err := exec.LookPath("nvidia-smi"); err == nil {
			m.asking = true
			go m.ask(program)
		}
	}
	return m.gauges
}

func (m *gpuMeter) ask(program string) {
	ctx, cancel := context.WithTimeout(context.Background(), gpuLimit)
	defer cancel()
	text, err := exec.CommandContext(ctx, program, "--query-gpu=index,utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits").Output()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asking, m.asked, m.gauges = false, time.Now(), nil
	if err == nil {
		m.gauges = parseGPUs(string(text))
	}
}

// parseGPUs reads nvidia-smi's answer, a line a GPU: index, percent busy, MiB
// used, MiB in all. What a GPU does not tell ("[N/A]") is left out.
func parseGPUs(text string) []gauge {
	in := csv.NewReader(strings.NewReader(text))
	in.TrimLeadingSpace, in.FieldsPerRecord = true, 4
	lines, err := in.ReadAll()
	if err != nil {
		return nil
	}
	var list []gauge
	for _, line := range lines {
		if busy, err := strconv.ParseFloat(line[1], 64); err == nil {
			list = append(list, gauge{"GPU " + line[0], busy / 100, fmt.Sprintf("%.0f %%", busy)})
		}
		used, err := strconv.ParseFloat(line[2], 64)
		total, err2 := strconv.ParseFloat(line[3], 64)
		if err == nil && err2 == nil && total > 0 {
			list = append(list, gauge{"GPU " + line[0] + " memory", used / total, fmt.Sprintf("%.1f of %.1f GiB", used/1024, total/1024)})
		}
	}
	return list
}
