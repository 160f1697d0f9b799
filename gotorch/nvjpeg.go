package gotorch

// #include <stdlib.h>
// #include "stubs.h"
import "C"

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"
)

// NVJPEG decodes JPEG files with NVIDIA's nvJPEG. It is used by one goroutine at a time.
type NVJPEG struct {
	p       *C.cgt_nvjpeg
	path    string
	version string
}

// JPEGFile is a file for NVJPEG and where its pixels go.
type JPEGFile struct {
	Content       []byte
	Width, Height int    // in pixels, as its frame header has them
	RGB           []byte // [Height, Width, 3]; written by Decode, at least of that length
}

// OpenNVJPEG opens nvJPEG for a device: $GOTORCH_NVJPEG, or else the library of libtorch's CUDA version among the wheels
// that libtorch lies in or where the loader looks. The error says what is missing. On the CPU only a stand-in decodes.
func OpenNVJPEG(device Device) (*NVJPEG, error) {
	if err := LoadLibrary(); err != nil {
		return nil, err
	}
	if why := Library().CUDAKernels; device.IsCUDA() && why != "" {
		return nil, &Error{Op: "OpenNVJPEG", Message: why}
	}
	var reasons []string
	for _, path := range nvjpegPaths(Library().TorchDir) {
		d := &NVJPEG{path: path}
		c := C.CString(path)
		r := C.cgt_nvjpeg_open(c, C.int8_t(device.T.kind), C.int16_t(device.T.index))
		C.free(unsafe.Pointer(c))
		if r.err != nil {
			reasons = append(reasons, takeString(r.err))
			continue
		}
		d.p = (*C.cgt_nvjpeg)(r.v)
		v := C.cgt_nvjpeg_version(d.p)
		if v.err != nil {
			reasons = append(reasons, path+": "+takeString(v.err))
			d.Close()
			continue
		}
		d.version = takeString(v.v)
		return d, nil
	}
	return nil, &Error{Op: "OpenNVJPEG", Message: strings.Join(reasons, "; ") + "; pip install nvidia-nvjpeg, or set GOTORCH_NVJPEG to the library"}
}

// nvjpegPaths are the places to look for nvJPEG, the likeliest first.
func nvjpegPaths(torchDir string) []string {
	if path := os.Getenv("GOTORCH_NVJPEG"); path != "" {
		return []string{path}
	}
	major := cudaMajor(torchDir)
	name := "libnvjpeg.so." + major
	wheels := filepath.Join(torchDir, "..", "nvidia")
	var found []string
	for _, path := range []string{filepath.Join(wheels, "cu"+major, "lib", name), filepath.Join(wheels, "nvjpeg", "lib", name)} {
		if _, err := os.Stat(path); err == nil {
			found = append(found, path)
		}
	}
	return append(found, name)
}

// cudaMajor is the CUDA that the libtorch in a folder is linked to, as in "13"; "13" where it is not to be told.
func cudaMajor(torchDir string) string {
	f, err := elf.Open(filepath.Join(torchDir, "lib", "libtorch_cuda.so"))
	if err != nil {
		return "13"
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return "13"
	}
	for _, l := range libraries {
		if major, is := strings.CutPrefix(l, "libcudart.so."); is {
			major, _, _ = strings.Cut(major, ".")
			return major
		}
	}
	return "13"
}

// Version is nvJPEG's own, as in "13.0.1".
func (d *NVJPEG) Version() string { return d.version }

// Path is the library that was opened.
func (d *NVJPEG) Path() string { return d.path }

// Decode decodes files as one batch, or one by one where nvJPEG refuses the batch. errs has an error for each file that it
// cannot decode, whose RGB is then as it was; err is that nothing could be done at all, as without memory.
func (d *NVJPEG) Decode(files []JPEGFile) (errs []error, err error) {
	if d.p == nil {
		return nil, &Error{Op: "NVJPEG.Decode", Message: "it was closed before"}
	}
	n := len(files)
	content, rgb := make([]*C.uint8_t, n), make([]*C.uint8_t, n)
	bytes, widths, heights := make([]C.int64_t, n), make([]C.int64_t, n), make([]C.int64_t, n)
	var pinner runtime.Pinner
	defer pinner.Unpin()
	for i, f := range files {
		if len(f.Content) == 0 || f.Width <= 0 || f.Height <= 0 || len(f.RGB) < 3*f.Width*f.Height {
			return nil, &Error{Op: "NVJPEG.Decode", Message: fmt.Sprintf("file %d of %d: %d bytes of %dx%d pixels, with room for %d bytes", i, n,
				len(f.Content), f.Width, f.Height, len(f.RGB))}
		}
		content[i], rgb[i] = (*C.uint8_t)(&f.Content[0]), (*C.uint8_t)(&f.RGB[0])
		pinner.Pin(content[i])
		pinner.Pin(rgb[i])
		bytes[i], widths[i], heights[i] = C.int64_t(len(f.Content)), C.int64_t(f.Width), C.int64_t(f.Height)
	}
	if n == 0 {
		return nil, nil
	}
	r := C.cgt_nvjpeg_decode(d.p, &content[0], &bytes[0], &rgb[0], &widths[0], &heights[0], C.int64_t(n))
	if err := failed(r.err, "NVJPEG.Decode"); err != nil {
		return nil, err
	}
	errs = make([]error, n)
	for i, why := range strings.SplitN(takeString(r.v), "\n", n) {
		if why = strings.TrimSuffix(why, "\n"); why != "" {
			errs[i] = errors.New(why)
		}
	}
	return errs, nil
}

// Close frees what the decoder holds of the device. Closing it again does nothing.
func (d *NVJPEG) Close() {
	if d.p != nil {
		C.cgt_nvjpeg_close(d.p)
		d.p = nil
	}
}
