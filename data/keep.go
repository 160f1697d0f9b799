package data

import (
	"io"
	"log/slog"
)

// Pictures is where the pictures of a Dataset come from: a Store, a Cache or
// the Dataset itself.
type Pictures interface {
	// Picture returns sample i decoded. The caller must not change it.
	Picture(i int) (*Picture, error)
	// Borrow is Picture, but may use the memory of scratch, when that is not nil.
	Borrow(i int, scratch *Picture) (*Picture, error)
	io.Closer
}

// StoreOff is the value of --store that keeps decoded pictures in memory only.
const StoreOff = "off"

// Keep returns the pictures of d, kept between epochs as store says: "off" in
// a Cache of a third of the memory available, "" in a Store in the user's
// cache folder, or else in a Store below the folder of that name. Where the
// user's cache folder cannot be used it falls back to memory and says so;
// a folder that was asked for and cannot be used is an error. A source of raw
// pixels has nothing to decode and is not kept at all. The caller closes what
// it gets, then d.
func Keep(d *Dataset, store string, log *slog.Logger) (Pictures, error) {
	if _, raw := d.files.(rawPixels); raw {
		return NewCache(d, -1), nil
	}
	if store == StoreOff {
		return NewCache(d, 0), nil
	}
	s, err := OpenStore(d, StoreOptions{Dir: store, Log: log})
	if err == nil {
		return s, nil
	}
	if store != "" {
		return nil, err
	}
	if log != nil {
		log.Warn("decoded pictures are kept in memory only", "error", err)
	}
	return NewCache(d, 0), nil
}
