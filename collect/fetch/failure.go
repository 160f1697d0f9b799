package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Reasons a request brought nothing. An HTTP status other than 200 has the reason "http_" and its number.
const (
	BadAddress     = "bad_address"
	PrivateAddress = "private_address"
	Unreachable    = "unreachable"
	TooSlow        = "too_slow"
	TooLarge       = "too_large"
	NoAI           = "noai"
	NotAPicture    = "unreadable"
	BrokenAnswer   = "broken_answer"
)

// Failure says why a request brought nothing.
type Failure struct {
	Reason    string        // one of the reasons above
	Status    int           // HTTP status, when there was an answer
	Transient bool          // another attempt, or another day, may bring it
	Wait      time.Duration // how long the server asked to wait, 0 when it did not say
	Err       error
}

func (f *Failure) Error() string { return f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

// Reason returns the short word for why a request failed and whether another attempt may bring more.
func Reason(err error) (reason string, transient bool) {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure.Reason, failure.Transient
	}
	return Unreachable, true
}

func fail(reason, format string, arguments ...any) *Failure {
	return &Failure{Reason: reason, Err: fmt.Errorf(format, arguments...)}
}

// statusFailure describes an answer whose status is not 200.
func statusFailure(response *http.Response, now time.Time) *Failure {
	status := response.StatusCode
	f := fail(fmt.Sprintf("http_%d", status), "answered %d %s", status, http.StatusText(status))
	f.Status = status
	switch status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable,
		http.StatusGatewayTimeout, http.StatusRequestTimeout, http.StatusTooEarly:
		f.Transient = true
		f.Wait = retryAfter(response.Header.Get("Retry-After"), now)
	}
	return f
}

// networkFailure describes a request that got no whole answer.
func networkFailure(err error) *Failure {
	var failure *Failure
	var whole *url.Error
	if errors.As(err, &whole) && !errors.As(err, &failure) {
		err = whole.Err // without the address, which is long and said elsewhere
	}
	var name *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.Is(err, errPrivate):
		return &Failure{Reason: PrivateAddress, Err: err}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &Failure{Reason: TooSlow, Transient: true, Err: err}
	case errors.As(err, &name) && name.IsNotFound:
		return &Failure{Reason: Unreachable, Err: err}
	default:
		return &Failure{Reason: Unreachable, Transient: true, Err: err}
	}
}
