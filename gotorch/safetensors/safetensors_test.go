package safetensors_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"
)

func TestRoundTripOfEveryDtype(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	tensors := map[string]torch.Tensor{
		"scalar": torch.Full(nil, 3, false), "empty": torch.Zeros([]int64{0, 3}, false),
		"transposed": torch.RandN([]int64{3, 4}, true).Transpose(0, 1),
		"last":       torch.RandN([]int64{1, 2, 3, 4}, false).ChannelsLast(), "name with \"quotes\" é": torch.Ones([]int64{1}, false),
	}
	for _, d := range []torch.Dtype{torch.Bool, torch.Byte, torch.Char, torch.Short, torch.Int, torch.Long, torch.Half, torch.BFloat16,
		torch.Float, torch.Double, torch.ComplexFloat} {
		tensors[torch.DtypeName(d)] = torch.RandInt(0, 2, []int64{3}).CastTo(d)
	}
	path := filepath.Join(t.TempDir(), "a b.safetensors")
	if err := safetensors.Save(path, tensors, map[string]string{"format": "pt", "note": "line\nbreak"}); err != nil {
		t.Fatal(err)
	}
	got, meta, err := safetensors.LoadWithMetadata(path)
	if err != nil {
		t.Fatal(err)
	}
	if meta["note"] != "line\nbreak" || len(got) != len(tensors) {
		t.Errorf("metadata %v, %d tensors of %d", meta, len(got), len(tensors))
	}
	for name, want := range tensors {
		if !torch.Equal(got[name], want) || got[name].Dtype() != want.Dtype() {
			t.Errorf("%s came back as %v", name, got[name])
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("files were left behind: %v", left)
	}
}

// The goldens of this module are files that Python's safetensors wrote.
func TestReadsPythonsFiles(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	f, err := safetensors.Open("../testdata/ops.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Metadata["safetensors"] == "" {
		t.Error("the version of Python's safetensors is not in the file")
	}
	x, err := f.Tensor(f.Entries[0])
	if err != nil || x.Dtype() != f.Entries[0].Dtype {
		t.Errorf("%v, %v", x, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Tensor(f.Entries[0]); err == nil {
		t.Error("a closed file gave a tensor")
	}
}

// file makes the bytes of a file with a header of the given text.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

var hostile = map[string][]byte{
	"empty":                  {},
	"seven bytes":            make([]byte, 7),
	"a length and no header": binary.LittleEndian.AppendUint64(nil, 100),
	"an enormous header":     binary.LittleEndian.AppendUint64(nil, 1<<63),
	"a header over the cap":  binary.LittleEndian.AppendUint64(nil, 200_000_000),
	"no JSON":                file("hello", 0),
	"a list":                 file("[]", 0),
	"an open object":         file(`{"a":`, 0),
	"an unknown dtype":       file(`{"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}`, 1),
	"a size that lies":       file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4),
	"a negative size":        file(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4),
	"a size overflow":        file(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0),
	"offsets backwards":      file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4),
	"offsets beyond":         file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[96,100]}}`, 4),
	"an overlap":             file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
	"a gap":                  file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}`, 12),
	"bytes beyond":           file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 9),
	"bytes missing":          file(`{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 9),
	"a name twice":           file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2),
	"an unknown field":       file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"code":"x"}}`, 1),
	"metadata of numbers":    file(`{"__metadata__":{"a":1}}`, 0),
}

func TestHostileFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	for name, b := range hostile {
		path := filepath.Join(dir, "x.safetensors")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		tensors, err := safetensors.Load(path)
		if err == nil {
			t.Errorf("%s: loaded %d tensors", name, len(tensors))
		} else if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error must name the file in one line: %v", name, err)
		}
	}
	if _, err := safetensors.Load(dir); err == nil {
		t.Error("a folder was loaded")
	}
	if _, err := safetensors.Load(filepath.Join(dir, "absent")); err == nil {
		t.Error("an absent file was loaded")
	}
}

func TestSaveRefuses(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	dir := t.TempDir()
	one := torch.Ones([]int64{1}, false)
	for name, f := range map[string]func() error{
		"an undefined tensor": func() error {
			return safetensors.Save(dir+"/a", map[string]torch.Tensor{"a": {}}, nil)
		},
		"the name of the metadata": func() error {
			return safetensors.Save(dir+"/a", map[string]torch.Tensor{"__metadata__": one}, nil)
		},
		"a dtype of no name": func() error {
			return safetensors.Save(dir+"/a", map[string]torch.Tensor{"a": one.CastTo(torch.ComplexDouble)}, nil)
		},
		"a folder that is not there": func() error {
			return safetensors.Save(dir+"/no/a", map[string]torch.Tensor{"a": one}, nil)
		},
	} {
		if err := f(); err == nil {
			t.Errorf("%s was saved", name)
		}
	}
	if left, _ := filepath.Glob(dir + "/*"); len(left) > 0 {
		t.Errorf("half-written files: %v", left)
	}
	if left, _ := filepath.Glob(dir + "/.*"); len(left) > 0 {
		t.Errorf("half-written files: %v", left)
	}
}

// FuzzLoad feeds changed files: each loads, or is refused, and never reads beyond its bytes.
func FuzzLoad(f *testing.F) {
	for _, b := range hostile {
		f.Add(b)
	}
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := torch.NewScope()
		defer s.Close()
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		tensors, err := safetensors.Load(path)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := safetensors.Write(&again, tensors, nil); err != nil {
			t.Errorf("what was read cannot be written: %v", err)
		}
		var header map[string]json.RawMessage
		n := binary.LittleEndian.Uint64(again.Bytes())
		if err := json.Unmarshal(again.Bytes()[8:8+n], &header); err != nil || len(header) != len(tensors) {
			t.Errorf("%d names for %d tensors: %v", len(header), len(tensors), err)
		}
	})
}
