package safetensors

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	torch "github.com/wangkuiyi/gotorch"
)

// File is an open file, mapped into memory: reading one tensor reads its bytes only.
type File struct {
	Header
	path   string
	mapped []byte
	unmap  bool // false: the bytes are the caller's
}

// Parse takes the content of a file that lies in memory; path is what errors call it. The bytes must
// not change while the file is open.
func Parse(path string, content []byte) (*File, error) {
	h, err := parseHeader(content, int64(len(content)))
	if err != nil {
		return nil, fmt.Errorf("%s: no safetensors file: %w", path, err)
	}
	return &File{Header: *h, path: path, mapped: content}, nil
}

// Open maps a file and checks its header. The caller closes it.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a safetensors file, found %s", path, st.Mode().Type())
	}
	if st.Size() < 8 {
		return nil, fmt.Errorf("%s: expected a safetensors file, found %d bytes", path, st.Size())
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, int(st.Size()), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot map it: %w", path, err)
	}
	file, err := Parse(path, m)
	if err != nil {
		_ = syscall.Munmap(m)
		return nil, err
	}
	file.unmap = true
	return file, nil
}

// Tensor copies one tensor out of the file.
func (f *File) Tensor(e Entry) (t torch.Tensor, err error) {
	if f.mapped == nil {
		return t, fmt.Errorf("%s: the file is closed", f.path)
	}
	b := f.mapped[f.Data+e.Begin : f.Data+e.End]
	err = torch.Try(func() {
		t = torch.FromBlob(unsafe.Pointer(unsafe.SliceData(b)), e.Dtype, e.Shape)
	})
	runtime.KeepAlive(f)
	if err != nil {
		err = fmt.Errorf("%s: tensor %q: %w", f.path, e.Name, err)
	}
	return t, err
}

// Raw is the file's content, every byte of it, as long as the file is open.
func (f *File) Raw() []byte { return f.mapped }

// Close unmaps the file. Tensors read from it stay.
func (f *File) Close() error {
	if f.mapped == nil {
		return nil
	}
	m := f.mapped
	f.mapped = nil
	if !f.unmap {
		return nil
	}
	return syscall.Munmap(m)
}

// Load reads all tensors of a file.
func Load(path string) (map[string]torch.Tensor, error) {
	tensors, _, err := LoadWithMetadata(path)
	return tensors, err
}

// LoadWithMetadata reads all tensors of a file and the texts saved beside them.
func LoadWithMetadata(path string) (map[string]torch.Tensor, map[string]string, error) {
	if err := torch.LoadLibrary(); err != nil {
		return nil, nil, err
	}
	f, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	tensors, err := f.Tensors()
	return tensors, f.Metadata, err
}

// Tensors copies all tensors out of the file.
func (f *File) Tensors() (map[string]torch.Tensor, error) {
	tensors := make(map[string]torch.Tensor, len(f.Entries))
	for _, e := range f.Entries {
		t, err := f.Tensor(e)
		if err != nil {
			for _, t := range tensors {
				t.Close()
			}
			return nil, err
		}
		tensors[e.Name] = t
	}
	return tensors, nil
}
