package bench

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/internal/nvml"
)

// A Machine says what the rows were measured on, and with what.
type Machine struct {
	Cores     int     `json:"cores"`
	Threads   int     `json:"threads"` // that libtorch computes with on the CPU
	Libtorch  string  `json:"libtorch"`
	Kernels   string  `json:"kernels"` // instruction set of our own
	Commit    string  `json:"commit"`
	Processor string  `json:"processor"`
	GPU       string  `json:"gpu,omitempty"`
	Driver    string  `json:"driver,omitempty"`
	Dtype     string  `json:"dtype"`  // of weights and pictures
	Layout    string  `json:"layout"` // of pictures in memory
	Load      float64 `json:"load"`   // runnable threads, mean of the minute before; -1 where that is not known
	Date      string  `json:"date"`   // of the beginning, RFC 3339
	Command   string  `json:"command"`
}

func thisMachine(o Options) Machine {
	m := Machine{
		Cores: runtime.NumCPU(), Libtorch: torch.Library().Torch, Kernels: torch.KernelInstructions(), Commit: o.Commit,
		Dtype: "float32", Layout: "channels-last", Load: -1, Date: time.Now().Format(time.RFC3339), Command: strings.Join(o.Command, " "),
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.Processor = processorName(string(text))
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(text), " ")
		if load, err := strconv.ParseFloat(first, 64); err == nil {
			m.Load = load
		}
	}
	if library, err := nvml.Open(); err == nil {
		defer library.Close()
		m.Driver, _ = library.Driver()
		if gpus, err := library.GPUs(); err == nil && len(gpus) > 0 {
			m.GPU = gpus[0].Name
		}
	}
	return m
}

// busyLoad is the share of the cores that others may use before figures are doubted.
const busyLoad = 0.25

// busy is a note about a machine that does other work; "" for one that does not.
func (m Machine) busy() string {
	if m.Load <= busyLoad*float64(m.Cores) {
		return ""
	}
	return "the machine was busy before the measurement began (load " + strconv.FormatFloat(m.Load, 'f', 1, 64) + " on " +
		strconv.Itoa(m.Cores) + " cores): the figures are lower than it can do"
}

// processorName reads the first model name of /proc/cpuinfo.
func processorName(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
