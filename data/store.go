package data

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// StoreOptions says where decoded pictures are kept and how large.
type StoreOptions struct {
	Dir      string // the folder of all stores; "" means DefaultStoreDir
	MaxBytes int64  // the most the store may take; 0 means what the disk can spare, half of it in DefaultStoreDir
	Log      *slog.Logger
}

// Store keeps the decoded pictures of a Dataset in memory-mapped files, from
// run to run. Pictures are written behind the caller's back as they are first
// decoded; until then, and where the disk is full, they are decoded each time.
// The pages belong to the kernel: a store may be larger than memory.
//
// It survives being killed at any moment, since a picture counts only once
// its record in the index does, and a picture whose checksum is wrong is
// decoded anew. Of several processes one writes and the others read. A changed
// picture file is another picture.
//
// Pictures of a Store are read-only and live until its Close.
type Store struct {
	d        *Dataset
	opts     StoreOptions
	log      *slog.Logger
	dir      string
	keys     []storeKey
	entries  []storeEntry
	planned  int64
	hits     atomic.Int64
	misses   atomic.Int64
	dropped  atomic.Int64
	lastLook atomic.Int64 // unix nanoseconds of the last look at the index

	mu       sync.RWMutex
	shelf    *shelf
	slots    map[storeKey]slot
	lock     *flock.Flock
	owner    bool // holds the lock
	writing  bool // owner, open, and the disk is not full
	full     bool
	closed   bool
	queue    chan storeJob
	waiting  atomic.Int64 // bytes in the queue
	finished sync.WaitGroup
}

type storeEntry struct {
	p      atomic.Pointer[Picture]
	queued atomic.Bool
}

// storeKey is a digest of the identity of a picture file.
type storeKey [16]byte

type storeJob struct {
	i             int
	width, height int
	buf           []uint8 // pixels and padding
}

// What waits to be written is bounded, in pictures and in bytes; more are
// dropped and written in a later epoch, so that a slow disk never delays a
// batch and memory stays flat.
const (
	queueLength = 256
	queueBytes  = 128 << 20
)

// DefaultStoreDir returns the folder of stores in the user's cache.
func DefaultStoreDir() (string, error) {
	c, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for the store of decoded pictures: %w; name one with --store or switch it off", err)
	}
	return filepath.Join(c, "orrery", "store"), nil
}

// storeInfo describes a store in its folder, for people and for Stores.
type storeInfo struct {
	Source            string `json:"source"`
	ShortSide         int    `json:"short_side"`
	IgnoreOrientation bool   `json:"ignore_orientation"`
	Quick             bool   `json:"quick"`
	DecoderVersion    int    `json:"decoder_version"`
	JPEG              string `json:"jpeg,omitempty"` // JPEGDecoder.Version
}

const storeInfoName = "store.json"

// OpenStore opens the store of d, making it if there is none. It says in the
// log how much will be written.
func OpenStore(d *Dataset, o StoreOptions) (*Store, error) {
	s := &Store{d: d, opts: o, log: o.Log, entries: make([]storeEntry, len(d.Samples))}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if o.Dir == "" {
		dir, err := DefaultStoreDir()
		if err != nil {
			return nil, err
		}
		o.Dir = dir
	}
	source := d.Source
	if abs, err := filepath.Abs(source); err == nil && source != planetsWord {
		source = abs
	}
	decode := d.DecodeOptions()
	info := storeInfo{Source: source, ShortSide: decode.ShortSide, IgnoreOrientation: decode.IgnoreOrientation, Quick: decode.Quick,
		DecoderVersion: decoderVersion}
	if decode.JPEG != nil {
		info.JPEG = decode.JPEG.Version()
	}
	text, err := json.MarshalIndent(info, "", " ")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	s.dir = filepath.Join(o.Dir, hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return nil, storeError(s.dir, err)
	}
	if err := writeOnce(filepath.Join(s.dir, storeInfoName), text); err != nil {
		return nil, storeError(s.dir, err)
	}
	if err := s.identify(); err != nil {
		return nil, err
	}
	s.lock = flock.New(filepath.Join(s.dir, "lock"))
	if err := s.attach(); err != nil {
		s.Close()
		return nil, storeError(s.dir, err)
	}
	s.announce()
	pruneStores(o.Dir)
	return s, nil
}

func storeError(dir string, err error) error {
	return fmt.Errorf("store of decoded pictures %s: %w; name another folder with --store or switch it off", dir, plain(err))
}

// writeOnce writes the file unless it is there, whole or not at all.
func writeOnce(name string, b []byte) error {
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp-")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// identify computes the key of every sample.
func (s *Store) identify() error {
	s.keys = make([]storeKey, len(s.d.Samples))
	for i := range s.keys {
		k, err := s.key(i)
		if err != nil { // it will fail to decode, too, and be named then
			s.log.Debug("no identity", "path", s.d.Samples[i].Path, "error", err)
		}
		s.keys[i] = k
	}
	return nil
}

func (s *Store) key(i int) (storeKey, error) {
	id, err := s.d.files.identity(s.d.Samples[i].Path)
	if err != nil {
		return storeKey{}, err
	}
	sum := sha256.Sum256([]byte(id))
	return storeKey(sum[:16]), nil
}

// attach opens the files, as the writer when nobody else is, and reads the
// index.
func (s *Store) attach() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	got, err := s.lock.TryLock()
	if err != nil {
		return err
	}
	s.shelf, err = openShelf(s.dir, got)
	if err != nil {
		return err
	}
	s.slots = map[storeKey]slot{}
	s.shelf.refresh(s.slots)
	if got {
		if err := s.dropDead(); err != nil {
			return err
		}
		s.startWriting()
	}
	return nil
}

// dropDead starts the store afresh when most of it belongs to pictures that
// have changed or gone. The caller holds s.mu and the lock.
func (s *Store) dropDead() error {
	live := int64(0)
	for _, k := range s.keys {
		if sl, ok := s.slots[k]; ok {
			live += sl.bytes()
		}
	}
	if used := s.shelf.used(); used < s.shelf.roomy || live > used/2 {
		return nil
	}
	if err := s.shelf.clear(); err != nil {
		return err
	}
	clear(s.slots)
	return nil
}

// startWriting starts the goroutine that writes. The caller holds s.mu.
func (s *Store) startWriting() {
	s.owner, s.writing = true, true
	s.queue = make(chan storeJob, queueLength)
	queue := s.queue
	s.finished.Go(func() {
		for job := range queue {
			s.write(job)
			s.waiting.Add(-int64(len(job.buf)))
			buffers.Put(&job.buf)
		}
	})
}

// Plan returns how many pictures are not stored yet and the bytes they will
// take.
func (s *Store) Plan() (pictures int, bytes int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for i, k := range s.keys {
		if _, ok := s.slots[k]; !ok {
			pictures++
			w, h := s.d.Size(i)
			bytes += slotBytes(w, h)
		}
	}
	return pictures, bytes
}

// announce says what is going to be written and sets the limit.
func (s *Store) announce() {
	n, bytes := s.Plan()
	limit := s.opts.MaxBytes
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &fs); err == nil {
		// A twentieth of the disk stays free for others, 10 GiB at most.
		keep := min(int64(fs.Blocks)*int64(fs.Bsize)/20, 10<<30)
		spare := max(int64(fs.Bavail)*int64(fs.Bsize)-keep, 0)
		if s.opts.Dir == "" { // nobody asked for it
			spare /= 2
		}
		if room := s.shelf.used() + spare; limit <= 0 || room < limit {
			limit = max(room, 1) // 0 would mean no limit
		}
	}
	s.mu.Lock()
	s.planned = bytes
	s.shelf.limit = limit
	used := s.shelf.used()
	s.mu.Unlock()
	switch {
	case n == 0:
	case !s.owner:
		s.log.Info("another process writes the store of decoded pictures; this one reads it", "folder", s.dir)
	case used+bytes > limit:
		s.log.Warn("the store of decoded pictures has not room for all", "folder", s.dir, "pictures", n, "bytes", bytes, "room", max(limit-used, 0))
	default:
		s.log.Info("decoded pictures will be stored", "folder", s.dir, "pictures", n, "bytes", bytes)
	}
}

// StoreStats is what a Store has done so far.
type StoreStats struct {
	Folder       string
	Stored       int   // pictures in the index, also of other sets of the same source
	Bytes        int64 // of the files
	Planned      int64 // bytes that were to be written when it was opened
	Hits, Misses int64 // pictures found; pictures decoded
	Dropped      int64 // pictures not written because the disk was slow
	Writing      bool  // this process is the one that writes
}

// Flush waits until all that waits to be written is.
func (s *Store) Flush() {
	for s.waiting.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// Stats returns the counters of the store.
func (s *Store) Stats() StoreStats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := StoreStats{Folder: s.dir, Stored: len(s.slots), Planned: s.planned, Hits: s.hits.Load(), Misses: s.misses.Load(),
		Dropped: s.dropped.Load(), Writing: s.writing}
	if s.shelf != nil {
		st.Bytes = s.shelf.used()
	}
	return st
}

// Picture returns sample i decoded.
func (s *Store) Picture(i int) (*Picture, error) { return s.Borrow(i, nil) }

// Borrow is Picture, but decodes into scratch, when that is not nil, what is
// not stored yet. The caller must not change the picture returned unless it
// is scratch.
func (s *Store) Borrow(i int, scratch *Picture) (*Picture, error) {
	if i < 0 || i >= len(s.entries) {
		return nil, fmt.Errorf("picture %d of %d", i, len(s.entries))
	}
	e := &s.entries[i]
	if p := e.p.Load(); p != nil {
		s.hits.Add(1)
		return p, nil
	}
	if p := s.find(i); p != nil {
		e.p.Store(p)
		s.hits.Add(1)
		return p, nil
	}
	s.misses.Add(1)
	p, err := s.d.Borrow(i, scratch)
	if err != nil {
		return nil, err
	}
	s.offer(i, p)
	return p, nil
}

// find returns picture i from the files, or nil.
func (s *Store) find(i int) *Picture {
	s.mu.RLock()
	sl, ok := s.slots[s.keys[i]]
	if ok && !s.closed {
		p, err := s.shelf.view(sl)
		s.mu.RUnlock()
		if err == nil {
			return p
		}
		s.mu.Lock()
		delete(s.slots, s.keys[i])
		s.mu.Unlock()
		s.entries[i].queued.Store(false)
		s.log.Warn("a stored picture is damaged and decoded anew", "path", s.d.Samples[i].Path, "error", err)
		return nil
	}
	reader := !s.owner && !s.closed
	s.mu.RUnlock()
	if reader {
		s.look()
	}
	return nil
}

// look lets a process that only reads see, once in a while, what the writer
// has added, and take its place when it is gone.
func (s *Store) look() {
	now := time.Now().UnixNano()
	last := s.lastLook.Load()
	if now-last < int64(500*time.Millisecond) || !s.lastLook.CompareAndSwap(last, now) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.owner {
		return
	}
	if got, err := s.lock.TryLock(); err == nil && got {
		w, err := openShelf(s.dir, true)
		if err != nil {
			s.lock.Unlock()
			return
		}
		w.limit = s.shelf.limit
		w.refresh(s.slots)
		s.shelf.retire(w)
		s.shelf = w
		s.startWriting()
		return
	}
	s.shelf.refresh(s.slots)
}

// buffers keeps the copies that wait to be written.
var buffers = sync.Pool{New: func() any { return new([]uint8) }}

// offer queues a copy of p to be written, unless the queue is full.
func (s *Store) offer(i int, p *Picture) {
	e := &s.entries[i]
	if s.keys[i] == (storeKey{}) || !e.queued.CompareAndSwap(false, true) {
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	n := len(p.Pix) + Padding
	if !s.writing || s.closed || s.waiting.Load() > 0 && s.waiting.Load()+int64(n) > queueBytes {
		e.queued.Store(false)
		if s.writing {
			s.dropped.Add(1)
		}
		return
	}
	buf := *buffers.Get().(*[]uint8)
	if cap(buf) < n {
		buf = make([]uint8, n)
	}
	buf = buf[:n]
	copy(buf, p.Pix)
	clear(buf[len(p.Pix):])
	s.waiting.Add(int64(n))
	select {
	case s.queue <- storeJob{i, p.Width, p.Height, buf}:
	default:
		s.waiting.Add(-int64(n))
		e.queued.Store(false)
		s.dropped.Add(1)
		buffers.Put(&buf)
	}
}

// write stores one picture; it runs in the one writing goroutine.
func (s *Store) write(job storeJob) {
	if k, err := s.key(job.i); err != nil || k != s.keys[job.i] {
		return // the file changed since the store was opened
	}
	s.mu.RLock()
	sh, full := s.shelf, s.full
	s.mu.RUnlock()
	if full {
		return
	}
	sl, err := sh.put(s.keys[job.i], job.width, job.height, job.buf)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		// Without room, go on as before; what is stored stays good.
		if !s.full {
			s.full, s.writing = true, false
			s.log.Warn("no more decoded pictures are stored", "folder", s.dir, "error", plain(err), "stored", len(s.slots))
		}
		return
	}
	s.slots[s.keys[job.i]] = sl
}

// Close waits for the pictures that are being written and unmaps the files.
// Pictures of the store must not be used afterwards.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.writing = false
	if s.queue != nil {
		close(s.queue)
	}
	s.mu.Unlock()
	s.finished.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.entries {
		s.entries[i].p.Store(nil)
	}
	var err error
	if s.shelf != nil {
		err = s.shelf.close()
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}
