// Package safetensors reads and writes files of named tensors in the format of the same name: eight
// bytes with the length of a JSON header, the header (name to dtype, shape and place), the bytes.
// PyTorch's safetensors library reads what it writes and the other way round.
//
// The format: https://huggingface.co/docs/safetensors.
package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"sort"

	torch "github.com/wangkuiyi/gotorch"
)

// maxHeader is the longest header that is read, in bytes, as in the reference implementation.
const maxHeader = 100_000_000

var dtypes = map[string]torch.Dtype{
	"BOOL": torch.Bool, "U8": torch.Byte, "I8": torch.Char, "I16": torch.Short, "I32": torch.Int,
	"I64": torch.Long, "F16": torch.Half, "BF16": torch.BFloat16, "F32": torch.Float, "F64": torch.Double,
	"C64": torch.ComplexFloat,
}

func nameOf(d torch.Dtype) (string, bool) {
	for name, x := range dtypes {
		if x == d {
			return name, true
		}
	}
	return "", false
}

// Entry describes one tensor of a file.
type Entry struct {
	Name  string
	Dtype torch.Dtype
	Shape []int64
	// Begin and End are the tensor's bytes, counted from the end of the header.
	Begin, End int64
}

// Header is what a file says before its bytes.
type Header struct {
	Entries  []Entry // in the order of their bytes
	Metadata map[string]string
	Data     int64 // where the bytes begin in the file
}

type jsonEntry struct {
	Dtype   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// parseHeader reads the header of a file of size bytes that begins with b (the header included). It
// refuses whatever does not describe the file exactly: unknown dtypes, sizes that do not fit the
// shape, overlaps, gaps, and bytes beyond the last tensor.
func parseHeader(b []byte, size int64) (*Header, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("expected 8 bytes with the header's length, found %d bytes", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader {
		return nil, fmt.Errorf("expected a header of at most %d bytes, found %d", maxHeader, n)
	}
	if uint64(len(b)) < 8+n {
		return nil, fmt.Errorf("expected a header of %d bytes, found %d", n, len(b)-8)
	}
	h := &Header{Data: int64(8 + n)}
	raw, err := objects(b[8 : 8+n])
	if err != nil {
		return nil, err
	}
	for name, value := range raw {
		if name == "__metadata__" {
			if err := json.Unmarshal(value, &h.Metadata); err != nil {
				return nil, fmt.Errorf("__metadata__: %w", err)
			}
			continue
		}
		e, err := parseEntry(name, value)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		h.Entries = append(h.Entries, e)
	}
	sort.Slice(h.Entries, func(i, j int) bool {
		a, b := h.Entries[i], h.Entries[j]
		if a.Begin != b.Begin {
			return a.Begin < b.Begin
		}
		if a.End != b.End {
			return a.End < b.End
		}
		return a.Name < b.Name
	})
	at := int64(0)
	for _, e := range h.Entries {
		if e.Begin != at {
			return nil, fmt.Errorf("tensor %q begins at byte %d, the one before ends at %d", e.Name, e.Begin, at)
		}
		at = e.End
	}
	if have := size - h.Data; have != at {
		return nil, fmt.Errorf("expected %d bytes of tensors, found %d", at, have)
	}
	return h, nil
}

// objects reads a JSON object and refuses repeated keys, of which encoding/json keeps the last.
func objects(b []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("expected a JSON object as header (%v)", err)
	}
	m := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, fmt.Errorf("header: %w", err)
		}
		name := key.(string)
		if _, ok := m[name]; ok {
			return nil, fmt.Errorf("the header names %q twice", name)
		}
		m[name] = v
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return m, nil
}

func parseEntry(name string, value json.RawMessage) (Entry, error) {
	var j jsonEntry
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return Entry{}, err
	}
	dtype, ok := dtypes[j.Dtype]
	if !ok {
		return Entry{}, fmt.Errorf("unknown dtype %q", j.Dtype)
	}
	n := torch.DtypeSize(dtype)
	for _, s := range j.Shape {
		if s < 0 || s != 0 && n > (1<<62)/s {
			return Entry{}, fmt.Errorf("impossible shape %v", j.Shape)
		}
		n *= s
	}
	if j.Offsets[0] < 0 || j.Offsets[1]-j.Offsets[0] != n {
		return Entry{}, fmt.Errorf("%s of shape %v takes %d bytes, data_offsets are %v", j.Dtype, j.Shape, n, j.Offsets)
	}
	if j.Shape == nil {
		j.Shape = []int64{}
	}
	return Entry{name, dtype, j.Shape, j.Offsets[0], j.Offsets[1]}, nil
}
