package data

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// blobs draws a picture of coloured discs, another for each seed.
func blobs(seed int64, w, h int) *Picture {
	r := rand.New(rand.NewSource(seed))
	p := &Picture{}
	p.reset(w, h)
	fill(p.Pix)
	for range 12 {
		cx, cy, rad := r.Float64(), r.Float64(), 0.05+0.3*r.Float64()
		red, green, blue := uint8(r.Intn(256)), uint8(r.Intn(256)), uint8(r.Intn(256))
		for y := range h {
			for x := range w {
				dx, dy := float64(x)/float64(w)-cx, float64(y)/float64(h)-cy
				if dx*dx+dy*dy < rad*rad {
					put(p.Pix, 4*(y*w+x), red, green, blue)
				}
			}
		}
	}
	return p
}

// brighter changes the tones of p a little.
func brighter(p *Picture) *Picture {
	q := &Picture{Width: p.Width, Height: p.Height, Pix: bytes.Clone(p.Pix)}
	for i := range q.Pix {
		if i%4 != 3 {
			q.Pix[i] = uint8(min(int(q.Pix[i])+3, 255))
		}
	}
	return q
}

func TestVerify(t *testing.T) {
	jpg := func(seed int64, w, h int) string { return string(jpegOf(t, blobs(seed, w, h))) }
	files := map[string]string{
		"train/cat/a":       jpg(1, 120, 90),
		"train/cat/b":       jpg(2, 120, 90),
		"train/cat/c":       jpg(3, 120, 90),
		"train/cat/bad":     "@jpeg-444/cut",
		"train/cat/page":    "<html>",
		"train/dog/d":       jpg(4, 120, 90),
		"train/dog/a-again": jpg(1, 120, 90),                                // exact, another label
		"valid/cat/b-small": jpg(2, 80, 60),                                 // near, leaks
		"valid/dog/d-again": jpg(4, 120, 90),                                // exact, leaks
		"valid/dog/e":       string(jpegOf(t, brighter(blobs(3, 120, 90)))), // near, leaks, another label
		"valid/dog/f":       jpg(7, 120, 90),
	}
	for i := range int64(20) {
		files["train/cat/other"+string(rune('a'+i))] = jpg(100+i, 100, 100)
	}
	d, err := Open(context.Background(), tree(t, files), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	calls := 0
	r, err := d.Verify(context.Background(), VerifyOptions{Workers: 1, Progress: func(done, total int) { calls += done / total }})
	if err != nil {
		t.Fatal(err)
	}
	if r.OK() || r.Images != 29 || calls != 1 {
		t.Errorf("%d images, %d calls", r.Images, calls)
	}
	var near, conflicts, leaks []string
	for _, n := range r.NearDuplicates {
		near = append(near, n.Paths[0]+" "+n.Paths[1])
		if n.Distance < 0 || n.Distance > DefaultNear {
			t.Errorf("%+v", n)
		}
	}
	for _, c := range r.Conflicts {
		conflicts = append(conflicts, c.Paths[0]+" "+c.Paths[1]+" "+c.Classes[0]+" "+c.Classes[1])
	}
	for _, l := range r.Leaks {
		leaks = append(leaks, l.Train+" "+l.Valid)
	}
	bad := []string{}
	for _, b := range r.Bad {
		bad = append(bad, b.Path)
	}
	got := [][]string{bad, near, conflicts, leaks}
	want := [][]string{
		{"train/cat/bad", "train/cat/page"},
		{"train/cat/b valid/cat/b-small", "train/cat/c valid/dog/e"},
		{"train/cat/a train/dog/a-again cat dog", "train/cat/c valid/dog/e cat dog"},
		{"train/dog/d valid/dog/d-again", "train/cat/b valid/cat/b-small", "train/cat/c valid/dog/e"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]string{{"train/cat/a", "train/dog/a-again"}, {"train/dog/d", "valid/dog/d-again"}}, r.Duplicates); diff != "" {
		t.Error(diff)
	}
	clean, err := (&Dataset{files: folder{}}).Verify(context.Background(), VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(clean)
	if err != nil || string(b) != `{"images":0,"bad":[],"duplicates":[],"near_duplicates":[],"conflicts":[],"leaks":[]}` || !clean.OK() {
		t.Errorf("%s, %v", b, err)
	}
}

// Bands must find what comparing all with all finds.
func TestNearPairsFindsAll(t *testing.T) {
	r := rand.New(rand.NewSource(5))
	prints := make([]Fingerprint, 300)
	for i := range prints {
		if i%3 != 0 {
			prints[i] = prints[i-1]
		} else {
			for k := range prints[i].Hash {
				prints[i].Hash[k] = r.Uint64()
			}
		}
		for range r.Intn(14) {
			bit := r.Intn(256)
			prints[i].Hash[bit/64] ^= 1 << (bit % 64)
		}
	}
	for _, limit := range []int{0, 1, 7, 10, 20} {
		var want []NearPair
		for i := range prints {
			for j := i + 1; j < len(prints); j++ {
				if n := prints[i].Distance(&prints[j]); n <= limit {
					want = append(want, NearPair{i, j, n})
				}
			}
		}
		if limit >= 7 && len(want) < 20 {
			t.Fatalf("only %d pairs to find", len(want))
		}
		if diff := cmp.Diff(want, NearPairs(prints, limit)); diff != "" {
			t.Errorf("limit %d: %s", limit, diff)
		}
	}
}

func TestFingerprintsOfTinyPictures(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {1, 40}, {40, 1}, {3, 5}} {
		p := blobs(1, s[0], s[1])
		f, g := NewFingerprint(p), NewFingerprint(p)
		if f.Distance(&g) != 0 || !f.alike(&g) {
			t.Errorf("%v is unlike itself", p)
		}
	}
	a, b := NewFingerprint(blobs(1, 100, 100)), NewFingerprint(blobs(2, 100, 100))
	if d := a.Distance(&b); d < 40 {
		t.Errorf("two pictures are %d apart", d)
	}
}

func TestSummary(t *testing.T) {
	d := openSet(t, tree(t, map[string]string{"cat/a": "@jpeg-exif-6", "cat/b": "@png-rgb", "dog/c": "@jpeg-1x1", "dog/x": "text"}))
	got := d.Summary()
	size := func(name string) int64 { return int64(len(pictures(t)[name].File)) }
	want := Summary{Source: d.Source, Classes: map[string]int{"cat": 2, "dog": 1}, Images: 3, Skipped: []Skipped{{"dog/x", "not a picture: it looks like text"}},
		Formats: map[string]int{"jpeg": 2, "png": 1}, Bytes: size("jpeg-exif-6") + size("png-rgb") + size("jpeg-1x1"), Pixels: 2*37*22 + 1,
		Width: Range{1, 22, 37}, Height: Range{1, 22, 37}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b, err := json.Marshal(got)
	if err != nil || !bytes.Contains(b, []byte(`"classes":{"cat":2,"dog":1},"images":3`)) {
		t.Errorf("%s, %v", b, err)
	}
}

func TestSetAside(t *testing.T) {
	root := tree(t, map[string]string{"cat/a": "@jpeg-420", "cat/sub/b": "@png-rgb", "dog/c": "@gif", "dog/d": "@bmp"})
	d := openSet(t, root)
	to := filepath.Join(t.TempDir(), "aside")
	n, err := d.SetAside([]string{"cat/sub/b", "dog/d"}, to)
	if n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if b, err := os.ReadFile(filepath.Join(to, "cat", "sub", "b")); err != nil || !bytes.Equal(b, pictures(t)["png-rgb"].File) {
		t.Error("cat/sub/b did not arrive whole")
	}
	if _, err := os.Stat(filepath.Join(root, "dog", "d")); err == nil {
		t.Error("dog/d is still there")
	}
	if err := os.WriteFile(filepath.Join(root, "dog", "d"), []byte("another"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, dir, want string
	}{
		{"dog/d", to, "exists already"},
		{"../x", to, "lies outside"},
		{"dog/none", to, "no such file"},
		{"dog/c", filepath.Join(root, "bad"), "lies inside the set"},
	} {
		if n, err := d.SetAside([]string{c.path}, c.dir); n != 0 || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %d, %v", c, n, err)
		}
	}
	names, err := filepath.Glob(filepath.Join(root, "dog", "*"))
	if err != nil || !slices.Equal(names, []string{filepath.Join(root, "dog", "c"), filepath.Join(root, "dog", "d")}) {
		t.Errorf("%v, %v", names, err)
	}
	z := openSet(t, archive(t, zipEntry{name: "cat/a", content: "@jpeg-420"}, zipEntry{name: "dog/b", content: "@jpeg-420"}))
	if _, err := z.SetAside([]string{"cat/a"}, to); err == nil || !strings.Contains(err.Error(), "is no folder") {
		t.Errorf("a zip gives %v", err)
	}
}
