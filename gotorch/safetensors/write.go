package safetensors

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	torch "github.com/wangkuiyi/gotorch"
)

// Save writes tensors and texts (metadata may be nil) to a file, which appears whole or not at all:
// it is written under another name beside path and renamed. Tensors are written from the CPU, in the
// order of their dimensions.
func Save(path string, tensors map[string]torch.Tensor, metadata map[string]string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := Write(w, tensors, metadata); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// Data is one tensor outside libtorch: its elements lie in the order of its dimensions.
type Data struct {
	Dtype torch.Dtype
	Shape []int64
	Bytes []byte
}

// Write writes a file of tensors and texts to w. The tensors with the largest elements come first,
// so each is aligned to its elements; those alike come in the order of their names.
func Write(w io.Writer, tensors map[string]torch.Tensor, metadata map[string]string) error {
	described := make(map[string]Data, len(tensors))
	for name, t := range tensors {
		if !t.Defined() {
			return fmt.Errorf("tensor %q is undefined", name)
		}
		described[name] = Data{Dtype: t.Dtype(), Shape: t.Shape()}
	}
	header, names, err := EncodeHeader(described, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, name := range names {
		if err := writeBytes(w, tensors[name]); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return nil
}

// EncodeHeader gives a file's first bytes, up to its tensors' elements, and the names of the tensors
// in the order in which their elements follow. Bytes of the tensors may be nil.
func EncodeHeader(tensors map[string]Data, metadata map[string]string) (header []byte, names []string, err error) {
	entries := map[string]any{}
	if len(metadata) > 0 {
		entries["__metadata__"] = metadata
	}
	for name := range tensors {
		if name == "__metadata__" {
			return nil, nil, fmt.Errorf("no tensor can be called __metadata__")
		}
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := torch.DtypeSize(tensors[names[i]].Dtype), torch.DtypeSize(tensors[names[j]].Dtype)
		if a != b {
			return a > b
		}
		return names[i] < names[j]
	})
	at := int64(0)
	for _, name := range names {
		t := tensors[name]
		dtype, ok := nameOf(t.Dtype)
		if !ok {
			return nil, nil, fmt.Errorf("tensor %q: safetensors has no dtype %s", name, torch.DtypeName(t.Dtype))
		}
		n := torch.DtypeSize(t.Dtype)
		for _, s := range t.Shape {
			n *= s
		}
		entries[name] = jsonEntry{dtype, t.Shape, [2]int64{at, at + n}}
		at += n
	}
	b, err := json.Marshal(entries)
	if err != nil {
		return nil, nil, err
	}
	for len(b)%8 != 0 { // the bytes of the tensors begin aligned
		b = append(b, ' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(b))), b...), names, nil
}

func writeBytes(w io.Writer, t torch.Tensor) error {
	b, err := torch.Bytes(t)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
