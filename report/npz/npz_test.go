package npz

import (
	"archive/zip"
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// golden is what scripts/golden/npz.py saved.
func golden() []Array {
	f4 := make([]float32, 24)
	for i := range f4 {
		f4[i] = float32(i) / 7
	}
	return []Array{
		{"f4", []int{2, 3, 4}, f4},
		{"f8", []int{4}, []float64{0.1, -2.5, math.Inf(1), math.Float64frombits(0x7ff8 << 48)}},
		{"i4", []int{2}, []int32{-1, math.MaxInt32}},
		{"i8", []int{2, 1}, []int64{-(1 << 62), 3}},
		{"u4", []int{2}, []uint32{0, math.MaxUint32}},
		{"u1", []int{5}, []uint8{0, 1, 2, 3, 4}},
		{"text", []int{3}, []string{"0.conv", "", "été 行星"}},
		{"scalar", nil, []float64{3.5}},
		{"empty", []int{0, 4}, []float32{}},
	}
}

func TestReadsWhatNumPyWrote(t *testing.T) {
	got, err := Read("testdata/numpy.npz")
	if err != nil {
		t.Fatal(err)
	}
	if by, _ := got["made_by"].Data.([]string); len(by) != 1 || !strings.HasPrefix(by[0], "numpy ") {
		t.Errorf("the golden was made by %q", by)
	}
	for _, want := range golden() {
		if diff := cmp.Diff(want, got[want.Name], cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Name, diff)
		}
	}
}

// Each array's bytes equal NumPy's own.
func TestWritesWhatNumPyWould(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ours.npz")
	if err := Write(path, golden()...); err != nil {
		t.Fatal(err)
	}
	ours, theirs := entries(t, path), entries(t, "testdata/numpy.npz")
	for _, a := range golden() {
		name := a.Name + ".npy"
		if !bytes.Equal(ours[name], theirs[name]) {
			t.Errorf("%s:\nours   %q\nNumPy's %q", name, ours[name], theirs[name])
		}
	}
}

func entries(t *testing.T, path string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	})
	all := map[string][]byte{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if all[f.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
		in.Close()
	}
	return all
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, columns := rapid.IntRange(0, 5).Draw(t, "rows"), rapid.IntRange(0, 5).Draw(t, "columns")
		want := Array{"a", []int{rows, columns}, rapid.SliceOfN(rapid.Float32(), rows*columns, rows*columns).Draw(t, "values")}
		// Text may not end in NUL: NumPy pads with it.
		texts := rapid.SliceOf(rapid.StringMatching(`[a-zé行<>]{0,9}`)).Draw(t, "texts")
		var file bytes.Buffer
		if err := Encode(&file, want, Array{"b", []int{len(texts)}, texts}); err != nil {
			t.Fatal(err)
		}
		got, err := Decode(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got["a"], cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(texts, got["b"].Data, cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	for _, c := range []struct {
		array Array
		want  string
	}{
		{Array{"x", []int{3}, []float32{1}}, `array "x": 1 values for the shape [3]`},
		{Array{"x", []int{1}, []bool{true}}, "values of type []bool"},
	} {
		if err := Encode(io.Discard, c.array); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.array, err, c.want)
		}
	}
}

// archive makes a .npz of one array with the given content.
func archive(t testing.TB, content string) []byte {
	t.Helper()
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	w, err := z.Create("x.npy")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func npy(dictionary, values string) string {
	return magic + "\x01\x00" + string([]byte{byte(len(dictionary)), 0}) + dictionary + values
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{"hello, this is text", "not an array in NumPy's format"},
		{magic, "not an array"},
		{magic + "\x09\x00", "version 9"},
		{magic + "\x01\x00\xff\x00{", "the header is cut short"},
		{magic + "\x02\x00\xff\xff\xff\xff", "too long"},
		{npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", "abcd"), "the order is Fortran"},
		{npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "abcd"), `type ">f4" is not supported`},
		{npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "abcd"), `type "|O" is not supported`},
		{npy("{'descr': '<U-1', 'fortran_order': False, 'shape': (1,), }", ""), "is not supported"},
		{npy("__import__('os').system('true')", ""), "is not understood"},
		{npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "abcd"), "ends after 4 of 8 bytes"},
		{npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }", ""), "too large"},
		{npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }", ""), "out of range"},
		{npy("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", "\xff\xff\xff\xff"), "invalid character"},
	} {
		file := archive(t, c.content)
		if _, err := Decode(bytes.NewReader(file), int64(len(file))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.content, err, c.want)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none.npz")); !os.IsNotExist(err) {
		t.Errorf("a missing file gives %v", err)
	}
}

func FuzzDecodeArray(f *testing.F) {
	for _, a := range golden() {
		var file bytes.Buffer
		if err := encodeArray(&file, a); err != nil {
			f.Fatal(err)
		}
		f.Add(file.Bytes())
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := decodeArray(bytes.NewReader(content))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := encodeArray(&again, a); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
