package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sideOf describes the split of d: the paths of the validation part.
func sideOf(d *Dataset) (train, valid []string) {
	for _, i := range d.Train {
		train = append(train, d.Samples[i].Path)
	}
	for _, i := range d.Valid {
		valid = append(valid, d.Samples[i].Path)
	}
	return train, valid
}

func mustOpen(t *testing.T, source string) *Dataset {
	t.Helper()
	d, err := Open(context.Background(), source, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for i := range d.Samples {
		if p, err := d.Picture(i); err != nil {
			t.Errorf("%v", err)
		} else if w, h := d.Size(i); p.Width != w || p.Height != h {
			t.Errorf("%s is %v, its header says %dx%d", d.Samples[i].Path, p, w, h)
		}
	}
	return d
}

func TestTrainAndValidFolders(t *testing.T) {
	for _, c := range []struct {
		files        []string
		train, valid []string
	}{
		{[]string{"train/cat/1", "train/dog/2", "valid/cat/3", "valid/dog/4"}, []string{"train/cat/1", "train/dog/2"}, []string{"valid/cat/3", "valid/dog/4"}},
		{[]string{"Train/cat/1", "Train/dog/2", "test/dog/4"}, []string{"Train/cat/1", "Train/dog/2"}, []string{"test/dog/4"}},
		{[]string{"train/cat/1", "train/dog/2", "val/dog/3", "test/dog/4"}, []string{"train/cat/1", "train/dog/2"}, []string{"val/dog/3"}},
	} {
		files := map[string]string{"train/.hidden": "x"}
		var entries []zipEntry
		for _, f := range c.files {
			files[f] = "@jpeg-420"
			entries = append(entries, zipEntry{name: "top/" + f, content: "@jpeg-420"})
		}
		delete(files, "train/.hidden")
		for _, source := range []string{tree(t, files), archive(t, entries...)} {
			d := mustOpen(t, source)
			train, valid := sideOf(d)
			if diff := cmp.Diff([][]string{{"cat", "dog"}, c.train, c.valid}, [][]string{d.Classes, train, valid}); diff != "" {
				t.Error(diff)
			}
			if _, v, err := d.Split(0.5, 1); err != nil || len(v) != len(c.valid) {
				t.Errorf("Split gives %v, %v", v, err)
			}
		}
	}
	d := mustOpen(t, tree(t, map[string]string{"train/cat/1": "@jpeg-420", "train/dog/2": "@jpeg-420", "val/dog/3": "@gif", "test/cat/4": "@gif", "test/rat/5": "@gif"}))
	if diff := cmp.Diff([]string{"cat", "dog"}, d.Classes); diff != "" || len(d.Samples) != 3 {
		t.Error(diff, paths(d))
	}
	// Railways: train and test are classes when they hold pictures themselves.
	d = mustOpen(t, tree(t, map[string]string{"train/1": "@jpeg-420", "train/old/2": "@jpeg-420", "test/3": "@jpeg-420", "test/old/4": "@jpeg-420"}))
	if diff := cmp.Diff([]string{"test", "train"}, d.Classes); diff != "" || d.Train != nil {
		t.Error(diff, d.Train)
	}
}

func TestCSV(t *testing.T) {
	root := tree(t, map[string]string{"pics/1": "@jpeg-420", "pics/2": "@png-rgb", "pics/3, old": "@gif", "pics/bad": "<html>"})
	elsewhere := filepath.Join(tree(t, map[string]string{"4": "@bmp"}), "4")
	write := func(name, text string) string {
		full := filepath.Join(root, name)
		if err := os.WriteFile(full, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return full
	}
	d := mustOpen(t, write("plain.csv", "pics/1,cat\n./pics/2,dog\n\"pics/3, old\",dog\npics/bad,dog\npics/none,cat\npics//1,cat\n"+elsewhere+",cat\n"))
	if diff := cmp.Diff([]string{elsewhere + "=cat", "pics/1=cat", "pics/2=dog", "pics/3, old=dog"}, paths(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"pics/1: listed twice, in lines 1 and 6", "pics/bad: not a picture: it looks like HTML", "pics/none: no such file or directory"}, reasons(d)); diff != "" {
		t.Error(diff)
	}
	d = mustOpen(t, write("split.csv", "\uFEFFlabel,split,Path\ncat,train,pics/1\ndog,train,pics/2\ndog,valid,\"pics/3, old\"\n"))
	train, valid := sideOf(d)
	if diff := cmp.Diff([][]string{{"pics/1", "pics/2"}, {"pics/3, old"}}, [][]string{train, valid}); diff != "" {
		t.Error(diff)
	}
	d = mustOpen(t, write("fastai.tsv", "image\tlabel\tis_valid\npics/1\tcat\tFalse\npics/2\tdog\tTrue\n"))
	if train, valid := sideOf(d); len(train) != 1 || len(valid) != 1 || valid[0] != "pics/2" {
		t.Errorf("%v, %v", train, valid)
	}
	for text, want := range map[string]string{
		"":                                   "the list is empty",
		"path,label\n":                       "the list is empty",
		"pics/1,cat\npics/2":                 "line 2 has 1 fields",
		"pics/1,cat\n,dog":                   "line 2: the path or the label is empty",
		"pics/1,cat\npics/1,dog":             "line 2 calls pics/1 dog, line 1 calls it cat",
		"pics/1,cat\npics/2,cat":             "two labels at least",
		"pics/1,cat,left\npics/2,dog,right":  `line 1: the split is "left"`,
		"pics/1,cat,train\npics/2,dog":       "line 1 names a split and line 2 does not",
		"pics/1,\"cat\npics/2,dog":           "line",
		"pics/1,cat\npics/bad,dog":           "none of the 1 files of the class dog is a readable picture (pics/bad",
		"pics/1,cat\npics/2,Cat":             "differ only by case",
		"path,label\npics/1,cat\nnone/2,dog": "none/2: no such file",
	} {
		name := write("bad.csv", text)
		_, err := Open(context.Background(), name, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), name) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("path,label,split\na,b,train\nc,d,valid")
	f.Add("a,b\n\"c,\",d\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := readCSV(context.Background(), strings.NewReader(text), ',')
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, e := range l.entries {
			if e.path == "" || e.class < 0 || e.class >= len(l.classes) || seen[e.path] {
				t.Errorf("%q: entry %+v", text, e)
			}
			seen[e.path] = true
		}
	})
}

// shard writes a tar of names and contents in pairs.
func shard(t testing.TB, name string, pairs ...string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	for i := 0; i < len(pairs); i += 2 {
		b := contentOf(t, pairs[i+1])
		h := &tar.Header{Name: pairs[i], Size: int64(len(b)), Mode: 0o666, Typeflag: tar.TypeReg}
		if link, ok := strings.CutPrefix(pairs[i+1], "->"); ok {
			h.Typeflag, h.Linkname, h.Size, b = tar.TypeSymlink, link, 0, nil
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWebdataset(t *testing.T) {
	dir := t.TempDir()
	shard(t, filepath.Join(dir, "pets-train-0000.tar"), "0001.jpg", "@jpeg-420", "0001.cls", "1\n", "0001.json", "{}", "0002.png", "@png-rgb", "0002.cls", "0")
	shard(t, filepath.Join(dir, "pets-train-0001.tar"), "0003.jpg", "@jpeg-420", "0003.cls", "10", "0004.jpg", "@gif", "0005.cls", "1")
	shard(t, filepath.Join(dir, "pets-val-0000.tar"), "sub/0001.jpg", "@jpeg-420", "sub/0001.cls", "1")
	d := mustOpen(t, dir)
	if diff := cmp.Diff([]string{
		"pets-train-0000.tar/0001.jpg=1", "pets-train-0000.tar/0002.png=0", "pets-train-0001.tar/0003.jpg=10", "pets-val-0000.tar/sub/0001.jpg=1",
	}, paths(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"pets-train-0001.tar/0004.jpg: a picture without a label (.cls)", "pets-train-0001.tar/0005.cls: a label without a picture"}, reasons(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"0", "1", "10"}, d.Classes); diff != "" { // by number
		t.Error(diff)
	}
	if _, valid := sideOf(d); len(valid) != 1 || !strings.HasPrefix(valid[0], "pets-val") {
		t.Errorf("validation part %v", valid)
	}
	one := filepath.Join(t.TempDir(), "one.tar")
	shard(t, one, "a.jpg", "@jpeg-420", "a.cls", "dog", "b.jpg", "@jpeg-444", "b.cls", "cat")
	if d := mustOpen(t, one); cmp.Diff([]string{"a.jpg=dog", "b.jpg=cat"}, paths(d)) != "" {
		t.Error(paths(d))
	}
	shard(t, one, "a.jpg", "@jpeg-420", "a.cls", "1", "b.jpg", "@jpeg-444", "b.cls", "0")
	if err := os.WriteFile(filepath.Join(filepath.Dir(one), "classes.txt"), []byte("zebra\nape\nunseen\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if d := mustOpen(t, one); cmp.Diff([]string{"a.jpg=ape", "b.jpg=zebra"}, paths(d)) != "" {
		t.Error(paths(d))
	}
}

func TestTarOfFolders(t *testing.T) {
	name := filepath.Join(t.TempDir(), "set.tar")
	shard(t, name, "./pets/dog/1.jpg", "@jpeg-420", "./pets/cat/2.jpg", "@png-rgb", "./pets/cat/2.jpg", "@gif", "pets/../../3.jpg", "@jpeg-420",
		"/etc/4.jpg", "@jpeg-420", "pets/dog/link.jpg", "->/etc/passwd", "pets/cat/.DS_Store", "junk", "README", "text")
	d := mustOpen(t, name)
	if diff := cmp.Diff([]string{"cat/2.jpg=cat", "dog/1.jpg=dog"}, paths(d)); diff != "" {
		t.Error(diff)
	}
	if len(d.Skipped) != 4 {
		t.Errorf("skipped %q", reasons(d))
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b[:len(b)-4000], 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), name, Options{}); err == nil || !strings.Contains(err.Error(), "download or pack it again") {
		t.Errorf("a truncated tar gives %v", err)
	}
}

func FuzzTar(f *testing.F) {
	name := filepath.Join(f.TempDir(), "fuzz.tar")
	shard(f, name, "a.jpg", "@jpeg-420", "a.cls", "dog", "b.jpg", "@jpeg-444", "b.cls", "cat")
	b, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
		l, err := listTar(context.Background(), name, []string{name})
		if err != nil {
			return
		}
		defer l.files.close()
		for _, e := range l.entries {
			if b, err := l.files.read(e.path); err == nil && len(b) > 1<<24 {
				t.Errorf("%d bytes", len(b))
			}
		}
	})
}

// cifarRecord is one picture of CIFAR's binary files.
func cifarRecord(label ...byte) string {
	b := append([]byte{}, label...)
	for plane := range 3 {
		b = append(b, bytes.Repeat([]byte{byte(10 * (plane + 1)), 200}, 512)...)
	}
	return string(b)
}

// cifarSet is a CIFAR-10 of three pictures.
func cifarSet(t *testing.T) string {
	names := "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"
	return tree(t, map[string]string{"data_batch_1.bin": cifarRecord(9) + cifarRecord(0), "test_batch.bin": cifarRecord(9), "batches.meta.txt": names, "readme.html": "x"})
}

func TestCIFAR(t *testing.T) {
	record := cifarRecord
	d := mustOpen(t, cifarSet(t))
	if diff := cmp.Diff([]string{"data_batch_1.bin/00000=truck", "data_batch_1.bin/00001=airplane", "test_batch.bin/00000=truck"}, paths(d)); diff != "" {
		t.Error(diff)
	}
	p, err := d.Picture(0)
	if err != nil || p.Width != 32 || p.Height != 32 || string(p.Pix[:8]) != "\x0a\x14\x1e\xff\xc8\xc8\xc8\xff" {
		t.Errorf("%v, %v", p.Pix[:8], err)
	}
	if _, valid := sideOf(d); len(valid) != 1 {
		t.Errorf("validation part %v", valid)
	}
	d = mustOpen(t, tree(t, map[string]string{"train.bin": record(3, 99) + record(4, 7)}))
	if diff := cmp.Diff([]string{"7", "99"}, d.Classes); diff != "" || d.Train != nil {
		t.Error(diff, d.Train)
	}
	for name, files := range map[string]map[string]string{
		"is no multiple of": {"data_batch_1.bin": record(1)[:3000]},
		"has the label 12":  {"data_batch_1.bin": record(12)},
		"has 1 class names": {"data_batch_1.bin": record(1), "batches.meta.txt": "one"},
		"one class":         {"data_batch_1.bin": record(1)},
		"bin has 0 bytes":   {"data_batch_1.bin": ""},
	} {
		if _, err := Open(context.Background(), tree(t, files), Options{}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
	}
}

func TestIDX(t *testing.T) {
	images := func(n byte) string {
		s := "\x00\x00\x08\x03\x00\x00\x00" + string(rune(n)) + "\x00\x00\x00\x02\x00\x00\x00\x03"
		for i := range n {
			s += string([]byte{i, 10, 20, 30, 40, 50})
		}
		return s
	}
	labels := func(l ...byte) string {
		return "\x00\x00\x08\x01\x00\x00\x00" + string(rune(len(l))) + string(l)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write([]byte(images(3)))
	w.Close()
	d := mustOpen(t, tree(t, map[string]string{
		"train-images-idx3-ubyte.gz": z.String(), "train-labels-idx1-ubyte": labels(2, 0, 2),
		"t10k-images-idx3-ubyte": images(1), "t10k-labels-idx1-ubyte": labels(0),
		"labels.txt": "top\ntrouser\npullover\n",
	}))
	if diff := cmp.Diff([]string{"t10k/00000=top", "train/00000=pullover", "train/00001=top", "train/00002=pullover"}, paths(d)); diff != "" {
		t.Error(diff)
	}
	p, err := d.Picture(2)
	if err != nil || p.Width != 3 || p.Height != 2 || string(p.Pix[:8]) != "\x01\x01\x01\xff\x0a\x0a\x0a\xff" {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := d.Bytes(0); err != nil {
		t.Error(err)
	}
	for want, files := range map[string]map[string]string{
		"3 pictures of train and 2 labels": {"train-images-idx3-ubyte": images(3), "train-labels-idx1-ubyte": labels(0, 1)},
		"its header says":                  {"train-images-idx3-ubyte": images(3)[:20], "train-labels-idx1-ubyte": labels(0, 1, 1)},
		"is no IDX file":                   {"train-images-idx3-ubyte": labels(1), "train-labels-idx1-ubyte": labels(0, 1, 1)},
		"train-labels-idx1-ubyte: file":    {"train-images-idx3-ubyte": images(3)},
		"neither train-images":             {"other-idx3-ubyte": images(3)},
	} {
		if _, err := Open(context.Background(), tree(t, files), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func FuzzIDX(f *testing.F) {
	f.Add([]byte("\x00\x00\x08\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03abcdef"), 3)
	f.Fuzz(func(t *testing.T, b []byte, dims int) {
		if dims < 1 || dims > 4 {
			return
		}
		got, n, err := parseIDX("x", b, dims)
		if err == nil && (len(n) != dims || len(got) > len(b)) {
			t.Errorf("%v, %d bytes", n, len(got))
		}
	})
}
