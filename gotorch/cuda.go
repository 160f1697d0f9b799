package gotorch

// #include "stubs.h"
import "C"

import (
	"path/filepath"
	"runtime"
	"sync"
	"unsafe"
)

type streamID struct {
	device int16
	id     int64
}

// CUDAStream is a queue of work on a CUDA GPU.
type CUDAStream struct{ P streamID }

// GetCurrentCUDAStream returns the stream that operations of this thread use on a device.
func GetCurrentCUDAStream(device Device) CUDAStream {
	need()
	var id C.int64_t
	r := C.cgt_stream_current(C.int16_t(device.T.index), &id)
	check(r.err, "GetCurrentCUDAStream")
	return CUDAStream{streamID{int16(r.v), int64(id)}}
}

// NewCUDAStream returns a stream from libtorch's pool.
func NewCUDAStream(device Device) CUDAStream {
	need()
	var id C.int64_t
	r := C.cgt_stream_new(C.int16_t(device.T.index), &id)
	check(r.err, "NewCUDAStream")
	return CUDAStream{streamID{int16(r.v), int64(id)}}
}

// SetCurrentCUDAStream makes operations of this thread use a stream.
func SetCurrentCUDAStream(stream CUDAStream) {
	need()
	check(C.cgt_stream_set(C.int16_t(stream.P.device), C.int64_t(stream.P.id)), "SetCurrentCUDAStream")
}

// Query tells whether all work queued on the stream is done.
func (s CUDAStream) Query() bool {
	need()
	r := C.cgt_stream_query(C.int16_t(s.P.device), C.int64_t(s.P.id))
	check(r.err, "CUDAStream.Query")
	return r.v != 0
}

// Synchronize waits until all work queued on the stream is done. It panics when that work failed or there is no CUDA.
func (s CUDAStream) Synchronize() {
	need()
	check(C.cgt_stream_synchronize(C.int16_t(s.P.device), C.int64_t(s.P.id)), "CUDAStream.Synchronize")
}

// OnCUDAStream runs f with its operations on a stream.
func OnCUDAStream(stream CUDAStream, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := GetCurrentCUDAStream(Device{deviceID{deviceCUDA, stream.P.device}})
	SetCurrentCUDAStream(stream)
	defer SetCurrentCUDAStream(before)
	f()
}

// CUDAMemory returns how many bytes of a GPU are free and how many it has. It panics without
// libcgotorch_cuda.so.
func CUDAMemory(device Device) (free, all int64) {
	need()
	var total C.int64_t
	r := C.cgt_cuda_memory(C.int16_t(device.index()), &total)
	check(r.err, "CUDAMemory")
	return int64(r.v), int64(total)
}

// CUDAStreamHandle is the cudaStream_t that operations of this thread use on a device, for kernels of
// other packages. It panics without libcgotorch_cuda.so.
func CUDAStreamHandle(device Device) unsafe.Pointer {
	need()
	r := C.cgt_cuda_stream(C.int16_t(device.index()))
	check(r.err, "CUDAStreamHandle")
	return r.v
}

func (d Device) index() int16 { return max(d.T.index, 0) }

// CUDASymbol is Symbol for libcgotorch_cuda.so.
func CUDASymbol(name string) (unsafe.Pointer, error) {
	if err := LoadLibrary(); err != nil {
		return nil, err
	}
	info := Library()
	if info.CUDAKernels != "" {
		return nil, &Error{Op: "CUDASymbol", Message: info.CUDAKernels}
	}
	path := filepath.Join(filepath.Dir(info.Path), cudaLibraryName)
	lib, why := open(path, false)
	if lib == nil {
		return nil, &Error{Op: "CUDASymbol", Message: why}
	}
	if p := symbol(lib, name); p != nil {
		return p, nil
	}
	return nil, &Error{Op: "CUDASymbol", Message: "no function " + name + " in " + path + "; run make cuda"}
}

// CUDAGraph is work of a GPU that was recorded once and is done again as a whole, without the time the
// processor takes to ask for each of its operations.
type CUDAGraph struct {
	p    *C.cgt_graph
	once sync.Once
}

// RecordCUDAGraph records what f asks of a GPU, without doing it. f must have run before on a stream of
// its own, so that what is made once is made; it must not read results or wait for the GPU. Its tensors
// live in memory of the graph: those read or written by it later are kept by the caller, and every
// Replay overwrites them. An error says why f cannot be recorded; nothing is left of the attempt.
func RecordCUDAGraph(device Device, f func()) (graph *CUDAGraph, err error) {
	if err := Try(func() { Synchronize(device) }); err != nil {
		return nil, err
	}
	var stream CUDAStream
	if err := Try(func() { stream = NewCUDAStream(device) }); err != nil {
		return nil, err
	}
	caught := Try(func() {
		OnCUDAStream(stream, func() {
			r := C.cgt_graph_begin(C.int16_t(device.index()))
			check(r.err, "RecordCUDAGraph")
			g := &CUDAGraph{p: (*C.cgt_graph)(r.v)}
			failed := Try(f)
			ended := failedCall(C.cgt_graph_end(g.p))
			if failed == nil {
				failed = ended
			}
			if failed != nil {
				g.Close()
				panic(failed)
			}
			graph = g
		})
	})
	return graph, caught
}

func failedCall(err *C.char) error { return failed(err, "RecordCUDAGraph") }

// Replay asks for the recorded work on the current stream. It waits for nothing.
func (g *CUDAGraph) Replay() {
	if g.p == nil {
		refuse("CUDAGraph.Replay", "it was closed before")
	}
	check(C.cgt_graph_replay(g.p), "CUDAGraph.Replay")
}

// Close frees the recording and its memory. Closing it again does nothing.
func (g *CUDAGraph) Close() {
	g.once.Do(func() {
		C.cgt_graph_free(g.p)
		g.p = nil
	})
}
