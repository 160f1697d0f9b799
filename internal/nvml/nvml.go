// Package nvml asks NVIDIA's management library, which comes with the driver, what
// GPUs there are and how much energy they have used. The library is looked for
// when Open is called; a machine without it gets an error and nothing else.
//
// NVIDIA's own binding go-nvml is not used: it has the linker let unresolved
// symbols of the whole binary pass, and its programs do not start where symbols
// are bound at the start (its issues 18 and 131).
package nvml

// #cgo linux LDFLAGS: -ldl
// #include <dlfcn.h>
// #include <stdlib.h>
//
// typedef int (*nvml_none)(void);
// typedef int (*nvml_count)(unsigned int *);
// typedef int (*nvml_handle)(unsigned int, void **);
// typedef int (*nvml_text)(void *, char *, unsigned int);
// typedef int (*nvml_version)(char *, unsigned int);
// typedef int (*nvml_energy)(void *, unsigned long long *);
// typedef const char *(*nvml_error)(int);
//
// static int call_none(void *f) { return ((nvml_none)f)(); }
// static int call_count(void *f, unsigned int *n) { return ((nvml_count)f)(n); }
// static int call_handle(void *f, unsigned int i, void **d) { return ((nvml_handle)f)(i, d); }
// static int call_text(void *f, void *d, char *s, unsigned int n) { return ((nvml_text)f)(d, s, n); }
// static int call_version(void *f, char *s, unsigned int n) { return ((nvml_version)f)(s, n); }
// static int call_energy(void *f, void *d, unsigned long long *mj) { return ((nvml_energy)f)(d, mj); }
// static const char *call_error(void *f, int r) { return ((nvml_error)f)(r); }
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// A Library is NVIDIA's, open.
type Library struct {
	handle  unsafe.Pointer
	symbols map[string]unsafe.Pointer
}

var names = []string{
	"nvmlInit_v2", "nvmlShutdown", "nvmlErrorString", "nvmlSystemGetDriverVersion", "nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2",
	"nvmlDeviceGetName", "nvmlDeviceGetUUID", "nvmlDeviceGetTotalEnergyConsumption",
}

// Open loads the library and starts it. The caller closes it.
func Open() (*Library, error) { return open("libnvidia-ml.so.1") }

func open(file string) (*Library, error) {
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	l := &Library{handle: C.dlopen(name, C.RTLD_NOW|C.RTLD_LOCAL), symbols: map[string]unsafe.Pointer{}}
	if l.handle == nil {
		return nil, fmt.Errorf("NVIDIA's %s is not there: no driver", file)
	}
	for _, s := range names {
		symbol := C.CString(s)
		l.symbols[s] = C.dlsym(l.handle, symbol)
		C.free(unsafe.Pointer(symbol))
		if l.symbols[s] == nil {
			C.dlclose(l.handle)
			return nil, fmt.Errorf("%s has no %s: the driver is too old", file, s)
		}
	}
	if err := l.check(C.call_none(l.symbols["nvmlInit_v2"]), "starting"); err != nil {
		C.dlclose(l.handle)
		return nil, err
	}
	return l, nil
}

// Close ends the use of the library.
func (l *Library) Close() {
	C.call_none(l.symbols["nvmlShutdown"])
	C.dlclose(l.handle)
}

func (l *Library) check(code C.int, what string) error {
	if code == 0 {
		return nil
	}
	return errors.New("NVML, " + what + ": " + C.GoString(C.call_error(l.symbols["nvmlErrorString"], code)))
}

// Driver is the version of the driver.
func (l *Library) Driver() (string, error) {
	var text [96]C.char
	err := l.check(C.call_version(l.symbols["nvmlSystemGetDriverVersion"], &text[0], C.uint(len(text))), "the driver's version")
	return C.GoString(&text[0]), err
}

// A GPU is one of the machine's.
type GPU struct {
	Name string // as NVIDIA H100 80GB HBM3
	UUID string // as GPU-8f5c...

	library *Library
	device  unsafe.Pointer
}

// GPUs lists them in the order of their places on the bus.
func (l *Library) GPUs() ([]GPU, error) {
	var n C.uint
	if err := l.check(C.call_count(l.symbols["nvmlDeviceGetCount_v2"], &n), "counting GPUs"); err != nil {
		return nil, err
	}
	var list []GPU
	for i := range n {
		g := GPU{library: l}
		if err := l.check(C.call_handle(l.symbols["nvmlDeviceGetHandleByIndex_v2"], i, &g.device), fmt.Sprintf("GPU %d", i)); err != nil {
			return nil, err
		}
		for symbol, to := range map[string]*string{"nvmlDeviceGetName": &g.Name, "nvmlDeviceGetUUID": &g.UUID} {
			var text [96]C.char
			if err := l.check(C.call_text(l.symbols[symbol], g.device, &text[0], C.uint(len(text))), fmt.Sprintf("GPU %d", i)); err != nil {
				return nil, err
			}
			*to = C.GoString(&text[0])
		}
		list = append(list, g)
	}
	return list, nil
}

// Millijoules is the energy that the GPU has used since its driver was loaded.
// GPUs before Volta, and parts of one, do not tell.
func (g GPU) Millijoules() (uint64, error) {
	var mj C.ulonglong
	err := g.library.check(C.call_energy(g.library.symbols["nvmlDeviceGetTotalEnergyConsumption"], g.device, &mj), "the energy of "+g.Name)
	return uint64(mj), err
}
