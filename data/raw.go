package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// rawFiles are sets whose files hold pixels one picture after another, small
// enough to be kept in memory.
type rawFiles struct {
	width, height int
	planes        int // 1 grey, 3 the red plane, then green, then blue
	records       map[string][]byte
}

func (r *rawFiles) header(string) Header {
	return Header{Format: "raw", Width: r.width, Height: r.height, Orientation: 1, Bytes: int64(r.planes * r.width * r.height)}
}

func (r *rawFiles) picture(p *Picture, path string) error {
	b, ok := r.records[path]
	if !ok {
		return fs.ErrNotExist
	}
	p.reset(r.width, r.height)
	n := r.width * r.height
	red, green, blue := b[:n], b[:n], b[:n]
	if r.planes == 3 {
		green, blue = b[n:2*n], b[2*n:3*n]
	}
	for i := range n {
		put(p.Pix, 4*i, red[i], green[i], blue[i])
	}
	return nil
}

func (r *rawFiles) open(string) (file, error) { return nil, errors.New("not a file of its own") }

func (r *rawFiles) read(path string) ([]byte, error) {
	b, ok := r.records[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}

// identity fails: a store would hold what is decoded already.
func (r *rawFiles) identity(string) (string, error) {
	return "", errors.New("these pictures need no store")
}

func (r *rawFiles) close() error {
	r.records = nil
	return nil
}

// maxRawBytes bounds one file of such a set, unpacked.
const maxRawBytes = 4 << 30

// readRaw reads the whole file, also where only its .gz is there.
func readRaw(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	f, err2 := os.Open(name + ".gz")
	if err2 != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	b, err = io.ReadAll(io.LimitReader(z, maxRawBytes+1))
	if err == nil && len(b) > maxRawBytes {
		err = fmt.Errorf("more than %d bytes when unpacked", int64(maxRawBytes))
	}
	return b, err
}

// add makes an entry of one record.
func (r *rawFiles) add(l *listing, file string, i, class int, p part, b []byte) {
	path := fmt.Sprintf("%s/%05d", file, i)
	r.records[path] = b
	l.entries = append(l.entries, entry{path, class, p})
}

// listCIFAR lists a folder of the binary files of CIFAR-10 (a label byte, then
// 32x32 red, green and blue) or CIFAR-100 (two label bytes, the second being
// the fine one).
func listCIFAR(root string) (*listing, error) {
	r := &rawFiles{width: 32, height: 32, planes: 3, records: map[string][]byte{}}
	l := &listing{files: r, ordered: true}
	files, labels, classes, meta := []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"}, 1, 10, "batches.meta.txt"
	if _, err := os.Stat(filepath.Join(root, "train.bin")); err == nil {
		files, labels, classes, meta = []string{"train.bin", "test.bin"}, 2, 100, "fine_label_names.txt"
	}
	names := classNames(filepath.Join(root, meta))
	if names == nil {
		names = numbered(classes)
	}
	if len(names) != classes {
		return nil, fmt.Errorf("%s has %d class names, want %d", filepath.Join(root, meta), len(names), classes)
	}
	record := labels + 3*32*32
	for _, name := range files {
		full := filepath.Join(root, name)
		b, err := os.ReadFile(full)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", full, plain(err))
		}
		if len(b) == 0 || len(b)%record != 0 {
			return nil, fmt.Errorf("%s has %d bytes, which is no multiple of %d; download it again", full, len(b), record)
		}
		p := partTrain
		if strings.HasPrefix(name, "test") {
			p = partTest
		}
		for i := range len(b) / record {
			rec := b[i*record:][:record]
			class := int(rec[labels-1])
			if class >= classes {
				return nil, fmt.Errorf("%s: picture %d has the label %d, but there are %d classes", full, i, class, classes)
			}
			r.add(l, name, i, class, p, rec[labels:])
		}
	}
	l.useClasses(names)
	return l, nil
}

// useClasses keeps the classes that have pictures.
func (l *listing) useClasses(names []string) {
	used := make([]bool, len(names))
	for _, e := range l.entries {
		used[e.class] = true
	}
	renumber := make([]int, len(names))
	for i, n := range names {
		if used[i] {
			renumber[i] = len(l.classes)
			l.classes = append(l.classes, n)
		}
	}
	for i := range l.entries {
		l.entries[i].class = renumber[l.entries[i].class]
	}
	// A set without one of its sides brings no split.
	if !slices.ContainsFunc(l.entries, func(e entry) bool { return e.part != l.entries[0].part }) {
		for i := range l.entries {
			l.entries[i].part = partUnknown
		}
	}
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// listIDX lists a folder of IDX files, MNIST's format: train-images-idx3-ubyte
// and train-labels-idx1-ubyte, t10k- for the test part, each perhaps with .gz.
// Class names come from labels.txt or classes.txt, or are the numbers.
func listIDX(root string) (*listing, error) {
	r := &rawFiles{planes: 1, records: map[string][]byte{}}
	l := &listing{files: r, ordered: true}
	most := 0
	for _, side := range []struct {
		name string
		part part
	}{{"train", partTrain}, {"t10k", partTest}} {
		images, n, err := readIDX(filepath.Join(root, side.name+"-images-idx3-ubyte"), 3)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		labels, m, err := readIDX(filepath.Join(root, side.name+"-labels-idx1-ubyte"), 1)
		if err != nil {
			return nil, err
		}
		if m[0] != n[0] {
			return nil, fmt.Errorf("%s: %d pictures of %s and %d labels", root, n[0], side.name, m[0])
		}
		if r.height == 0 {
			r.height, r.width = n[1], n[2]
		}
		if n[1] != r.height || n[2] != r.width {
			return nil, fmt.Errorf("%s: the pictures of %s are %dx%d, the others %dx%d", root, side.name, n[2], n[1], r.width, r.height)
		}
		size := r.width * r.height
		for i, class := range labels {
			most = max(most, int(class))
			r.add(l, side.name, i, int(class), side.part, images[i*size:][:size])
		}
	}
	if len(l.entries) == 0 {
		return nil, fmt.Errorf("%s holds IDX files, but neither train-images-idx3-ubyte nor t10k-images-idx3-ubyte", root)
	}
	names := classNames(filepath.Join(root, "labels.txt"), filepath.Join(root, "classes.txt"))
	if names == nil {
		names = numbered(most + 1)
	}
	if most >= len(names) {
		return nil, fmt.Errorf("%s: label %d, but there are %d class names", root, most, len(names))
	}
	l.useClasses(names)
	return l, nil
}

// readIDX reads an IDX file of bytes with the given number of dimensions.
func readIDX(name string, dims int) ([]byte, []int, error) {
	b, err := readRaw(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
		}
		return nil, nil, fmt.Errorf("%s: %w", name, plain(err))
	}
	return parseIDX(name, b, dims)
}

func parseIDX(name string, b []byte, dims int) ([]byte, []int, error) {
	if len(b) < 4+4*dims || !bytes.Equal(b[:4], []byte{0, 0, 8, byte(dims)}) {
		return nil, nil, fmt.Errorf("%s is no IDX file of bytes with %d dimensions", name, dims)
	}
	n := make([]int, dims)
	total := int64(1)
	for i := range n {
		v := binary.BigEndian.Uint32(b[4+4*i:])
		n[i] = int(v)
		if v == 0 || total > maxRawBytes/int64(v) {
			return nil, nil, fmt.Errorf("%s claims a dimension of %d", name, v)
		}
		total *= int64(v)
	}
	b = b[4+4*dims:]
	if int64(len(b)) != total {
		return nil, nil, fmt.Errorf("%s has %d bytes of data, its header says %d; download it again", name, len(b), total)
	}
	return b, n, nil
}
