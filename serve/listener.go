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

// drainMost is how long that goes on at most: clients may begin connections
// without end where the kernel takes no filter.
const drainMost = time.Second

// A quietable listener can end without dropping connections. The kernel
// completes them before anyone accepts them, and closing a listener resets
// those; so it first has the kernel begin none, and then takes what is left.
type quietable struct {
	net.Listener
	over  atomic.Bool
	until time.Time // set before over
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
// then net.ErrClosed. Where the kernel takes no filter, those begun in the last
// moment may be reset, which their clients see before any answer.
func (q *quietable) quiet() {
	q.until = time.Now().Add(drainMost)
	q.over.Store(true)
	tcp, ok := q.Listener.(*net.TCPListener)
	if !ok {
		q.Close()
		return
	}
	_ = refuseSYN(tcp)
	q.wait(tcp)
}

// refuseSYN has the kernel drop what begins a connection to the listener.
func refuseSYN(tcp *net.TCPListener) error {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err = raw.Control(func(fd uintptr) {
		refused = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(noSYN)), Filter: &noSYN[0]})
	})
	return errors.Join(err, refused)
}

// wait gives the next connection some time to come.
func (q *quietable) wait(tcp *net.TCPListener) {
	deadline := time.Now().Add(drain)
	if deadline.After(q.until) {
		deadline = q.until
	}
	_ = tcp.SetDeadline(deadline)
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
		q.wait(tcp)
	}
	return c, err
}
