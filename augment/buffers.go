package augment

import (
	"fmt"
	"sync"
	"syscall"
	"unsafe"
)

// buffer is the memory of one batch: pages of its own, so it is aligned, the collector never looks
// at it, and it can be given back to the system.
type buffer struct {
	bytes   []byte
	release func()
}

func newBuffer(n int, alloc func(int) ([]byte, func(), error)) (*buffer, error) {
	if alloc != nil {
		b, free, err := alloc(n)
		if err != nil {
			return nil, fmt.Errorf("augment: %d MB for a batch: %w", n>>20, err)
		}
		if len(b) < n || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%64 != 0 {
			free()
			return nil, fmt.Errorf("augment: %d bytes for a batch of %d, or not aligned to 64 bytes", len(b), n)
		}
		return &buffer{b, free}, nil
	}
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("augment: %d MB for a batch: %w", n>>20, err)
	}
	hugePages(b)
	// Unmapping can only fail for a range that is not mapped, and this one is.
	return &buffer{b, func() { _ = syscall.Munmap(b) }}, nil
}

func (b *buffer) floats(n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b.bytes))), n)
}

func (b *buffer) free() {
	b.release()
	b.bytes = nil
}

// bufferPool lends out at most limit buffers of one size.
type bufferPool struct {
	size, limit int
	alloc       func(int) ([]byte, func(), error)

	mu     sync.Mutex
	made   int
	free   []*buffer
	closed bool
	nextID int
	notify map[int]func() // called when a buffer comes back
}

func newBufferPool(size, limit int, alloc func(int) ([]byte, func(), error)) *bufferPool {
	return &bufferPool{size: size, limit: limit, alloc: alloc, notify: map[int]func(){}}
}

// get returns nil without an error when all are lent out.
func (p *bufferPool) get() (*buffer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("loader: closed")
	}
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		return b, nil
	}
	if p.made == p.limit {
		return nil, nil
	}
	b, err := newBuffer(p.size, p.alloc)
	if err == nil {
		p.made++
	}
	return b, err
}

func (p *bufferPool) put(b *buffer) {
	p.mu.Lock()
	if p.closed {
		p.made--
		b.free()
	} else {
		p.free = append(p.free, b)
	}
	calls := make([]func(), 0, len(p.notify))
	for _, f := range p.notify {
		calls = append(calls, f)
	}
	p.mu.Unlock()
	for _, f := range calls {
		f()
	}
}

// subscribe has f called, without locks held, whenever a buffer comes back.
func (p *bufferPool) subscribe(f func()) (unsubscribe func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id := p.nextID
	p.nextID++
	p.notify[id] = f
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.notify, id)
	}
}

func (p *bufferPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, b := range p.free {
		b.free()
		p.made--
	}
	p.free = nil
}
