// Package npz reads and writes NumPy's .npz files: zip archives of .npy
// arrays. It knows what a run keeps: little-endian numbers and text, in C order.
//
// The format is NumPy's "NEP 1" with versions 1.0 to 3.0 of the header.
package npz

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/wangkuiyi/orrery/report/internal/whole"
)

// An Array is one named array.
type Array struct {
	Name  string // without ".npy"
	Shape []int  // empty for a single value
	// Data is row-major: []float32, []float64, []int32, []int64, []uint8,
	// []uint32 or []string.
	Data any
}

// Limits on what Read takes in, so that a damaged or hostile file cannot exhaust memory.
const (
	maxArrays = 256
	maxBytes  = 1 << 31 // of one array's values
	maxText   = 1 << 16 // characters of one element of text
)

// Write puts arrays into a compressed .npz file; it appears whole or not at all.
func Write(path string, arrays ...Array) error {
	return whole.Write(path, func(w io.Writer) error { return Encode(w, arrays...) })
}

// Encode writes the .npz file to w.
func Encode(w io.Writer, arrays ...Array) error {
	z := zip.NewWriter(w)
	for _, a := range arrays {
		entry, err := z.Create(a.Name + ".npy")
		if err != nil {
			return err
		}
		if err := encodeArray(entry, a); err != nil {
			return fmt.Errorf("array %q: %w", a.Name, err)
		}
	}
	return z.Close()
}

// Read takes in every array of a .npz file, by name.
func Read(path string) (map[string]Array, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	arrays, err := Decode(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return arrays, nil
}

// Decode takes in every array of a .npz file of size bytes.
func Decode(r io.ReaderAt, size int64) (map[string]Array, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("not a .npz file: %w", err)
	}
	if len(z.File) > maxArrays {
		return nil, fmt.Errorf("%d arrays are too many (limit %d)", len(z.File), maxArrays)
	}
	arrays := map[string]Array{}
	for _, entry := range z.File {
		name := strings.TrimSuffix(entry.Name, ".npy")
		a, err := decodeEntry(entry)
		if err != nil {
			return nil, fmt.Errorf("array %q: %w", name, err)
		}
		a.Name = name
		arrays[name] = a
	}
	return arrays, nil
}

func decodeEntry(entry *zip.File) (Array, error) {
	in, err := entry.Open()
	if err != nil {
		return Array{}, err
	}
	defer in.Close()
	return decodeArray(in)
}

func decodeArray(in io.Reader) (Array, error) {
	h, err := readHeader(in)
	if err != nil {
		return Array{}, err
	}
	count := 1
	for _, side := range h.shape {
		if side != 0 && count > maxBytes/side {
			return Array{}, fmt.Errorf("shape %v is too large", h.shape)
		}
		count *= side
	}
	if width := h.width(); width == 0 || count > maxBytes/width {
		return Array{}, fmt.Errorf("shape %v of %s is too large", h.shape, h.descr)
	}
	a := Array{Shape: h.shape}
	want := int64(count) * int64(h.width())
	// Grows with what is there rather than with what the header claims.
	var raw bytes.Buffer
	if n, err := io.CopyN(&raw, in, want); err != nil {
		if errors.Is(err, io.EOF) {
			return Array{}, fmt.Errorf("ends after %d of %d bytes", n, want)
		}
		return Array{}, err
	}
	if a.Data, err = h.values(raw.Bytes(), count); err != nil {
		return Array{}, err
	}
	return a, nil
}

func (h header) values(raw []byte, count int) (any, error) {
	switch h.descr {
	case "<f4":
		return numbers[float32](raw, count)
	case "<f8":
		return numbers[float64](raw, count)
	case "<i4":
		return numbers[int32](raw, count)
	case "<i8":
		return numbers[int64](raw, count)
	case "<u4":
		return numbers[uint32](raw, count)
	case "|u1":
		return numbers[uint8](raw, count)
	}
	characters := h.characters()
	list := make([]string, count)
	for i := range list {
		var text strings.Builder
		for j := range characters {
			r := rune(binary.LittleEndian.Uint32(raw[4*(i*characters+j):]))
			if r == 0 { // NumPy pads with zeros
				break
			}
			if !utf8.ValidRune(r) {
				return nil, fmt.Errorf("element %d holds the invalid character %#x", i, uint32(r))
			}
			text.WriteRune(r)
		}
		list[i] = text.String()
	}
	return list, nil
}

func numbers[T any](raw []byte, count int) ([]T, error) {
	list := make([]T, count)
	_, err := binary.Decode(raw, binary.LittleEndian, list)
	return list, err
}

func encodeArray(w io.Writer, a Array) error {
	count := 1
	for _, side := range a.Shape {
		count *= side
	}
	var descr string
	var length int
	var raw []byte
	put := func(d string, n int, values any) (err error) {
		descr, length = d, n
		raw, err = binary.Append(nil, binary.LittleEndian, values)
		return err
	}
	var err error
	switch v := a.Data.(type) {
	case []float32:
		err = put("<f4", len(v), v)
	case []float64:
		err = put("<f8", len(v), v)
	case []int32:
		err = put("<i4", len(v), v)
	case []int64:
		err = put("<i8", len(v), v)
	case []uint32:
		err = put("<u4", len(v), v)
	case []uint8:
		err = put("|u1", len(v), v)
	case []string:
		longest := 1
		for _, text := range v {
			longest = max(longest, utf8.RuneCountInString(text))
		}
		raw = make([]byte, 4*longest*len(v))
		for i, text := range v {
			j := 0
			for _, r := range text {
				binary.LittleEndian.PutUint32(raw[4*(i*longest+j):], uint32(r))
				j++
			}
		}
		descr, length = fmt.Sprintf("<U%d", longest), len(v)
	default:
		return fmt.Errorf("values of type %T have no place in a .npz file", a.Data)
	}
	if err != nil {
		return err
	}
	if length != count {
		return fmt.Errorf("%d values for the shape %v", length, a.Shape)
	}
	if _, err := w.Write(headerOf(descr, a.Shape)); err != nil {
		return err
	}
	_, err = w.Write(raw)
	return err
}
