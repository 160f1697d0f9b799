package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/wangkuiyi/orrery/internal/nvml"
)

// An Energy is what pictures cost in energy: of the whole processor packages and,
// on a GPU, of that too, whoever else uses them.
type Energy struct {
	Per1000Images float64 `json:"joules_per_1000_images"`
	// PerEpoch is that of the training half of an epoch; 0 without a set.
	PerEpoch float64 `json:"joules_per_epoch,omitempty"`
	Watts    float64 `json:"watts"` // mean
	Source   string  `json:"source"`
}

// energyOf is nil unless every pass was metered.
func energyOf(passes []pass, epoch int, source string) *Energy {
	joules, seconds, images := 0.0, 0.0, 0
	for _, p := range passes {
		if !p.metered {
			return nil
		}
		joules, seconds, images = joules+p.joules, seconds+p.total.Seconds(), images+p.images
	}
	return &Energy{
		Per1000Images: 1000 * joules / float64(images), PerEpoch: float64(epoch) * joules / float64(images),
		Watts: joules / seconds, Source: source,
	}
}

// A counter counts energy upwards, in units of joules, and begins anew after the
// value wrap; 0: never.
type counter struct {
	name string
	unit float64
	wrap uint64
	read func() (uint64, error)
}

// since is how far a counter came between two readings, over at most one wrap.
func (c counter) since(from, to uint64) float64 {
	if to < from {
		to += c.wrap + 1
	}
	return float64(to-from) * c.unit
}

// A meter adds counters up. Without counters it meters nothing.
type meter struct {
	counters []counter
	source   string
	close    func()
}

// reading is what each counter said.
func (m *meter) reading() ([]uint64, error) {
	if len(m.counters) == 0 {
		return nil, errors.New("there is no counter")
	}
	var list []uint64
	for _, c := range m.counters {
		v, err := c.read()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// joules is what was used between two readings.
func (m *meter) joules(from, to []uint64) float64 {
	sum := 0.0
	for i, c := range m.counters {
		sum += c.since(from[i], to[i])
	}
	return sum
}

// powercap is where Linux shows the processor's counters (RAPL).
const powercap = "/sys/class/powercap"

// newMeter finds the counters of a device. Why some are not there is told in notes.
func newMeter(device string) (m *meter, notes []string) {
	m = &meter{close: func() {}}
	var sources []string
	packages, err := raplCounters(powercap)
	if err != nil {
		notes = append(notes, fmt.Sprintf("energy of the processor is not known: %v", err))
	} else {
		m.counters = append(m.counters, packages...)
		sources = append(sources, "RAPL "+strings.Join(namesOf(packages), "+"))
	}
	if kindOf(device) == "cuda" {
		gpu, library, err := gpuCounter(device)
		if err != nil {
			// The processor's part alone would pass for the whole.
			return &meter{close: func() {}}, append(notes, fmt.Sprintf("energy on %s is not known: %v", device, err))
		}
		m.close = library.Close
		m.counters = append(m.counters, gpu)
		sources = append(sources, "NVML "+gpu.name)
	}
	m.source = strings.Join(sources, ", ")
	return m, notes
}

func namesOf(counters []counter) []string {
	var names []string
	for _, c := range counters {
		names = append(names, c.name)
	}
	return names
}

// raplCounters are those of the processor packages below root, and of their memory
// where that counts by itself.
func raplCounters(root string) ([]counter, error) {
	// intel-rapl:0 is a package, intel-rapl:0:1 a part of it; AMD's processors have the same names.
	folders, err := filepath.Glob(filepath.Join(root, "intel-rapl:*"))
	if err != nil || len(folders) == 0 {
		return nil, fmt.Errorf("%s has no RAPL counters", root)
	}
	slices.Sort(folders)
	var list []counter
	for _, folder := range folders {
		name, err := firstLine(filepath.Join(folder, "name"))
		if err != nil || !strings.HasPrefix(name, "package") && name != "dram" {
			continue // core and uncore are parts of the package, psys holds it
		}
		file := filepath.Join(folder, "energy_uj")
		wrap, err := number(filepath.Join(folder, "max_energy_range_uj"))
		if err == nil {
			_, err = number(file)
		}
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("%s may be read by root alone", file)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, counter{name, 1e-6, wrap, func() (uint64, error) { return number(file) }})
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s has no counter of a processor package", root)
	}
	return list, nil
}

func firstLine(file string) (string, error) {
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

func number(file string) (uint64, error) {
	text, err := firstLine(file)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s holds %q, not a number", file, text)
	}
	return v, nil
}

// gpuCounter is that of a CUDA device. The caller closes the library.
func gpuCounter(device string) (counter, *nvml.Library, error) {
	library, err := nvml.Open()
	if err != nil {
		return counter{}, nil, err
	}
	gpus, err := library.GPUs()
	var at int
	if err == nil {
		at, err = gpuOf(device, gpus, os.Getenv)
	}
	if err == nil {
		_, err = gpus[at].Millijoules()
	}
	if err != nil {
		library.Close()
		return counter{}, nil, err
	}
	return counter{name: gpus[at].Name, unit: 1e-3, read: gpus[at].Millijoules}, library, nil
}

// gpuOf finds which GPU of the machine a CUDA device is: CUDA_VISIBLE_DEVICES
// renumbers them, and CUDA's own order is NVML's only among equal ones.
func gpuOf(device string, gpus []nvml.GPU, getenv func(string) string) (int, error) {
	_, text, _ := strings.Cut(device, ":")
	index, _ := strconv.Atoi(text)
	alike := !slices.ContainsFunc(gpus, func(g nvml.GPU) bool { return g.Name != gpus[0].Name })
	ordered := alike || getenv("CUDA_DEVICE_ORDER") == "PCI_BUS_ID"
	if visible := getenv("CUDA_VISIBLE_DEVICES"); visible != "" {
		list := strings.Split(visible, ",")
		if index >= len(list) {
			return 0, fmt.Errorf("%s is not among CUDA_VISIBLE_DEVICES=%s", device, visible)
		}
		word := strings.TrimSpace(list[index])
		for i, g := range gpus {
			if word == g.UUID || strings.HasPrefix(word, "GPU-") && strings.HasPrefix(g.UUID, word) {
				return i, nil
			}
		}
		n, err := strconv.Atoi(word)
		if err != nil {
			return 0, fmt.Errorf("NVML has no GPU %s, which CUDA_VISIBLE_DEVICES names", word)
		}
		index = n
	}
	switch {
	case index < 0 || index >= len(gpus):
		return 0, fmt.Errorf("NVML has %d GPUs, and none for %s", len(gpus), device)
	case !ordered:
		return 0, errors.New("which of the machine's unlike GPUs it is cannot be told; set CUDA_DEVICE_ORDER=PCI_BUS_ID")
	}
	return index, nil
}
