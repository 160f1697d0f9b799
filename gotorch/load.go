package gotorch

// #cgo LDFLAGS: -ldl
// #include "stubs.h"
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"
)

//go:generate go run ./internal/gen

const libraryName = "libcgotorch.so"

// oldest is the first version of libtorch that is supported.
var oldest = [2]int{2, 7}

var (
	loaded   atomic.Bool // the functions of the interface may be called
	loadOnce sync.Mutex
	library  LibraryInfo
	handleOf unsafe.Pointer // dlopen's handle of libcgotorch.so
)

// LibraryInfo says which native libraries a program runs with.
type LibraryInfo struct {
	Path     string // libcgotorch.so
	BuiltFor string // the version of libtorch it was built for, as in 2.11.0
	Torch    string // the version of the libtorch that is loaded
	TorchDir string // the folder of that libtorch, empty when unknown
	// CUDA says why there is no GPU to use, in one line that begins with driver, library or off; "" when
	// there is one. CUDAKernels says why libcgotorch_cuda.so is not in use, beginning with arch where it
	// is not built for the GPU; libtorch then computes alone.
	CUDA, CUDAKernels string
	GPUs              string // a line for each GPU, and one for driver and kernels; known to our kernels only
}

// Library describes the native libraries in use; it is empty before the first tensor and before
// [LoadLibrary].
func Library() LibraryInfo {
	loadOnce.Lock()
	defer loadOnce.Unlock()
	return library
}

// LoadLibrary finds and opens libcgotorch.so and with it libtorch, and checks that the two fit each
// other and this package. It is called by the first operation; a program calls it before that to
// get an error in place of a panic. Calling it again returns at once. An error is one line: what was
// expected, what was found, and what to do.
//
// libcgotorch.so is looked for in the folder $ORRERY_LIB; in lib and ../lib beside the executable;
// then, for development and go test, in build/torch-VERSION of the folders above this source file
// ($TORCH picks the version, the pinned one first otherwise). It brings the libtorch it was built
// with; $LIBTORCH, a folder with lib/libtorch_cpu.so, takes its place.
func LoadLibrary() error {
	if loaded.Load() {
		return nil
	}
	loadOnce.Lock()
	defer loadOnce.Unlock()
	if loaded.Load() {
		return nil
	}
	info, err := load()
	if err != nil {
		return err
	}
	library = info
	loaded.Store(true)
	return nil
}

// need is LoadLibrary for the functions that take no tensor.
func need() {
	if loaded.Load() {
		return
	}
	if err := LoadLibrary(); err != nil {
		panic(&Error{Op: "LoadLibrary", Message: err.Error()})
	}
}

func load() (LibraryInfo, error) {
	path, err := findLibrary()
	if err != nil {
		return LibraryInfo{}, err
	}
	info := LibraryInfo{Path: path}
	if dir := os.Getenv("LIBTORCH"); dir != "" {
		if err := preload(dir); err != nil {
			return info, err
		}
		info.TorchDir = dir
	}
	lib, why := open(path, false)
	if lib == nil {
		return info, fmt.Errorf("expected to load %s, found %s%s; run make build to build it for the libtorch there is",
			path, why, hintTorch(info.TorchDir))
	}
	want := abi
	if got := callString(lib, "cgt_abi"); got != want {
		return info, fmt.Errorf("expected %s with the interface %s, found %s; run make build to rebuild it for this gotorch",
			path, want, orNothing(got))
	}
	info.BuiltFor = callString(lib, "cgt_built_for")
	if missing := C.gt_bind(lib); missing != nil {
		return info, fmt.Errorf("expected %s to have the function %s, found none; run make build to rebuild it",
			path, C.GoString(missing))
	}
	config := C.cgt_config()
	if config.err != nil {
		return info, fmt.Errorf("expected libtorch to describe itself, found: %s; run make build", takeString(config.err))
	}
	text := takeString(config.v)
	info.Torch = versionIn(text)
	if info.TorchDir == "" {
		info.TorchDir = mappedFolder("libtorch_cpu.so")
	}
	if err := fits(info); err != nil {
		return info, err
	}
	handleOf = lib
	info.loadCUDA()
	return info, nil
}

// fits refuses a libtorch that is too old or not the one libcgotorch was built for.
func fits(info LibraryInfo) error {
	var major, minor int
	if n, _ := fmt.Sscanf(info.Torch, "%d.%d", &major, &minor); n < 2 {
		return fmt.Errorf("expected libtorch %s in %s, found one that does not say its version; set LIBTORCH to the folder of libtorch %s",
			info.BuiltFor, orNothing(info.TorchDir), info.BuiltFor)
	}
	if major < oldest[0] || major == oldest[0] && minor < oldest[1] {
		return fmt.Errorf("expected libtorch %d.%d or newer, found %s in %s; install a newer one and run make build",
			oldest[0], oldest[1], info.Torch, orNothing(info.TorchDir))
	}
	if info.Torch != info.BuiltFor {
		return fmt.Errorf("expected libtorch %s, for which %s was built, found %s in %s; set LIBTORCH to a libtorch %s or run make build for %s",
			info.BuiltFor, info.Path, info.Torch, orNothing(info.TorchDir), info.BuiltFor, info.Torch)
	}
	return nil
}

var torchVersion = regexp.MustCompile(`TORCH_VERSION=(\d+\.\d+\.\d+)`)

func versionIn(config string) string {
	if m := torchVersion.FindStringSubmatch(config); m != nil {
		return m[1]
	}
	return ""
}

// preload opens the libtorch in dir before libcgotorch asks for one: the loader then takes it.
func preload(dir string) error {
	for _, name := range []string{"libc10.so", "libtorch_cpu.so"} {
		path := filepath.Join(dir, "lib", name)
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("expected libtorch in LIBTORCH=%s, found no %s; set LIBTORCH to a folder with lib/libtorch_cpu.so or unset it",
				dir, path)
		}
		if lib, why := open(path, true); lib == nil {
			return fmt.Errorf("expected to load libtorch from LIBTORCH=%s, found %s; unset LIBTORCH or give a whole libtorch", dir, why)
		}
	}
	return nil
}

// hintTorch names the version of the libtorch in dir by its files, for an error message.
func hintTorch(dir string) string {
	if dir == "" {
		return ""
	}
	for _, name := range []string{"build-version", "version.py"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			continue
		}
		if m := regexp.MustCompile(`\d+\.\d+\.\d+[\w.+]*`).Find(b); m != nil {
			return " with libtorch " + string(m) + " in " + dir
		}
	}
	return " with the libtorch in " + dir
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// findLibrary returns the path of libcgotorch.so.
func findLibrary() (string, error) {
	if dir := os.Getenv("ORRERY_LIB"); dir != "" {
		path := filepath.Join(dir, libraryName)
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("expected %s in ORRERY_LIB=%s, found none; set ORRERY_LIB to the folder of a build or unset it",
				libraryName, dir)
		}
		return filepath.Abs(path)
	}
	var tried []string
	for _, dir := range searchFolders() {
		path := filepath.Join(dir, libraryName)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		tried = append(tried, dir)
	}
	return "", fmt.Errorf("expected %s, found none in %s; run make build, or set ORRERY_LIB to its folder",
		libraryName, strings.Join(tried, ", "))
}

func searchFolders() []string {
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		dir := filepath.Dir(exe)
		dirs = append(dirs, filepath.Join(dir, "lib"), filepath.Join(filepath.Dir(dir), "lib"))
	}
	_, here, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(here) {
		return dirs
	}
	for dir := filepath.Dir(here); ; dir = filepath.Dir(dir) {
		dirs = append(dirs, builds(filepath.Join(dir, "build"))...)
		if dir == filepath.Dir(dir) {
			return dirs
		}
	}
}

// builds lists build/torch-VERSION: the one $TORCH names, or all, the pinned version first.
func builds(build string) []string {
	if v := os.Getenv("TORCH"); v != "" {
		return existing(filepath.Join(build, "torch-"+v))
	}
	found, _ := filepath.Glob(filepath.Join(build, "torch-*"))
	return append(existing(filepath.Join(build, "torch-"+Pinned)), found...)
}

// Pinned is the version of libtorch that development and tests use first.
const Pinned = "2.11.0"

func existing(dir string) []string {
	if _, err := os.Stat(dir); err != nil {
		return nil
	}
	return []string{dir}
}

// mappedFolder finds the folder above lib/ of a library in this process's memory map.
func mappedFolder(name string) string {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(maps), "\n") {
		if i := strings.IndexByte(line, '/'); i >= 0 && filepath.Base(line[i:]) == name {
			return filepath.Dir(filepath.Dir(line[i:]))
		}
	}
	return ""
}

func open(path string, global bool) (unsafe.Pointer, string) {
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	// dlerror belongs to the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var why *C.char
	g := C.int(0)
	if global {
		g = 1
	}
	if lib := C.gt_open(p, g, &why); lib != nil {
		return lib, ""
	}
	return nil, C.GoString(why)
}

func callString(lib unsafe.Pointer, function string) string {
	f := symbol(lib, function)
	if f == nil {
		return ""
	}
	return C.GoString(C.gt_call_string(f))
}

func symbol(lib unsafe.Pointer, name string) unsafe.Pointer {
	n := C.CString(name)
	defer C.free(unsafe.Pointer(n))
	return C.gt_symbol(lib, n)
}

// Symbol returns the address of a C function of libcgotorch.so, for packages with kernels of their
// own in it. It loads the library first.
func Symbol(name string) (unsafe.Pointer, error) {
	if err := LoadLibrary(); err != nil {
		return nil, err
	}
	if p := symbol(handleOf, name); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("expected the function %s in %s, found none; run make build", name, library.Path)
}

const cudaLibraryName = "libcgotorch_cuda.so"

// loadCUDA opens libtorch_cuda.so and our kernels for it, where there is a driver, before anything asks
// libtorch for CUDA: libtorch keeps its first answer. It notes what was found, or why it is not used.
// $GOTORCH_CUDA=off keeps away from the GPU; =load loads without a driver, to see that the libraries do.
func (info *LibraryInfo) loadCUDA() {
	info.CUDA = loadTorchCUDA(info.TorchDir)
	info.CUDAKernels = info.CUDA
	if info.CUDA != "" {
		return
	}
	path := filepath.Join(filepath.Dir(info.Path), cudaLibraryName)
	if _, err := os.Stat(path); err != nil {
		info.CUDAKernels = "library: no " + path + "; run make cuda"
	} else {
		p := C.CString(path)
		defer C.free(unsafe.Pointer(p))
		if r := C.cgt_cuda_open(p); r.err != nil {
			info.CUDAKernels = takeString(r.err)
		} else {
			info.GPUs = strings.TrimSpace(takeString(r.v))
		}
	}
	if C.cgt_cuda_device_count() == 0 {
		info.CUDA = "driver: libtorch sees no GPU"
		if strings.HasPrefix(info.CUDAKernels, "driver: ") {
			info.CUDA = info.CUDAKernels
		}
	}
}

// loadTorchCUDA returns why libtorch_cuda.so is not loaded.
func loadTorchCUDA(dir string) string {
	how := os.Getenv("GOTORCH_CUDA")
	path := filepath.Join(dir, "lib", "libtorch_cuda.so")
	if how == "off" {
		return "off: GOTORCH_CUDA=off is set"
	}
	if _, err := os.Stat(path); err != nil {
		return "library: the libtorch in " + dir + " is for the CPU only"
	}
	if _, why := open("libcuda.so.1", true); why != "" && how != "load" {
		return "driver: no NVIDIA driver is on this machine: " + why
	}
	p := C.CString(path)
	defer C.free(unsafe.Pointer(p))
	if r := C.cgt_load_cuda(p); r.err != nil {
		return "library: " + takeString(r.err)
	}
	return ""
}
