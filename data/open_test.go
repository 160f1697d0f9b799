package data

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree writes files below a new folder; contents of "@name" are the golden
// picture of that name.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "set")
	if err := os.MkdirAll(root, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		full := filepath.Join(root, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(full, 0o777); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, contentOf(t, content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func contentOf(t testing.TB, content string) []byte {
	t.Helper()
	if name, ok := strings.CutPrefix(content, "@"); ok {
		name, cut, _ := strings.Cut(name, "/")
		p, ok := pictures(t)[name]
		if !ok {
			t.Fatalf("no golden picture %s", name)
		}
		if cut != "" {
			return p.File[:len(p.File)/2]
		}
		return p.File
	}
	return []byte(content)
}

func paths(d *Dataset) []string {
	var p []string
	for _, s := range d.Samples {
		p = append(p, fmt.Sprintf("%s=%s", s.Path, d.Classes[s.Label]))
	}
	return p
}

func reasons(d *Dataset) []string {
	var p []string
	for _, s := range d.Skipped {
		p = append(p, s.Path+": "+s.Reason)
	}
	return p
}

func TestFolder(t *testing.T) {
	root := tree(t, map[string]string{
		"dog/a.jpg":            "@jpeg-420",
		"dog/looks-like.jpg":   "@png-rgb", // content decides
		"dog/puppies/deep.gif": "@gif",
		"dog/noname":           "@webp-q80",
		"dog/.hidden.jpg":      "@jpeg-420",
		"dog/._a.jpg":          "AppleDouble",
		"dog/Thumbs.db":        "junk",
		"dog/page.jpg":         "<html><body>404",
		"dog/zero.jpg":         "",
		"dog/zeros.jpg":        strings.Repeat("\x00", 500),
		"dog/notes.txt":        "some notes",
		"cat/b.BMP":            "@bmp",
		"cat/c.tif":            "@tiff-raw",
		"cat/1 first.jpg":      "@jpeg-444/cut", // the first one does not decode
		"__MACOSX/dog/._a.jpg": "AppleDouble",
		".git/config":          "x",
		"README.md":            "# a set",
	})
	if err := os.Symlink("a.jpg", filepath.Join(root, "dog", "link.jpg")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(root, "dog", "broken.jpg")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("..", filepath.Join(root, "dog", "loop")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "dog", "pipe.jpg"), 0o666); err != nil {
		t.Fatal(err)
	}
	// The loop link leads to the whole set once more, where it ends.
	if err := os.Remove(filepath.Join(root, "dog", "loop")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(".", filepath.Join(root, "dog", "loop")); err != nil {
		t.Fatal(err)
	}
	d, err := Open(context.Background(), root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if diff := cmp.Diff([]string{"cat", "dog"}, d.Classes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"cat/b.BMP=cat", "cat/c.tif=cat", "dog/a.jpg=dog", "dog/link.jpg=dog", "dog/looks-like.jpg=dog",
		"dog/noname=dog", "dog/puppies/deep.gif=dog",
	}, paths(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{
		"cat/1 first.jpg: truncated JPEG: the file ends before its picture does",
		"dog/broken.jpg: a broken symbolic link",
		"dog/loop: a link to a folder above it",
		"dog/notes.txt: not a picture: it looks like text",
		"dog/page.jpg: not a picture: it looks like HTML",
		"dog/pipe.jpg: not a regular file (a pipe)",
		"dog/zero.jpg: the file is empty",
		"dog/zeros.jpg: not a picture: it looks like nothing but zero bytes",
	}, reasons(d)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{2, 5}, d.Counts()); diff != "" {
		t.Error(diff)
	}
	for i := range d.Samples {
		p, err := d.Picture(i)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if p.Width != d.Headers[i].Width {
			t.Errorf("%s: %v, header says %d", d.Samples[i].Path, p, d.Headers[i].Width)
		}
	}
}

func TestFolderErrors(t *testing.T) {
	file := filepath.Join(tree(t, map[string]string{"one.jpg": "@jpeg-420"}), "one.jpg")
	for name, c := range map[string]struct {
		source string
		want   []string
	}{
		"no name":     {"", []string{"no data given"}},
		"nothing":     {filepath.Join(t.TempDir(), "missing"), []string{"missing: no such file or folder"}},
		"a file":      {file, []string{"one.jpg is a file (image/jpeg)", "give the folder"}},
		"empty":       {tree(t, nil), []string{"is empty"}},
		"loose files": {tree(t, map[string]string{"a.jpg": "@jpeg-420", "b.jpg": "@jpeg-420"}), []string{"holds 2 files and no class folder"}},
		"one class":   {tree(t, map[string]string{"set/cat/a.jpg": "@jpeg-420", "set/dog/a.jpg": "@jpeg-420"}), []string{"one class folder (set)", "are the class folders inside"}},
		"empty class": {tree(t, map[string]string{"cat/a.jpg": "@jpeg-420", "dog/": ""}), []string{"class folder dog holds no pictures"}},
		"none readable": {tree(t, map[string]string{"cat/a.jpg": "@jpeg-420", "dog/a.jpg": "x", "dog/b.jpg": "@jpeg-420/cut"}),
			[]string{"none of the 2 files of the class dog", "dog/a.jpg: not a picture"}},
		"case": {tree(t, map[string]string{"Cat/a.jpg": "@jpeg-420", "cat/b.jpg": "@jpeg-420"}), []string{`"Cat" and "cat" differ only by case`}},
	} {
		d, err := Open(context.Background(), c.source, Options{})
		if err == nil {
			d.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: error %q, want one line with %q", name, err, w)
			}
		}
	}
}

// Names with line ends and terminal escapes stay themselves in the lists and
// are inert in errors.
func TestHostileNames(t *testing.T) {
	evil := "ev\x1b[31mil\n\xff"
	d := openSet(t, tree(t, map[string]string{evil + "/1": "@jpeg-420", evil + "/2": "@jpeg-444/cut", evil + "/3": "x", "cat/\u2028é.jpg": "@gif"}))
	if diff := cmp.Diff([]string{"cat/\u2028é.jpg=cat", evil + "/1=" + evil, evil + "/2=" + evil}, paths(d)); diff != "" {
		t.Error(diff)
	}
	if len(d.Skipped) != 1 || d.Skipped[0].Path != evil+"/3" {
		t.Errorf("skipped %q", d.Skipped)
	}
	_, err := d.Picture(2)
	if err == nil || !strings.HasPrefix(err.Error(), `ev\x1b[31mil\n\xff/2: truncated`) {
		t.Errorf("error %q", err)
	}
	_, err = Open(context.Background(), tree(t, map[string]string{evil + "/1": "x", "cat/2": "@gif"}), Options{})
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\n") || strings.Contains(err.Error(), "\xff") {
		t.Errorf("error %q", err)
	}
	if got := Printable("plain é \"quoted\" \\ 漢字"); got != "plain é \"quoted\" \\ 漢字" {
		t.Errorf("a plain name becomes %q", got)
	}
	if n, err := d.SetAside([]string{d.Skipped[0].Path}, t.TempDir()); n != 1 || err != nil {
		t.Error(n, err)
	}
}

func TestNoPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	root := tree(t, map[string]string{"cat/a.jpg": "@jpeg-420", "dog/a.jpg": "@jpeg-420", "dog/b.jpg": "@jpeg-420"})
	if err := os.Chmod(filepath.Join(root, "dog", "a.jpg"), 0); err != nil {
		t.Fatal(err)
	}
	d, err := Open(context.Background(), root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	if diff := cmp.Diff([]string{"dog/a.jpg: permission denied; make it readable for this user"}, reasons(d)); diff != "" {
		t.Error(diff)
	}
	if err := os.Chmod(filepath.Join(root, "dog"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(filepath.Join(root, "dog"), 0o777)
	if _, err := Open(context.Background(), root, Options{}); err == nil || !strings.Contains(err.Error(), "dog: permission denied") {
		t.Errorf("an unreadable class folder gives %v", err)
	}
}

func TestOpenIsCancelled(t *testing.T) {
	root := tree(t, map[string]string{"cat/a.jpg": "@jpeg-420", "dog/a.jpg": "@jpeg-420"})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, root, Options{}); err == nil || !strings.Contains(err.Error(), "cancel") {
		t.Errorf("error %v", err)
	}
}

// zipEntry is one entry of an archive made for a test.
type zipEntry struct {
	name, content string
	method        uint16
	mode          os.FileMode
}

func archive(t testing.TB, entries ...zipEntry) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "set.zip")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: e.method}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		z, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(e.name, "/") {
			if _, err := z.Write(contentOf(t, e.content)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestZip(t *testing.T) {
	for _, prefix := range []string{"", "pets/"} {
		for _, method := range []uint16{zip.Store, zip.Deflate} {
			name := archive(t,
				zipEntry{name: prefix + "dog/"},
				zipEntry{name: prefix + "dog/b.jpg", content: "@jpeg-420", method: method},
				zipEntry{name: prefix + "cat/a.png", content: "@png-rgb", method: method},
				zipEntry{name: prefix + "cat/deep/c.gif", content: "@gif", method: method},
				zipEntry{name: "__MACOSX/" + prefix + "dog/._b.jpg", content: "junk"},
				zipEntry{name: prefix + ".DS_Store", content: "junk"},
				zipEntry{name: prefix + "README.md", content: "# pets"},
				zipEntry{name: prefix + "cat/bad.jpg", content: "<html>", method: method},
				zipEntry{name: prefix + "cat/cut.jpg", content: "@jpeg-444/cut", method: method},
			)
			d, err := Open(context.Background(), name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"cat/a.png=cat", "cat/cut.jpg=cat", "cat/deep/c.gif=cat", "dog/b.jpg=dog"}, paths(d)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]string{"cat/bad.jpg: not a picture: it looks like HTML"}, reasons(d)); diff != "" {
				t.Error(diff)
			}
			p, err := d.Picture(3)
			if err != nil {
				t.Fatal(err)
			}
			if want := pictures(t)["jpeg-420"]; p.Pix[0] != want.RGB[0] || p.Width != want.Width {
				t.Errorf("picture %v begins %v", p, p.Pix[:4])
			}
			if _, err := d.Picture(1); err == nil || !strings.HasPrefix(err.Error(), "cat/cut.jpg: truncated JPEG") {
				t.Errorf("the cut picture gives %v", err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestZipGuards(t *testing.T) {
	name := archive(t,
		zipEntry{name: "dog/b.jpg", content: "@jpeg-420"},
		zipEntry{name: "cat/a.png", content: "@png-rgb"},
		zipEntry{name: "dog/../../evil.jpg", content: "@jpeg-420"},
		zipEntry{name: "/etc/evil.jpg", content: "@jpeg-420"},
		zipEntry{name: `dog\evil.jpg`, content: "@jpeg-420"},
		zipEntry{name: "C:/evil.jpg", content: "@jpeg-420"},
		zipEntry{name: "dog/./evil.jpg", content: "@jpeg-420"},
		zipEntry{name: "dog/b.jpg", content: "@jpeg-grey"},
		zipEntry{name: "dog/B.JPG", content: "@jpeg-grey"},
		zipEntry{name: "dog/link.jpg", content: "/etc/passwd", mode: os.ModeSymlink | 0o777},
		zipEntry{name: "dog/pipe.jpg", mode: os.ModeNamedPipe | 0o666},
		zipEntry{name: "dog/device.jpg", mode: os.ModeDevice | os.ModeCharDevice | 0o666},
		zipEntry{name: "dog/bomb.bmp", content: "BM" + strings.Repeat("\x00", 16<<20), method: zip.Deflate},
	)
	d, err := Open(context.Background(), name, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if diff := cmp.Diff([]string{"cat/a.png=cat", "dog/b.jpg=dog"}, paths(d)); diff != "" {
		t.Error(diff)
	}
	unsafe := "unsafe name: it points outside the archive"
	want := []string{
		"/etc/evil.jpg: " + unsafe, "C:/evil.jpg: " + unsafe, "dog/../../evil.jpg: " + unsafe, "dog/./evil.jpg: " + unsafe, `dog\evil.jpg: ` + unsafe,
		"dog/B.JPG: its name differs from dog/b.jpg only by case",
		"dog/b.jpg: the archive has this name twice; the first one counts",
		"dog/device.jpg: not a regular file (a device)",
		"dog/link.jpg: not a regular file (a symbolic link)",
		"dog/pipe.jpg: not a regular file (a pipe)",
	}
	got := reasons(d)
	if i := slices.IndexFunc(got, func(s string) bool { return strings.HasSuffix(s, ": a bomb") }); i < 0 {
		t.Errorf("no bomb in %q", got)
	} else {
		got = slices.Delete(got, i, i+1)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// central returns the offset of the central directory record of the named
// entry.
func central(t *testing.T, b []byte, name string) int {
	t.Helper()
	for at := 0; ; {
		i := bytes.Index(b[at:], []byte("PK\x01\x02"))
		if i < 0 {
			t.Fatalf("no entry %s", name)
		}
		at += i
		if n := int(binary.LittleEndian.Uint16(b[at+28:])); string(b[at+46:at+46+n]) == name {
			return at
		}
		at += 4
	}
}

func TestZipLies(t *testing.T) {
	make4 := func(method uint16) (string, []byte) {
		name := archive(t,
			zipEntry{name: "cat/a.png", content: "@png-rgb", method: method},
			zipEntry{name: "cat/b.png", content: "@png-grey", method: method},
			zipEntry{name: "dog/a.jpg", content: "@jpeg-420", method: method},
			zipEntry{name: "dog/b.jpg", content: "@jpeg-444", method: method})
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return name, b
	}
	for what, c := range map[string]struct {
		method uint16
		change func(b []byte)
		open   string // wanted in the error of Open
		want   string // wanted in the reason or error of dog/b.jpg
	}{
		"smaller": {zip.Deflate, func(b []byte) {
			binary.LittleEndian.PutUint32(b[central(t, b, "dog/b.jpg")+24:], 300)
		}, "", "dog/b.jpg"},
		"larger": {zip.Deflate, func(b []byte) {
			binary.LittleEndian.PutUint32(b[central(t, b, "dog/b.jpg")+24:], 90000)
		}, "", "shorter than the archive says"},
		"checksum": {zip.Store, func(b []byte) {
			b[central(t, b, "dog/b.jpg")+16]++
		}, "", "checksum"},
		"stored sizes": {zip.Store, func(b []byte) {
			binary.LittleEndian.PutUint32(b[central(t, b, "dog/b.jpg")+24:], 90000)
		}, "", "lies about its size"},
		"encrypted": {zip.Store, func(b []byte) {
			b[central(t, b, "dog/b.jpg")+8] |= 1
		}, "", "encrypted"},
		"method": {zip.Store, func(b []byte) {
			b[central(t, b, "dog/b.jpg")+10] = 12
		}, "", "method 12"},
		"overlap": {zip.Store, func(b []byte) {
			copy(b[central(t, b, "dog/b.jpg")+42:][:4], b[central(t, b, "dog/a.jpg")+42:][:4])
		}, "share bytes", ""},
		"cut": {zip.Store, func(b []byte) {
			copy(b[len(b)-10:], make([]byte, 10))
			b[len(b)-12] = 9
		}, "", ""},
		"no directory": {zip.Store, func(b []byte) {
			copy(b[bytes.LastIndex(b, []byte("PK\x05\x06")):], "XXXX")
		}, "not a readable zip", ""},
	} {
		name, b := make4(c.method)
		c.change(b)
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
		d, err := Open(context.Background(), name, Options{})
		if err != nil {
			if c.open == "" && what != "cut" || !strings.Contains(err.Error(), c.open) || !strings.HasPrefix(err.Error(), name) {
				t.Errorf("%s: Open gives %v", what, err)
			}
			continue
		}
		if c.open != "" {
			t.Errorf("%s: Open gives no error", what)
		}
		said := strings.Join(reasons(d), "\n")
		for i := range d.Samples {
			if _, err := d.Picture(i); err != nil {
				said += "\n" + err.Error()
			}
		}
		if c.want != "" && !strings.Contains(said, c.want) {
			t.Errorf("%s: %q, want %q", what, said, c.want)
		}
		if strings.Contains(said, "dog/a.jpg") || strings.Contains(said, "cat/") {
			t.Errorf("%s: good entries suffer: %q", what, said)
		}
		d.Close()
	}
}

func FuzzZip(f *testing.F) {
	b, err := os.ReadFile(archive(f,
		zipEntry{name: "top/dog/b.jpg", content: "@jpeg-420", method: zip.Deflate},
		zipEntry{name: "top/cat/a.png", content: "@png-rgb"}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	name := filepath.Join(f.TempDir(), fmt.Sprintf("fuzz-%d.zip", os.Getpid()))
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
		d, err := Open(context.Background(), name, Options{MaxPixels: 1 << 18, Workers: 1})
		if err != nil {
			return
		}
		defer d.Close()
		for i, s := range d.Samples {
			if !filepath.IsLocal(s.Path) || s.Label < 0 || s.Label >= len(d.Classes) {
				t.Errorf("sample %+v", s)
			}
			d.Picture(i)
		}
	})
}
