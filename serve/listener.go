package serve

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// drain is how long a quiet listener waits for one more connection that was
// begun before it was told to take no more.
const drain = 100 * time.Millisecond

// A quietable listener can end without dropping connections. The kernel
// completes them before anyone accepts them, and closing a listener resets
// those; so it first has the kernel begin none, and then takes what is left.
type quietable struct {
	net.Listener
	over atomic.Bool
}

// noSYN passes a listening socket all segments but those that begin a
// connection: byte 13 of a TCP header holds the flags, SYN is 2.
var noSYN = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 2, Jt: 0, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1},
}

// quiet has no more connections begin; Accept gives those that were begun and
// then net.ErrClosed.
func (q *quietable) quiet() {
	q.over.Store(true)
	tcp, ok := q.Listener.(*net.TCPListener)
	if !ok {
		q.Close()
		return
	}
	if raw, err := tcp.SyscallConn(); err == nil {
		// Without the filter, connections begun while this one drains may be reset.
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
				&unix.SockFprog{Len: uint16(len(noSYN)), Filter: &noSYN[0]})
		})
	}
	_ = tcp.SetDeadline(time.Now().Add(drain))
}

func (q *quietable) Accept() (net.Conn, error) {
	c, err := q.Listener.Accept()
	if !q.over.Load() {
		return c, err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, net.ErrClosed
	}
	if tcp, ok := q.Listener.(*net.TCPListener); ok {
		_ = tcp.SetDeadline(time.Now().Add(drain))
	}
	return c, err
}
