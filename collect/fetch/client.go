package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Options configure a Client. Zero values stand for the defaults named.
type Options struct {
	UserAgent    string        // who asks, with a way to reach them
	AllowPrivate bool          // reach loopback and private networks
	Proxy        *url.URL      // nil for none; the environment is not looked at, since a proxy hides where a name leads
	PerHost      int           // requests at once to one host (3)
	Attempts     int           // for one request (4)
	Wait         time.Duration // before the second attempt, doubled after each (500 ms)
	MaxWait      time.Duration // the longest a server may make us wait (2 min)
	Timeout      time.Duration // for one attempt, the body included (60 s)
	MaxBytes     int64         // of one download (32 MiB)
	MinSpeed     int64         // bytes a second a download must bring after Grace (1024)
	Grace        time.Duration // how long a download may be slow (8 s)
	OnWait       func(host string, wait time.Duration)

	// For this package's tests: who is asked what names mean, and an address that is reached although it is private.
	resolver *net.Resolver
	except   string
}

func (o Options) withDefaults() Options {
	fill(&o.UserAgent, "orrery (https://github.com/wangkuiyi/orrery)")
	fill(&o.PerHost, 3)
	fill(&o.Attempts, 4)
	fill(&o.Wait, 500*time.Millisecond)
	fill(&o.MaxWait, 2*time.Minute)
	fill(&o.Timeout, time.Minute)
	fill(&o.MaxBytes, 32<<20)
	fill(&o.MinSpeed, 1024)
	fill(&o.Grace, 8*time.Second)
	return o
}

func fill[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// Client makes requests. It is safe for concurrent use.
type Client struct {
	options Options
	http    *http.Client

	mu    sync.Mutex
	hosts map[string]*host
}

// maxRedirects is how often one request may be sent elsewhere.
const maxRedirects = 5

// New returns a client.
func New(o Options) *Client {
	o = o.withDefaults()
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Resolver: o.resolver}
	transport := &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    o.PerHost,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  20 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if o.Proxy != nil {
		transport.Proxy = http.ProxyURL(o.Proxy)
	} else {
		dialer.Control = control(o.AllowPrivate, o.except)
	}
	return &Client{
		options: o,
		hosts:   map[string]*host{},
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Limit sets the pace of requests to a host.
func (c *Client) Limit(name string, every time.Duration, burst int) {
	c.host(name).limiter = rate.NewLimiter(rate.Every(every), burst)
}

// HoldOff keeps requests to a host back for a while, as a server may ask in its answers.
func (c *Client) HoldOff(name string, wait time.Duration) { c.host(name).holdOff(wait) }

func (c *Client) host(name string) *host {
	name = strings.ToLower(name)
	c.mu.Lock()
	defer c.mu.Unlock()
	h, known := c.hosts[name]
	if !known {
		h = &host{slots: make(chan struct{}, c.options.PerHost)}
		c.hosts[name] = h
	}
	return h
}

// Request is what to ask for.
type Request struct {
	Method string // GET when empty
	URL    string
	Header http.Header // User-Agent is set unless it is in here; an empty one sends none
	Form   url.Values  // sent as the body
}

// CheckURL parses an address and refuses what is not an http or https address of a host.
func CheckURL(address string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	switch {
	case err != nil:
		return nil, fail(BadAddress, "%.200q is not an address", address)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fail(BadAddress, "%.200q is not an http or https address", address)
	case u.Hostname() == "" || len(address) > 8192:
		return nil, fail(BadAddress, "%.200q names no host", address)
	case oddNumber(u.Hostname()):
		return nil, fail(BadAddress, "%.200q names its host by a number in an odd spelling", address)
	case u.User != nil:
		return nil, fail(BadAddress, "%.200q holds a user name", u.Redacted())
	}
	u.Fragment = ""
	return u, nil
}

// Do makes a request, again where that may help, and hands an answer of status 200 to read. An error of read counts as
// a failed attempt; it is tried again when it is a transient Failure.
func (c *Client) Do(ctx context.Context, request Request, read func(*http.Response) error) error {
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx, request, read)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failure := networkFailure(err)
		if !failure.Transient || attempt >= c.options.Attempts || failure.Reason == TooSlow || failure.Wait > c.options.MaxWait {
			return failure
		}
		wait := max(failure.Wait, backOff(c.options.Wait, attempt))
		if u, err := url.Parse(request.URL); err == nil && failure.Status == http.StatusTooManyRequests {
			c.HoldOff(u.Host, wait) // all wait, not this request only
			if c.options.OnWait != nil {
				c.options.OnWait(u.Host, wait)
			}
		}
		if err := Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// attempt makes a request once, following redirects. Each hop stands in line at its own host.
func (c *Client) attempt(ctx context.Context, request Request, read func(*http.Response) error) error {
	address := request.URL
	for hop := 0; ; hop++ {
		u, err := CheckURL(address)
		if err != nil {
			return err
		}
		next, err := c.hop(ctx, request, u, read)
		if err != nil || next == "" {
			return err
		}
		if hop >= maxRedirects {
			return fail(Unreachable, "redirected more than %d times", maxRedirects)
		}
		target, err := u.Parse(next)
		if err != nil {
			return fail(BadAddress, "redirected to %.200q, which is not an address", next)
		}
		address = target.String()
		request.Method, request.Form = http.MethodGet, nil
	}
}

// hop makes one request to one host. It returns where a redirect leads, or "".
func (c *Client) hop(ctx context.Context, request Request, u *url.URL, read func(*http.Response) error) (string, error) {
	if err := c.checkBeforeProxy(ctx, u.Hostname()); err != nil {
		return "", err
	}
	h := c.host(u.Host)
	release, err := h.take(ctx, Sleep)
	if err != nil {
		return "", err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	sent, err := c.newRequest(ctx, request, u)
	if err != nil {
		return "", err
	}
	response, err := c.http.Do(sent)
	if err != nil {
		failure := networkFailure(err)
		if failure.Reason == Unreachable && ctx.Err() == nil {
			h.answered(false)
		}
		return "", failure
	}
	defer response.Body.Close()
	h.answered(true)
	switch response.StatusCode {
	case http.StatusOK:
		body := &meter{ReadCloser: response.Body}
		response.Body = body
		defer c.watch(body, end)()
		err := read(response)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			return "", cause
		}
		return "", err
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if next := response.Header.Get("Location"); next != "" {
			return next, nil
		}
		return "", fail(Unreachable, "redirected to nowhere")
	default:
		return "", statusFailure(response, time.Now())
	}
}

func (c *Client) newRequest(ctx context.Context, request Request, u *url.URL) (*http.Request, error) {
	var body io.Reader
	if request.Form != nil {
		body = strings.NewReader(request.Form.Encode())
	}
	sent, err := http.NewRequestWithContext(ctx, request.Method, u.String(), body)
	if err != nil {
		return nil, fail(BadAddress, "%v", err)
	}
	for name, values := range request.Header {
		sent.Header[name] = values
	}
	if request.Form != nil {
		sent.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if _, chosen := sent.Header["User-Agent"]; !chosen {
		sent.Header.Set("User-Agent", c.options.UserAgent)
	}
	return sent, nil
}

// checkBeforeProxy does what can be done when a proxy makes the connections: it refuses private addresses and names
// that lead to them as far as this machine can resolve names.
func (c *Client) checkBeforeProxy(ctx context.Context, name string) error {
	if c.options.Proxy == nil {
		return nil
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		if literal, parseErr := netip.ParseAddr(name); parseErr == nil {
			addresses = []netip.Addr{literal}
		}
	}
	for _, address := range addresses {
		if err := checkAddress(address, c.options.AllowPrivate); err != nil {
			return err
		}
	}
	return nil
}

// maxAnswer bounds a service's answer, in bytes after decompression.
const maxAnswer = 16 << 20

// Text makes a request and returns the body, at most 16 MiB of it.
func (c *Client) Text(ctx context.Context, request Request) (body []byte, header http.Header, err error) {
	err = c.Do(ctx, request, func(response *http.Response) error {
		header = response.Header
		body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
		if err != nil {
			return networkFailure(err)
		}
		if len(body) > maxAnswer {
			return fail(TooLarge, "answer is longer than %d MiB", maxAnswer>>20)
		}
		return nil
	})
	return body, header, err
}

// JSON makes a request and decodes the answer into value. An answer that is not JSON is asked for once more.
func (c *Client) JSON(ctx context.Context, request Request, value any) (http.Header, error) {
	for attempt := 1; ; attempt++ {
		body, header, err := c.Text(ctx, request)
		if err != nil {
			return header, err
		}
		err = json.Unmarshal(body, value)
		if err == nil {
			return header, nil
		}
		var syntax *json.SyntaxError
		if attempt == 2 || !errors.As(err, &syntax) {
			return header, &Failure{Reason: BrokenAnswer, Transient: true, Err: fmt.Errorf("answer is not the JSON expected: %w", err)}
		}
		if err := Sleep(ctx, backOff(c.options.Wait, attempt)); err != nil {
			return header, err
		}
	}
}
