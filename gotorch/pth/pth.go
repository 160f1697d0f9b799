// Package pth reads the tensors of files that PyTorch's torch.save wrote (.pth, .pt, .bin), without
// running any of the code that such files can hold: only data and the calls that rebuild tensors are
// understood, everything else is an error.
package pth

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"unsafe"

	torch "github.com/wangkuiyi/gotorch"
)

// storages maps the classes of torch's storages to the dtype of their elements.
var storages = map[global]torch.Dtype{
	"torch.FloatStorage": torch.Float, "torch.DoubleStorage": torch.Double, "torch.HalfStorage": torch.Half,
	"torch.BFloat16Storage": torch.BFloat16, "torch.LongStorage": torch.Long, "torch.IntStorage": torch.Int,
	"torch.ShortStorage": torch.Short, "torch.CharStorage": torch.Char, "torch.ByteStorage": torch.Byte,
	"torch.BoolStorage": torch.Bool, "torch.ComplexFloatStorage": torch.ComplexFloat,
	"torch.ComplexDoubleStorage": torch.ComplexDouble,
}

// storage is a block of elements that tensors are views of.
type storage struct {
	dtype torch.Dtype
	numel int64
	data  []byte
}

// view is a tensor that a pickle rebuilt.
type view struct {
	storage      *storage
	offset       int64
	size, stride []int64
}

// Load reads every tensor of a file. The names are the keys of the dictionaries on the way to it,
// joined by dots: those of a state_dict as they are, and of a checkpoint {"model": state_dict, ...}
// with "model." before them. Values that are no tensors are left out.
func Load(file string) (map[string]torch.Tensor, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return t, nil
}

// Decode is Load for the bytes of a file.
func Decode(b []byte) (map[string]torch.Tensor, error) {
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	read := decodeLegacy
	if bytes.HasPrefix(b, []byte("PK\x03\x04")) {
		read = decodeZip
	}
	root, err := read(b)
	if err != nil {
		return nil, err
	}
	views := map[string]*view{}
	if err := gather("", root, views, 0); err != nil {
		return nil, err
	}
	if len(views) == 0 {
		return nil, errors.New("the file holds no tensors")
	}
	tensors := map[string]torch.Tensor{}
	for name, v := range views {
		t, err := v.tensor()
		if err != nil {
			for _, t := range tensors {
				t.Close()
			}
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		tensors[name] = t
	}
	return tensors, nil
}

// gather finds the tensors in a value by their names.
func gather(name string, v any, views map[string]*view, depth int) error {
	if depth > 100 {
		return errors.New("the dictionaries are nested more than 100 deep")
	}
	under := func(key string) string { return strings.TrimPrefix(name+"."+key, ".") }
	switch v := v.(type) {
	case *view:
		if _, there := views[name]; there {
			return fmt.Errorf("two tensors are called %q", name)
		}
		views[name] = v
	case *dict:
		for _, k := range v.keys {
			if err := gather(under(k.(string)), v.values[k.(string)], views, depth+1); err != nil {
				return err
			}
		}
	case *list:
		return gatherAll(name, v.items, views, depth)
	case tuple:
		return gatherAll(name, v, views, depth)
	}
	return nil
}

func gatherAll(name string, items []any, views map[string]*view, depth int) error {
	for i, x := range items {
		if err := gather(strings.TrimPrefix(fmt.Sprintf("%s.%d", name, i), "."), x, views, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// decodeZip reads the format of PyTorch 1.6 and later: a .zip with a pickle and a file per storage.
func decodeZip(b []byte) (any, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	files := map[string]*zip.File{}
	root := ""
	for _, f := range z.File {
		files[f.Name] = f
		if path.Base(f.Name) == "data.pkl" && root == "" {
			root = path.Dir(f.Name)
		}
	}
	read := func(name string) ([]byte, error) {
		f := files[path.Join(root, name)]
		if f == nil {
			return nil, fmt.Errorf("expected %s in the archive, found none", name)
		}
		// torch.save stores without compression; a file cannot hold more than the archive then.
		if f.Method != zip.Store || f.UncompressedSize64 > uint64(len(b)) {
			return nil, fmt.Errorf("%s is compressed, as torch.save never does", name)
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(io.LimitReader(r, int64(len(b))))
	}
	if order, err := read("byteorder"); err == nil && string(order) != "little" {
		return nil, fmt.Errorf("the byte order is %q, only little is read", order)
	}
	pickle, err := read("data.pkl")
	if err != nil {
		return nil, err
	}
	known := map[string]*storage{}
	u := unpickler{b: pickle, persistent: func(id []any) (any, error) {
		s, key, err := newStorage(id)
		if err != nil || known[key] != nil {
			return known[key], err
		}
		if s.data, err = read("data/" + key); err != nil {
			return nil, err
		}
		known[key] = s
		return s, s.check()
	}}
	return u.run()
}

// newStorage reads a storage's name: ("storage", class, key, device, number of elements, ...).
func newStorage(id []any) (*storage, string, error) {
	if len(id) < 5 || id[0] != "storage" {
		return nil, "", fmt.Errorf("unknown reference %v", id)
	}
	class, ok1 := id[1].(global)
	dtype, ok2 := storages[class]
	key, ok3 := id[2].(string)
	numel, ok4 := id[4].(int64)
	if !ok1 || !ok2 || !ok3 || !ok4 || numel < 0 || numel > 1<<48 {
		return nil, "", fmt.Errorf("unknown storage %v", id)
	}
	return &storage{dtype: dtype, numel: numel}, key, nil
}

func (s *storage) check() error {
	if want := s.numel * torch.DtypeSize(s.dtype); int64(len(s.data)) < want {
		return fmt.Errorf("expected a storage of %d bytes, found %d", want, len(s.data))
	}
	return nil
}

// decodeLegacy reads the format before PyTorch 1.6: five pickles (a magic number, a version, the
// machine, the value, the keys of its storages) and the storages in the order of the keys.
func decodeLegacy(b []byte) (any, error) {
	const magic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
	known := map[string]*storage{}
	u := unpickler{b: b, persistent: func(id []any) (any, error) {
		s, key, err := newStorage(id)
		if err == nil && known[key] == nil {
			known[key] = s
		}
		if len(id) > 5 && id[5] != nil {
			return nil, errors.New("a storage that is a part of another is not read")
		}
		return known[key], err
	}}
	first, err := u.run()
	if s, ok := first.(string); err != nil || !ok || s != magic {
		return nil, errors.New("expected a file of torch.save, found neither a .zip nor its magic number")
	}
	for range 2 {
		if _, err := u.run(); err != nil {
			return nil, err
		}
	}
	value, err := u.run()
	if err != nil {
		return nil, err
	}
	keys, err := u.run()
	if err != nil {
		return nil, err
	}
	l, ok := keys.(*list)
	if !ok {
		return nil, fmt.Errorf("expected the list of storages, found a %T", keys)
	}
	rest := b[u.at:]
	for _, k := range l.items {
		key, _ := k.(string)
		s := known[key]
		if s == nil || len(rest) < 8 {
			return nil, fmt.Errorf("the storage %q is not there", key)
		}
		n := s.numel * torch.DtypeSize(s.dtype)
		if binary.LittleEndian.Uint64(rest) != uint64(s.numel) || int64(len(rest)-8) < n {
			return nil, fmt.Errorf("expected %d elements in the storage %q, found %d bytes", s.numel, key, len(rest)-8)
		}
		s.data, rest = rest[8:8+n], rest[8+n:]
	}
	for key, s := range known {
		if s.data == nil && s.numel > 0 {
			return nil, fmt.Errorf("the storage %q is not there", key)
		}
	}
	return value, nil
}

// rebuildTensor is torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...).
func rebuildTensor(args []any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("%d arguments", len(args))
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int64)
	size, ok3 := numbers(args[2])
	stride, ok4 := numbers(args[3])
	if !ok1 || !ok2 || !ok3 || !ok4 || s == nil || len(size) != len(stride) || offset < 0 {
		return nil, errors.New("arguments of other types than torch.save writes")
	}
	outside := fmt.Errorf("offset %d, size %v and stride %v lie outside a storage of %d elements", offset, size, stride, s.numel)
	end := offset // the place of the last element
	for i := range size {
		switch {
		case size[i] < 0 || stride[i] < 0:
			return nil, outside
		case size[i] == 0:
			return &view{s, 0, size, stride}, nil
		case size[i] > 1 && stride[i] > 0 && size[i]-1 > s.numel/stride[i]: // before it can overflow
			return nil, outside
		}
		end += (size[i] - 1) * stride[i]
	}
	if end >= s.numel {
		return nil, outside
	}
	return &view{s, offset, size, stride}, nil
}

func numbers(v any) ([]int64, bool) {
	t, ok := v.(tuple)
	out := make([]int64, len(t))
	for i, x := range t {
		n, isNumber := x.(int64)
		ok = ok && isNumber
		out[i] = n
	}
	return out, ok
}

// tensor copies the view's elements.
func (v *view) tensor() (t torch.Tensor, err error) {
	numel := int64(1)
	for _, s := range v.size {
		if s != 0 && numel > (1<<40)/s {
			return t, fmt.Errorf("a tensor of shape %v is too large", v.size)
		}
		numel *= s
	}
	es := torch.DtypeSize(v.storage.dtype)
	// A view may repeat elements (stride 0), so its size is bounded apart from the file's.
	if numel*es > 1<<36 || numel*es > 64*int64(len(v.storage.data))+1<<20 {
		return t, fmt.Errorf("a tensor of shape %v is too large for a storage of %d bytes", v.size, len(v.storage.data))
	}
	b := v.storage.data
	if contiguous(v.size, v.stride) {
		if numel > 0 {
			b = b[v.offset*es : (v.offset+numel)*es]
		}
	} else {
		b = v.elements(numel, es)
	}
	err = torch.Try(func() { t = torch.FromBlob(unsafe.Pointer(unsafe.SliceData(b)), v.storage.dtype, v.size) })
	return t, err
}

func contiguous(size, stride []int64) bool {
	want := int64(1)
	for i := len(size) - 1; i >= 0; i-- {
		if size[i] != 1 && stride[i] != want {
			return false
		}
		want *= size[i]
	}
	return true
}

// elements copies the elements in the order of the dimensions.
func (v *view) elements(numel, es int64) []byte {
	out := make([]byte, 0, numel*es)
	index := make([]int64, len(v.size))
	for range numel {
		at := v.offset
		for i, x := range index {
			at += x * v.stride[i]
		}
		out = append(out, v.storage.data[at*es:(at+1)*es]...)
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < v.size[i] {
				break
			}
			index[i] = 0
		}
	}
	return out
}
