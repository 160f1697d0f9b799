package data

import (
	"errors"
	"sync"
	"syscall"
)

// arena hands out memory outside Go's heap, all of which is freed at once. It
// maps large chunks rather than one for each picture, since the kernel limits
// the number of mappings.
type arena struct {
	mu     sync.Mutex
	chunks [][]byte
	rest   []byte
}

const chunkBytes = 64 << 20

// alloc returns n bytes, aligned to a cache line.
func (a *arena) alloc(n int) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	size := (n + 63) &^ 63
	if size > chunkBytes/4 { // its own mapping, so that chunks do not go to waste
		m, err := a.mmap(size)
		if err != nil {
			return nil, err
		}
		return m[:n:n], nil
	}
	if len(a.rest) < size {
		m, err := a.mmap(chunkBytes)
		if err != nil {
			return nil, err
		}
		a.rest = m
	}
	b := a.rest[:n:n]
	a.rest = a.rest[size:]
	return b, nil
}

// madvHugePage is MADV_HUGEPAGE of madvise(2), which package syscall does not name.
const madvHugePage = 14

func (a *arena) mmap(n int) ([]byte, error) {
	m, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	// Large pages: a picture is 200 small ones, and the kernel clears each in a fault of its own. A
	// kernel without them says no, which changes nothing but speed.
	_ = syscall.Madvise(m, madvHugePage)
	a.chunks = append(a.chunks, m)
	return m, nil
}

func (a *arena) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, c := range a.chunks {
		errs = append(errs, syscall.Munmap(c))
	}
	a.chunks, a.rest = nil, nil
	return errors.Join(errs...)
}
