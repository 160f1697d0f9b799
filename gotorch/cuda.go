package gotorch

// #include "stubs.h"
import "C"

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
