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

// Write writes a file of tensors and texts to w. The tensors with the largest elements come first,
// so each is aligned to its elements; those alike come in the order of their names.
func Write(w io.Writer, tensors map[string]torch.Tensor, metadata map[string]string) error {
	header := map[string]any{}
	if len(metadata) > 0 {
		header["__metadata__"] = metadata
	}
	names := make([]string, 0, len(tensors))
	for name, t := range tensors {
		if name == "__metadata__" {
			return fmt.Errorf("no tensor can be called __metadata__")
		}
		if !t.Defined() {
			return fmt.Errorf("tensor %q is undefined", name)
		}
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := torch.DtypeSize(tensors[names[i]].Dtype()), torch.DtypeSize(tensors[names[j]].Dtype())
		if a != b {
			return a > b
		}
		return names[i] < names[j]
	})
	at := int64(0)
	for _, name := range names {
		t := tensors[name]
		dtype, ok := nameOf(t.Dtype())
		if !ok {
			return fmt.Errorf("tensor %q: safetensors has no dtype %s", name, torch.DtypeName(t.Dtype()))
		}
		n := t.Numel() * torch.DtypeSize(t.Dtype())
		header[name] = jsonEntry{dtype, t.Shape(), [2]int64{at, at + n}}
		at += n
	}
	b, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(b)%8 != 0 { // the bytes of the tensors begin aligned
		b = append(b, ' ')
	}
	if err := binary.Write(w, binary.LittleEndian, uint64(len(b))); err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	for _, name := range names {
		if err := writeBytes(w, tensors[name]); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return nil
}

func writeBytes(w io.Writer, t torch.Tensor) error {
	b, err := torch.Bytes(t)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
