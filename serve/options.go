package serve

import (
	"log/slog"
	"runtime"
	"time"
)

// Options bound what a server takes on. The zero value of a field stands for its default.
type Options struct {
	// Token must come with every request but those to /healthz; "": none is asked for.
	Token string
	// Hosts are the names that requests may address the server by, without
	// ports. Empty: those of this machine's loopback address, and any with a Token.
	Hosts []string

	// Threads compute the network; half the cores, at least one: the others decode, and threads that wait for
	// each other on a core too few stall every picture.
	Threads   int
	MaxBatch  int   // pictures that go through the network at once; 16
	Queue     int   // pictures that may be on their way; 256
	MaxFiles  int   // pictures of one request; 64
	MaxBytes  int64 // of one picture's file; 20 MiB
	MaxPixels int   // of one picture; 64 million
	// MaxMemory bounds the bodies of all requests together, in bytes; 256 MiB.
	MaxMemory int64

	ReadTimeout time.Duration // to receive a request; 30 s
	// Patience is how long a picture may wait before it is given up with 503; 10 s.
	Patience time.Duration
	// Grace is how long the end of the server waits for requests under way; 8 s.
	Grace time.Duration

	Log *slog.Logger // nil: none
}

// maxRequest is the most a body may hold: multipart headers come on top of the pictures.
func (o Options) maxRequest() int64 { return int64(o.MaxFiles)*o.MaxBytes + 1<<20 }

func orElse[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

func (o Options) withDefaults() Options {
	orElse(&o.Threads, max(1, runtime.GOMAXPROCS(0)/2))
	orElse(&o.MaxBatch, 16)
	orElse(&o.Queue, 256)
	orElse(&o.MaxFiles, 64)
	orElse(&o.MaxBytes, 20<<20)
	orElse(&o.MaxPixels, 64_000_000)
	orElse(&o.MaxMemory, 256<<20)
	orElse(&o.ReadTimeout, 30*time.Second)
	orElse(&o.Patience, 10*time.Second)
	orElse(&o.Grace, 8*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// eyes is how many pictures are decoded at once: on the cores that the network leaves.
func (o Options) eyes() int { return max(1, runtime.GOMAXPROCS(0)-o.Threads) }
