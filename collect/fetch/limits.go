package fetch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// downAfter is how many requests in a row must find a host unreachable before the rest are not tried.
const downAfter = 6

// host keeps one server's limits.
type host struct {
	slots   chan struct{}
	limiter *rate.Limiter // nil when only the server's answers set the pace

	mu       sync.Mutex
	notUntil time.Time
	failures int
}

// take waits for the host's turn. The caller calls the returned function when its request is over.
func (h *host) take(ctx context.Context, sleep func(context.Context, time.Duration) error) (release func(), err error) {
	for {
		h.mu.Lock()
		wait, failures := time.Until(h.notUntil), h.failures
		h.mu.Unlock()
		if failures >= downAfter {
			return nil, &Failure{Reason: Unreachable, Transient: true, Err: fmt.Errorf("host did not answer %d times in a row", failures)}
		}
		if wait > 0 {
			if err := sleep(ctx, wait); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case h.slots <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		h.mu.Lock()
		wait = time.Until(h.notUntil) // someone may have been told to wait while this request stood in line
		h.mu.Unlock()
		if wait > 0 {
			<-h.slots
			continue
		}
		if h.limiter != nil {
			if err := h.limiter.Wait(ctx); err != nil {
				<-h.slots
				return nil, err
			}
		}
		return func() { <-h.slots }, nil
	}
}

// holdOff keeps every request to the host back for a while.
func (h *host) holdOff(wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := time.Now().Add(wait); until.After(h.notUntil) {
		h.notUntil = until
	}
}

func (h *host) answered(reached bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if reached {
		h.failures = 0
	} else {
		h.failures++
	}
}

// retryAfter reads a Retry-After header, seconds or a date (RFC 9110, 10.2.3), and returns 0 when it says nothing usable.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}

// backOff returns how long to wait before another attempt (from 1): double each time, half of it by chance, so that
// many clients do not come back together.
func backOff(base time.Duration, attempt int) time.Duration {
	wait := min(base<<min(attempt-1, 10), 30*time.Second)
	return wait/2 + rand.N(wait/2+1)
}

// Sleep waits, or returns early with the context's error.
func Sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
