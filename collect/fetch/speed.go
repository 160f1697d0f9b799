package fetch

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// meter counts what a body brings.
type meter struct {
	io.ReadCloser
	bytes atomic.Int64
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.bytes.Add(int64(n))
	return n, err
}

// watch ends a body that comes slower than MinSpeed after Grace, even while a read of it is blocked.
// The caller calls the returned function when the body was read.
func (c *Client) watch(m *meter, end context.CancelCauseFunc) (stop func()) {
	over := make(chan struct{})
	go func() {
		begun := time.Now()
		wait := c.options.Grace
		for {
			select {
			case <-over:
				return
			case <-time.After(wait):
			}
			took, got := time.Since(begun), m.bytes.Load()
			if got < int64(took.Seconds()*float64(c.options.MinSpeed)) {
				end(&Failure{Reason: TooSlow, Transient: true, Err: fmt.Errorf("brought %d bytes in %.1f s", got, took.Seconds())})
				return
			}
			wait = max(c.options.Grace/8, 10*time.Millisecond)
		}
	}()
	return func() { close(over) }
}
