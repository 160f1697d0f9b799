package gotorch

// #include "stubs.h"
// #include <stdlib.h>
import "C"

import (
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// Processes that train together, on libtorch's own c10d: its TCPStore to meet, Gloo for the
// collectives (NCCL for those of CUDA tensors, where asked to), the Reducer of DistributedDataParallel for gradients. Calls return an error when
// another process is gone or late; what they worked on is then undefined. A call waits for the other
// processes, so tensors' goroutines are the ones to make it.

// Store is where processes meet: a table of texts that one of them, or torchrun, serves. Its methods
// are safe for many goroutines, which then wait for each other.
type Store struct{ p *C.cgt_store }

// NewStore connects to the store at host:port, waiting up to timeout for it to be served. A listener,
// which this process listens on there, makes this process the server; it stays the caller's to close.
// The prefix keeps those apart who use one server for different things.
func NewStore(host string, port int, listener *os.File, prefix string, timeout time.Duration) (*Store, error) {
	if err := LoadLibrary(); err != nil {
		return nil, err
	}
	h, p := C.CString(host), C.CString(prefix)
	defer C.free(unsafe.Pointer(h))
	defer C.free(unsafe.Pointer(p))
	fd := -1
	if listener != nil {
		var err error
		if fd, err = syscall.Dup(int(listener.Fd())); err != nil {
			return nil, err
		}
		syscall.CloseOnExec(fd)
	}
	r := C.cgt_store_new(h, C.int64_t(port), C.int64_t(fd), p, milliseconds(timeout))
	if r.err != nil {
		return nil, failed(r.err, "NewStore")
	}
	return &Store{(*C.cgt_store)(r.v)}, nil
}

// Close leaves the store; the server's end is the end of it.
func (s *Store) Close() {
	if s.p != nil {
		C.cgt_store_free(s.p)
		s.p = nil
	}
}

// Set replaces the text of a key.
func (s *Store) Set(key, value string) error {
	if s.p == nil {
		return closed("Store.Set")
	}
	k, v := C.CString(key), C.CString(value)
	defer C.free(unsafe.Pointer(k))
	defer C.free(unsafe.Pointer(v))
	return failed(C.cgt_store_set(s.p, k, v, C.int64_t(len(value))), "Store.Set")
}

// Get waits up to timeout for a key to be set and returns its text.
func (s *Store) Get(key string, timeout time.Duration) (string, error) {
	if s.p == nil {
		return "", closed("Store.Get")
	}
	k := C.CString(key)
	defer C.free(unsafe.Pointer(k))
	r := C.cgt_store_get(s.p, k, milliseconds(timeout))
	if r.err != nil {
		return "", failed(r.err, "Store.Get")
	}
	defer C.cgt_free(unsafe.Pointer(r.v))
	return C.GoStringN(r.v, C.int(r.n)), nil
}

// Has tells whether a key was set.
func (s *Store) Has(key string) (bool, error) {
	if s.p == nil {
		return false, closed("Store.Has")
	}
	k := C.CString(key)
	defer C.free(unsafe.Pointer(k))
	r := C.cgt_store_check(s.p, k)
	return r.v != 0, failed(r.err, "Store.Has")
}

// ReduceOp is how AllReduce combines values.
type ReduceOp int8

// The reductions.
const (
	ReduceSum ReduceOp = iota
	ReduceMax
	ReduceMin
)

// ProcessGroup is the processes that call collectives together, each in the same order.
type ProcessGroup struct {
	p          *C.cgt_group
	rank, size int
}

// NewProcessGroup meets the other processes of a group of size through a store that is used for
// nothing else. Connections are made from the network interface of that name, or else from address,
// this machine's address towards the others. No collective takes longer than timeout.
func NewProcessGroup(s *Store, rank, size int, timeout time.Duration, address, networkInterface string) (*ProcessGroup, error) {
	if s.p == nil {
		return nil, closed("NewProcessGroup")
	}
	a, i := C.CString(address), C.CString(networkInterface)
	defer C.free(unsafe.Pointer(a))
	defer C.free(unsafe.Pointer(i))
	r := C.cgt_group_new(s.p, C.int64_t(rank), C.int64_t(size), milliseconds(timeout), a, i)
	if r.err != nil {
		return nil, failed(r.err, "NewProcessGroup")
	}
	return &ProcessGroup{(*C.cgt_group)(r.v), rank, size}, nil
}

// UseNCCL sends CUDA tensors through NCCL from now on, over this process's GPU; all processes of the group
// call it. The store is the group's. Without libcgotorch_cuda.so it is an error, and Gloo goes on.
func (g *ProcessGroup) UseNCCL(s *Store, device Device, timeout time.Duration) error {
	if g.p == nil || s.p == nil {
		return closed("UseNCCL")
	}
	return failed(C.cgt_group_use_nccl(g.p, s.p, milliseconds(timeout), C.int16_t(device.index())), "UseNCCL")
}

// Rank is this process's number in the group, from 0 on.
func (g *ProcessGroup) Rank() int { return g.rank }

// Size is the number of processes in the group.
func (g *ProcessGroup) Size() int { return g.size }

// Close leaves the group.
func (g *ProcessGroup) Close() {
	if g.p != nil {
		C.cgt_group_free(g.p)
		g.p = nil
	}
}

// AllReduce replaces t, in every process, by the combination of all processes' tensors.
func (g *ProcessGroup) AllReduce(t Tensor, op ReduceOp) error {
	if g.p == nil {
		return closed("AllReduce")
	}
	defer runtime.KeepAlive(t)
	return failed(C.cgt_group_all_reduce(g.p, t.c("AllReduce"), C.int8_t(op)), "AllReduce")
}

// Broadcast replaces t by root's.
func (g *ProcessGroup) Broadcast(t Tensor, root int) error {
	if g.p == nil {
		return closed("Broadcast")
	}
	defer runtime.KeepAlive(t)
	return failed(C.cgt_group_broadcast(g.p, t.c("Broadcast"), C.int64_t(root)), "Broadcast")
}

// AllGather returns the tensors of all processes, which have the same shape and dtype, by rank.
func (g *ProcessGroup) AllGather(t Tensor) (list []Tensor, err error) {
	if g.p == nil {
		return nil, closed("AllGather")
	}
	err = Try(func() { list = bornList(C.cgt_group_all_gather(g.p, t.c("AllGather")), "AllGather") })
	runtime.KeepAlive(t)
	return list, err
}

// Barrier waits for every process to come to it.
func (g *ProcessGroup) Barrier() error {
	if g.p == nil {
		return closed("Barrier")
	}
	return failed(C.cgt_group_barrier(g.p), "Barrier")
}

// SyncBatchNorm makes BatchNorm in training take its statistics over the batches of all processes
// (on), or each process over its own, as it is from the start.
func (g *ProcessGroup) SyncBatchNorm(on bool) error {
	if !on {
		return failed(C.cgt_group_sync_batch_norm(nil), "SyncBatchNorm")
	}
	if g.p == nil {
		return closed("SyncBatchNorm")
	}
	return failed(C.cgt_group_sync_batch_norm(g.p), "SyncBatchNorm")
}

// Reducer averages gradients over the processes of a group while backward still computes earlier
// layers': that of DistributedDataParallel. Every parameter must get a gradient in every step.
type Reducer struct {
	p      *C.cgt_reducer
	params []Tensor
}

// DefaultBucketBytes is how much of the gradients PyTorch sends at once.
const DefaultBucketBytes = 25 << 20

// NewReducer hooks into the parameters' gradients. The parameters are the same in every process.
func NewReducer(g *ProcessGroup, params []Tensor, bucketBytes int64) (*Reducer, error) {
	if g.p == nil {
		return nil, closed("NewReducer")
	}
	list := impls(params, "NewReducer")
	r := C.cgt_reducer_new(g.p, unsafe.SliceData(list), C.int64_t(len(list)), C.int64_t(bucketBytes))
	runtime.KeepAlive(params)
	if r.err != nil {
		return nil, failed(r.err, "NewReducer")
	}
	return &Reducer{(*C.cgt_reducer)(r.v), params}, nil
}

// BeforeForward is called before each step's forward pass.
func (r *Reducer) BeforeForward() error {
	if r.p == nil {
		return closed("Reducer.BeforeForward")
	}
	return failed(C.cgt_reducer_before_forward(r.p), "Reducer.BeforeForward")
}

// BeforeBackward is called between a step's forward pass and Backward, which then ends when all
// gradients are averaged.
func (r *Reducer) BeforeBackward() error {
	if r.p == nil {
		return closed("Reducer.BeforeBackward")
	}
	return failed(C.cgt_reducer_before_backward(r.p), "Reducer.BeforeBackward")
}

// Close unhooks the reducer.
func (r *Reducer) Close() {
	if r.p != nil {
		C.cgt_reducer_free(r.p)
		r.p = nil
	}
}

func milliseconds(d time.Duration) C.int64_t { return C.int64_t(d.Milliseconds()) }

// closed is the error of a call on what was closed.
func closed(op string) error { return &Error{Op: op, Message: "it was closed before"} }

// failed is the error of a call, nil when there is none.
func failed(err *C.char, op string) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Message: takeString(err)}
}
