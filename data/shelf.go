package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// shelf is the files of one store: segments full of pixels, and an index, a
// list of fixed-size records with checksums that is only ever appended to. A
// record is written after its pixels.
type shelf struct {
	dir     string
	write   bool
	limit   int64 // bytes of all segments; 0 for none
	roomy   int64 // smaller stores are not worth tidying
	segment int64 // bytes of one segment file at most

	index    *os.File
	indexEnd int64 // behind the last good record read or written

	mu       sync.Mutex
	segments map[uint32]*segment
	ends     map[uint32]int64 // behind the last picture of each segment
	last     uint32
	retired  []*shelf // whose mappings are still looked at

	// writeAt is os.File.WriteAt but for tests.
	writeAt func(f *os.File, b []byte, off int64) error
}

// segment is one file of pixels and its mapping.
type segment struct {
	f *os.File
	m []byte
}

// slot is where a picture lies.
type slot struct {
	segment       uint32
	offset        int64
	width, height int
	sum           uint32 // CRC-32C of the pixels
}

func (s slot) bytes() int64 { return slotBytes(s.width, s.height) }

// slotBytes returns the bytes a picture takes in a segment.
func slotBytes(w, h int) int64 { return (int64(bytesOf(w, h)) + 63) &^ 63 }

const (
	recordBytes  = 64
	indexName    = "index"
	indexMagic   = "orrery decoded pictures, index 1\n"
	segmentLimit = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func segmentName(n uint32) string { return fmt.Sprintf("pixels-%04d", n) }

// openShelf opens the files in dir. With write it makes what is missing and
// cuts off what a killed process left unfinished.
func openShelf(dir string, write bool) (*shelf, error) {
	s := &shelf{dir: dir, write: write, roomy: 1 << 30, segment: segmentLimit, segments: map[uint32]*segment{}, ends: map[uint32]int64{},
		writeAt: func(f *os.File, b []byte, off int64) error {
			_, err := f.WriteAt(b, off)
			return err
		}}
	return s, s.openIndex()
}

func (s *shelf) openIndex() error {
	flags := os.O_RDONLY
	if s.write {
		flags = os.O_RDWR | os.O_CREATE
	}
	f, err := os.OpenFile(filepath.Join(s.dir, indexName), flags, 0o666)
	if err != nil {
		if !s.write && errors.Is(err, os.ErrNotExist) {
			return nil // the writer has not begun
		}
		return err
	}
	s.index = f
	s.indexEnd = recordBytes
	head := make([]byte, recordBytes)
	n, _ := f.ReadAt(head, 0)
	if n == recordBytes && strings.HasPrefix(string(head), indexMagic) {
		return nil
	}
	if !s.write {
		f.Close()
		s.index = nil
		return nil
	}
	// New, or nothing of ours: begin. Pixels without an index are worth nothing.
	if err := f.Truncate(0); err != nil {
		return err
	}
	copy(head, make([]byte, recordBytes))
	copy(head, indexMagic)
	return s.writeAt(f, head, 0)
}

// refresh reads the records that were added since it was last called.
func (s *shelf) refresh(slots map[storeKey]slot) {
	if s.index == nil {
		if s.openIndex() != nil || s.index == nil {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := make([]byte, 1024*recordBytes)
	for {
		n, _ := s.index.ReadAt(b, s.indexEnd)
		for at := 0; at+recordBytes <= n; at += recordBytes {
			k, sl, ok := parseRecord(b[at : at+recordBytes])
			if !ok || sl.offset+sl.bytes() > segmentLimit {
				return // unfinished: what follows was never written
			}
			slots[k] = sl
			s.indexEnd += recordBytes
			s.ends[sl.segment] = max(s.ends[sl.segment], sl.offset+sl.bytes())
			s.last = max(s.last, sl.segment)
		}
		if n < len(b) {
			return
		}
	}
}

// record writes k and sl as 64 bytes: key 16, offset 8, segment 4, width 4,
// height 4, CRC of the pixels 4, zeros, CRC of all that 4; little-endian.
func record(k storeKey, sl slot) []byte {
	b := make([]byte, recordBytes)
	copy(b, k[:])
	le := binary.LittleEndian
	le.PutUint64(b[16:], uint64(sl.offset))
	le.PutUint32(b[24:], sl.segment)
	le.PutUint32(b[28:], uint32(sl.width))
	le.PutUint32(b[32:], uint32(sl.height))
	le.PutUint32(b[36:], sl.sum)
	le.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	return b
}

func parseRecord(b []byte) (k storeKey, sl slot, ok bool) {
	le := binary.LittleEndian
	if le.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return k, sl, false
	}
	copy(k[:], b)
	sl = slot{segment: le.Uint32(b[24:]), offset: int64(le.Uint64(b[16:])),
		width: int(le.Uint32(b[28:])), height: int(le.Uint32(b[32:])), sum: le.Uint32(b[36:])}
	const most = 1 << 28
	ok = sl.offset >= 0 && sl.offset%64 == 0 && sl.width > 0 && sl.height > 0 && sl.width < most/sl.height && sl.segment < 1<<20
	return k, sl, ok
}

// used returns the bytes of all segments.
func (s *shelf) used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(0)
	for _, e := range s.ends {
		n += e
	}
	return n
}

var errNoRoom = errors.New("the disk has no more room for it")

// put writes a picture with its padding and then its record.
func (s *shelf) put(k storeKey, w, h int, buf []uint8) (slot, error) {
	sl := slot{width: w, height: h, sum: crc32.Checksum(buf[:4*w*h], castagnoli)}
	if sl.bytes() > s.segment {
		return sl, errNoRoom
	}
	s.mu.Lock()
	if s.ends[s.last]+sl.bytes() > s.segment {
		s.last++
	}
	sl.segment, sl.offset = s.last, s.ends[s.last]
	s.mu.Unlock()
	if s.limit > 0 && s.used()+sl.bytes() > s.limit {
		return sl, errNoRoom
	}
	seg, err := s.open(sl.segment)
	if err != nil {
		return sl, err
	}
	if err := s.writeAt(seg.f, buf, sl.offset); err != nil {
		return sl, err
	}
	if err := s.writeAt(s.index, record(k, sl), s.indexEnd); err != nil {
		return sl, err
	}
	s.mu.Lock()
	s.ends[sl.segment] = sl.offset + sl.bytes()
	s.indexEnd += recordBytes
	s.mu.Unlock()
	return sl, nil
}

// open opens and maps a segment.
func (s *shelf) open(n uint32) (*segment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seg := s.segments[n]; seg != nil {
		return seg, nil
	}
	flags := os.O_RDONLY
	if s.write {
		flags = os.O_RDWR | os.O_CREATE
	}
	f, err := os.OpenFile(filepath.Join(s.dir, segmentName(n)), flags, 0o666)
	if err != nil {
		return nil, err
	}
	// The mapping is as long as the file may grow; only what has been written is
	// ever touched.
	m, err := syscall.Mmap(int(f.Fd()), 0, segmentLimit, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		f.Close()
		return nil, err
	}
	seg := &segment{f, m}
	s.segments[n] = seg
	return seg, nil
}

// view returns the picture in sl, its checksum verified.
func (s *shelf) view(sl slot) (*Picture, error) {
	seg, err := s.open(sl.segment)
	if err != nil {
		return nil, err
	}
	fi, err := seg.f.Stat()
	if err != nil {
		return nil, err
	}
	n := int64(4 * sl.width * sl.height)
	if sl.offset+n+Padding > fi.Size() {
		return nil, errors.New("its file is too short")
	}
	pix := seg.m[sl.offset : sl.offset+n : sl.offset+n+Padding]
	populate(seg.m, sl.offset, n+Padding)
	if crc32.Checksum(pix, castagnoli) != sl.sum {
		return nil, errors.New("its checksum is wrong")
	}
	return &Picture{Width: sl.width, Height: sl.height, Pix: pix}, nil
}

// madvPopulateRead is MADV_POPULATE_READ of madvise(2), since Linux 5.14.
const madvPopulateRead = 22

// populate maps the pages of m[off:off+n] at once, instead of some at a time
// in faults. Older kernels say no, which changes nothing but speed.
func populate(m []byte, off, n int64) {
	from := off &^ int64(os.Getpagesize()-1)
	_ = syscall.Madvise(m[from:off+n], madvPopulateRead)
}

// clear removes the files and begins anew. Files are unlinked, never
// truncated, since others may have them mapped.
func (s *shelf) clear() error {
	if err := s.closeFiles(); err != nil {
		return err
	}
	if _, err := removeShelf(s.dir); err != nil {
		return err
	}
	s.ends, s.last = map[uint32]int64{}, 0
	return s.openIndex()
}

// removeShelf unlinks the files of a store, the index first, and returns the
// bytes they had.
func removeShelf(dir string) (int64, error) {
	freed := int64(0)
	names, err := filepath.Glob(filepath.Join(dir, "pixels-[0-9]*"))
	if err != nil {
		return 0, err
	}
	for _, name := range append([]string{filepath.Join(dir, indexName)}, names...) {
		if fi, err := os.Stat(name); err == nil {
			freed += fi.Size()
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return freed, err
		}
	}
	return freed, nil
}

// retire hands the mappings of s to its successor, which closes them.
func (s *shelf) retire(successor *shelf) { successor.retired = append(successor.retired, s) }

func (s *shelf) closeFiles() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for n, seg := range s.segments {
		errs = append(errs, syscall.Munmap(seg.m), seg.f.Close())
		delete(s.segments, n)
	}
	if s.index != nil {
		errs = append(errs, s.index.Close())
		s.index = nil
	}
	return errors.Join(errs...)
}

func (s *shelf) close() error {
	err := s.closeFiles()
	for _, r := range s.retired {
		err = errors.Join(err, r.close())
	}
	return err
}
