package pack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/collect"
	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/set"
)

// collected makes a set by collecting it.
func collected(t *testing.T, n int, classes ...string) string {
	t.Helper()
	w := collecttest.New(t)
	w.Fill(n, classes...)
	dir := filepath.Join(t.TempDir(), "planets")
	_, err := collect.Run(context.Background(), collect.Options{Into: dir, Classes: classes, Bases: w.Bases(), AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// files returns the content of every file under dir, by path; hidden ones are left out.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	contents := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".") && name != dir {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.IsDir() {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			relative, _ := filepath.Rel(dir, name)
			contents[filepath.ToSlash(relative)] = string(data)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

func TestPackAndUnpack(t *testing.T) {
	dir := collected(t, 10, "earth", "mars")
	want := files(t, dir)
	for _, name := range []string{"planets.zip", "planets.tar"} {
		archive := filepath.Join(t.TempDir(), name)
		packed, err := Pack(context.Background(), dir, archive, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]int{"earth": 10, "mars": 10}, packed.Classes); diff != "" {
			t.Error(diff)
		}
		into := filepath.Join(t.TempDir(), "deep", "copy")
		summary, err := Unpack(context.Background(), archive, into, UnpackOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if summary.Pictures != 20 || summary.Verified != 20 {
			t.Errorf("%s: %+v, want 20 pictures, all verified", name, summary)
		}
		if diff := cmp.Diff(want, files(t, into)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if _, err := Unpack(context.Background(), archive, into, UnpackOptions{}); !errors.Is(err, ErrExists) {
			t.Errorf("unpacking over a set: %v", err)
		}
		if _, err := Pack(context.Background(), dir, archive, Options{}); err == nil {
			t.Error("an archive was replaced unasked")
		}
		again := filepath.Join(t.TempDir(), name)
		if _, err := Pack(context.Background(), dir, again, Options{}); err != nil {
			t.Fatal(err)
		}
		one, _ := os.ReadFile(archive)
		two, _ := os.ReadFile(again)
		if !bytes.Equal(one, two) {
			t.Errorf("%s: the same set made two archives", name)
		}
	}
}

func TestPackLeavesTrashBehind(t *testing.T) {
	dir := collected(t, 4, "earth")
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		t.Fatal(err)
	}
	change := s.Begin("trash")
	if err := change.Trash(s.Records()[0].File); err != nil {
		t.Fatal(err)
	}
	if _, err := change.Commit(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	archive := filepath.Join(t.TempDir(), "a.zip")
	if _, err := Pack(context.Background(), dir, archive, Options{}); err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(t.TempDir(), "copy")
	summary, err := Unpack(context.Background(), archive, into, UnpackOptions{})
	if err != nil || summary.Pictures != 3 || summary.Verified != 3 {
		t.Fatalf("%+v, %v, want 3 pictures", summary, err)
	}
	if lines := strings.Count(files(t, into)[set.ManifestName], "\n"); lines != 3 {
		t.Errorf("manifest has %d lines, want 3", lines)
	}
}

// member is an entry of an archive made for a test.
type member struct {
	name string
	body string
	mode fs.FileMode // zip
	kind byte        // tar
	link string
}

var jpeg = string(collecttest.JPEG(collecttest.Pixels("a", 32, 32), 80))

func zipped(t *testing.T, members ...member) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, m := range members {
		header := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		header.SetMode(m.mode | 0o644)
		content, err := w.CreateHeader(header)
		if err == nil {
			_, err = content.Write([]byte(m.body))
		}
		if err != nil && !strings.HasSuffix(m.name, "/") {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return save(t, "a.zip", out.Bytes())
}

func tarred(t *testing.T, members ...member) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		if m.kind == 0 {
			m.kind = tar.TypeReg
		}
		header := &tar.Header{Name: m.name, Typeflag: m.kind, Size: int64(len(m.body)), Mode: 0o644, Linkname: m.link}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return save(t, "a.tar", out.Bytes())
}

func save(t *testing.T, name string, data []byte) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// checkRefused unpacks an archive and fails unless it is refused with words, leaving nothing behind.
func checkRefused(t *testing.T, archive, words string, o UnpackOptions) {
	t.Helper()
	parent := t.TempDir()
	_, err := Unpack(context.Background(), archive, filepath.Join(parent, "in", "set"), o)
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("error is %v, want one with %q", err, words)
	}
	left, _ := os.ReadDir(filepath.Join(parent, "in"))
	above, _ := os.ReadDir(parent)
	if len(left) != 0 || len(above) > 1 {
		t.Errorf("left behind: %v, %v", left, above)
	}
}

func TestHostileNames(t *testing.T) {
	for name, words := range map[string]string{
		"../evil.jpg": "leads elsewhere", "earth/../../evil.jpg": "leads elsewhere", "/etc/evil.jpg": "leads elsewhere",
		"earth//a.jpg": "leads elsewhere", "earth/./a.jpg": "leads elsewhere", `earth\..\..\evil.jpg`: "backslash", "C:/evil.jpg": "drive",
		"earth/a\x00.jpg": "plain text", "earth/a\n.jpg": "plain text", "earth/\x1b[31m.jpg": "plain text", "earth/\xff.jpg": "plain text",
		"earth/" + strings.Repeat("a", 300): "cannot hold", strings.Repeat("a/", 30) + "a.jpg": "too deep", "earth /a.jpg": "cannot hold",
		"earth./a.jpg": "cannot hold", "..": "leads elsewhere",
	} {
		checkRefused(t, zipped(t, member{name: "earth/good.jpg", body: jpeg}, member{name: name, body: jpeg}), words, UnpackOptions{})
		if !strings.ContainsAny(name, "\x00") {
			checkRefused(t, tarred(t, member{name: "earth/good.jpg", body: jpeg}, member{name: name, body: jpeg}), words, UnpackOptions{})
		}
	}
}

func TestHostileEntries(t *testing.T) {
	good := member{name: "earth/good.jpg", body: jpeg}
	for _, one := range []struct {
		archive, words string
	}{
		{zipped(t, good, member{name: "earth/link.jpg", body: "/etc/passwd", mode: fs.ModeSymlink}), "no plain file"},
		{zipped(t, good, member{name: "earth/null", mode: fs.ModeDevice}), "no plain file"},
		{zipped(t, good, member{name: "earth/pipe", mode: fs.ModeNamedPipe}), "no plain file"},
		{tarred(t, good, member{name: "earth/link", kind: tar.TypeSymlink, link: "/etc"}), "no plain file"},
		{tarred(t, good, member{name: "earth/hard.jpg", kind: tar.TypeLink, link: "/etc/passwd"}), "no plain file"},
		{tarred(t, good, member{name: "earth/dev", kind: tar.TypeBlock}), "no plain file"},
		{tarred(t, good, member{name: "earth/fifo", kind: tar.TypeFifo}), "no plain file"},
		{zipped(t, good, member{name: "earth/GOOD.jpg", body: jpeg}), "case does not count"},
		{zipped(t, good, member{name: "Earth/other.jpg", body: jpeg}), "case does not count"},
		{zipped(t, member{name: "caf\u00e9/a.jpg", body: jpeg}, member{name: "cafe\u0301/b.jpg", body: jpeg}), "case does not count"},
		{zipped(t, good, good), "there twice"},
		{tarred(t, good, good), "there twice"},
		{zipped(t, good, member{name: "earth/good.jpg/a.jpg", body: jpeg}), "both a file and a folder"},
		{zipped(t, good, member{name: "earth", body: jpeg}), "both a file and a folder"},
		{zipped(t, member{name: "earth/readme.txt", body: "no picture"}), "no pictures"},
		{zipped(t), "no files"},
		{save(t, "a.zip", []byte("<html>not an archive</html>")), "neither a zip nor a tar"},
		{save(t, "a.zip", []byte("PK\x03\x04 and no more")), "zip"},
		{zipped(t, good, member{name: set.ManifestName, body: `{"file":"../../evil.jpg","sha256":"00"}` + "\n"}), "not a path of a picture"},
		{zipped(t, good, member{name: set.ManifestName, body: `{"file":"earth/good.jpg","sha256":"00"}` + "\n"}), "not the file that the manifest says"},
	} {
		checkRefused(t, one.archive, one.words, UnpackOptions{})
	}
}

func TestBombs(t *testing.T) {
	good := member{name: "earth/good.jpg", body: jpeg}
	zeros := strings.Repeat("\x00", 40<<20)
	checkRefused(t, zipped(t, good, member{name: "earth/zeros.bmp", body: zeros}), "times its size", UnpackOptions{})
	checkRefused(t, zipped(t, good), "more than 10 bytes", UnpackOptions{Limits: Limits{Bytes: 10}})
	checkRefused(t, zipped(t, good), "larger than 10 bytes", UnpackOptions{Limits: Limits{File: 10}})
	checkRefused(t, tarred(t, good), "larger than 10 bytes", UnpackOptions{Limits: Limits{File: 10}})
	checkRefused(t, zipped(t, good, member{name: "mars/a.jpg", body: jpeg}), "more than 1 files", UnpackOptions{Limits: Limits{Files: 1}})
	checkRefused(t, tarred(t, good, member{name: "mars/a.jpg", body: jpeg}), "more than 1 files", UnpackOptions{Limits: Limits{Files: 1}})

	// A compressed tar whose size shows only as it comes out. The reader reads 1 MiB ahead, so the ratio is set to what still shows.
	plain, err := os.ReadFile(tarred(t, good, member{name: "earth/zeros.bmp", body: zeros}))
	if err != nil {
		t.Fatal(err)
	}
	var squeezed bytes.Buffer
	w := gzip.NewWriter(&squeezed)
	_, _ = w.Write(plain)
	w.Close()
	checkRefused(t, save(t, "a.tgz", squeezed.Bytes()), "times its size", UnpackOptions{})

	// Two entries over the same bytes.
	data, err := os.ReadFile(zipped(t, good, member{name: "mars/other.jpg", body: jpeg}))
	if err != nil {
		t.Fatal(err)
	}
	second := bytes.LastIndex(data, []byte("PK\x01\x02"))
	binary.LittleEndian.PutUint32(data[second+42:], 0)
	checkRefused(t, save(t, "overlap.zip", data), "share their bytes", UnpackOptions{})

	// Sizes that are not true, in the directory.
	for _, lie := range []uint32{uint32(len(jpeg)) - 100, uint32(len(jpeg)) + 100} {
		data, err := os.ReadFile(zipped(t, good))
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint32(data[bytes.LastIndex(data, []byte("PK\x01\x02"))+24:], lie)
		checkRefused(t, save(t, "lie.zip", data), "earth/good.jpg", UnpackOptions{})
	}
	// A byte of a picture changed on the way.
	data, err = os.ReadFile(zipped(t, good))
	if err != nil {
		t.Fatal(err)
	}
	data[100] ^= 1
	checkRefused(t, save(t, "damaged.zip", data), "earth/good.jpg", UnpackOptions{})
}

func TestUnpackOrdinaryArchives(t *testing.T) {
	members := []member{{name: "planets/", mode: fs.ModeDir}, {name: "planets/earth/", mode: fs.ModeDir}, {name: "planets/earth/a.jpg", body: jpeg},
		{name: "planets/mars/b.jpg", body: jpeg}, {name: "__MACOSX/planets/._a.jpg", body: "x"}, {name: "planets/.DS_Store", body: "x"},
		{name: "planets/.orrery/journal.jsonl", body: `{"seq":1,"moves":[{"from":"earth/a.jpg","to":"mars/a.jpg"}]}`}}
	into := filepath.Join(t.TempDir(), "set")
	if err := os.Mkdir(into, 0o755); err != nil { // an empty folder may be there
		t.Fatal(err)
	}
	summary, err := Unpack(context.Background(), zipped(t, members...), into, UnpackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"earth": 1, "mars": 1}, summary.Classes); diff != "" {
		t.Error(diff)
	}
	if len(summary.LeftOut) != 3 {
		t.Errorf("left out %v, want 3", summary.LeftOut)
	}
	if diff := cmp.Diff(map[string]string{"earth/a.jpg": jpeg, "mars/b.jpg": jpeg}, files(t, into)); diff != "" {
		t.Error(diff)
	}
}

// FuzzUnpack feeds archives that are nearly right. Whatever comes, nothing is written beside the target.
func FuzzUnpack(f *testing.F) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	content, _ := w.Create("earth/a.jpg")
	_, _ = content.Write([]byte(jpeg))
	w.Close()
	f.Add(out.Bytes())
	out.Reset()
	tw := tar.NewWriter(&out)
	_ = tw.WriteHeader(&tar.Header{Name: "earth/a.jpg", Size: 4, Mode: 0o644, Typeflag: tar.TypeReg})
	_, _ = tw.Write([]byte("abcd"))
	tw.Close()
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		archive := filepath.Join(parent, "archive")
		if err := os.WriteFile(archive, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Unpack(context.Background(), archive, filepath.Join(parent, "set"), UnpackOptions{Limits: Limits{Bytes: 1 << 20, Files: 100}})
		entries, _ := os.ReadDir(parent)
		for _, entry := range entries {
			if name := entry.Name(); name != "archive" && (name != "set" || err != nil) {
				t.Errorf("%s is there (error: %v)", name, err)
			}
		}
	})
}

func ExamplePack() {
	_, err := Pack(context.Background(), "no-such-folder", "a.zip", Options{})
	fmt.Println(strings.Contains(err.Error(), "name an existing folder"))
	// Output: true
}
