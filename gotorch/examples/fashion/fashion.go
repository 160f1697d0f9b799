// Package fashion reads Fashion-MNIST (Xiao et al., 2017): 70,000 pictures of clothes, 28x28 grey
// pixels, ten classes. Debian has it as the package dataset-fashion-mnist.
package fashion

import (
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Folder is where Debian's package puts the files.
const Folder = "/usr/share/datasets/fashion-mnist"

// Set is the training or the test set.
type Set struct {
	Pixels []float32 // 784 a picture, normalised to mean 0 and deviation 1 over the training set
	Labels []int64
}

// Len returns the number of pictures.
func (s *Set) Len() int { return len(s.Labels) }

// Load reads the files named train-* or t10k-* in dir; when dir is empty, in $FASHION_MNIST or Folder.
func Load(dir, name string) (*Set, error) {
	if dir == "" {
		dir = cmp.Or(os.Getenv("FASHION_MNIST"), Folder)
	}
	pixels, err := read(filepath.Join(dir, name+"-images-idx3-ubyte.gz"), 0x803, 16)
	if err != nil {
		return nil, err
	}
	labels, err := read(filepath.Join(dir, name+"-labels-idx1-ubyte.gz"), 0x801, 8)
	if err != nil {
		return nil, err
	}
	if len(pixels) != 784*len(labels) {
		return nil, fmt.Errorf("%s: %d pixels for %d labels", dir, len(pixels), len(labels))
	}
	s := &Set{make([]float32, len(pixels)), make([]int64, len(labels))}
	for i, p := range pixels {
		s.Pixels[i] = (float32(p)/255 - 0.2860) / 0.3530
	}
	for i, l := range labels {
		s.Labels[i] = int64(l)
	}
	return s, nil
}

// read returns what follows the header of an IDX file, whose first number is magic.
func read(path string, magic uint32, header int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; install the package dataset-fashion-mnist or name its folder with -data", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(b) < header || binary.BigEndian.Uint32(b) != magic {
		return nil, fmt.Errorf("%s: expected an IDX file of type %#x", path, magic)
	}
	return b[header:], nil
}
