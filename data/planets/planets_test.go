package planets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"image"
	_ "image/jpeg"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const smallCount = 160

// smallSet is a small set that the tests which only look share.
var smallSet = sync.OnceValues(func() (string, error) {
	parent, err := os.MkdirTemp("", "planets-test-")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(parent, "set")
	return dir, Render(context.Background(), dir, Options{Count: smallCount, Seed: 7})
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := smallSet(); err == nil {
		os.RemoveAll(filepath.Dir(dir))
	}
	os.Exit(code)
}

func small(t *testing.T) string {
	t.Helper()
	dir, err := smallSet()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// sums returns the hash of every file under dir by its slash-separated path.
func sums(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	out := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSameSeedSameBytesForAnyWorkers(t *testing.T) {
	one, many := filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "many")
	for dir, workers := range map[string]int{one: 1, many: 5} {
		if err := Render(t.Context(), dir, Options{Count: 40, Seed: 3, Workers: workers}); err != nil {
			t.Fatal(err)
		}
	}
	a, b := sums(t, one), sums(t, many)
	if len(a) != 41 {
		t.Fatalf("%d files, want 40 pictures and a manifest", len(a))
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("workers change the set (-1 +5):\n%s", d)
	}
}

func TestSeedsDiffer(t *testing.T) {
	a, err := plan(100, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := plan(100, 2)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for _, p := range append(a, b...) {
		if seen[p.stream] {
			t.Errorf("two pictures draw from stream %x", p.stream)
		}
		seen[p.stream] = true
	}
}

func TestCounts(t *testing.T) {
	full, err := counts(DefaultCount)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(shares[:], full); d != "" {
		t.Errorf("default set (-want +got):\n%s", d)
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(len(Classes), 20000).Draw(t, "count")
		got, err := counts(n)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for i, c := range got {
			sum += c
			if exact := float64(n) * float64(shares[i]) / DefaultCount; c < 1 || math.Abs(float64(c)-exact) > 1 {
				t.Errorf("class %s of %d has %d pictures, its share is %.2f", Classes[i], n, c, exact)
			}
		}
		if sum != n {
			t.Errorf("counts %v add up to %d, want %d", got, sum, n)
		}
	})
	for _, n := range []int{-1, 3, MaxCount + 1} {
		if _, err := counts(n); err == nil {
			t.Errorf("count %d was accepted", n)
		}
	}
}

func TestWrongLabels(t *testing.T) {
	pictures, err := plan(DefaultCount, DefaultSeed)
	if err != nil {
		t.Fatal(err)
	}
	perClass, wrong := make([]int, len(Classes)), 0
	for _, p := range pictures {
		if p.truth != p.folder {
			wrong++
			perClass[p.folder]++
		}
	}
	if want := 85; wrong != want { // 3 % of 2817
		t.Errorf("%d wrong labels, want %d", wrong, want)
	}
	for c, n := range perClass {
		if n == 0 {
			t.Errorf("folder %s has no wrong label", Classes[c])
		}
	}
}

func TestFilesAndManifest(t *testing.T) {
	dir := small(t)
	m, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	want, err := counts(smallCount)
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`^\d{3,}_[0-9a-f]{8}\.jpg$`)
	listed := map[string]int64{}
	for _, f := range m.Files {
		listed[f.Path] = f.Bytes
	}
	shapes, grey := map[string]int{}, 0
	sides := map[image.Point]bool{}
	for k, class := range Classes {
		entries, err := os.ReadDir(filepath.Join(dir, class))
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != want[k] || m.Classes[class] != want[k] {
			t.Errorf("%s: %d files, %d in the manifest, want %d", class, len(entries), m.Classes[class], want[k])
		}
		for _, e := range entries {
			if !name.MatchString(e.Name()) {
				t.Errorf("file name %s", e.Name())
			}
			b, err := os.ReadFile(filepath.Join(dir, class, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			if listed[class+"/"+e.Name()] != int64(len(b)) {
				t.Errorf("%s has %d bytes, manifest says %d", e.Name(), len(b), listed[class+"/"+e.Name()])
			}
			img, format, err := image.Decode(bytes.NewReader(b))
			if err != nil || format != "jpeg" {
				t.Fatalf("%s: %v %v", e.Name(), format, err)
			}
			size := img.Bounds().Size()
			sides[size] = true
			if min(size.X, size.Y) < 220 || max(size.X, size.Y) > 640 {
				t.Errorf("%s is %v, want sides of 220..640", e.Name(), size)
			}
			switch {
			case size.X > size.Y:
				shapes["landscape"]++
			case size.X < size.Y:
				shapes["portrait"]++
			default:
				shapes["square"]++
			}
			if _, ok := img.(*image.Gray); ok {
				grey++
			}
		}
	}
	for _, s := range []string{"landscape", "portrait", "square"} {
		if shapes[s] < smallCount/20 {
			t.Errorf("%d %s pictures of %d", shapes[s], s, smallCount)
		}
	}
	if len(sides) < smallCount/2 || grey == 0 {
		t.Errorf("%d different sizes, %d pictures of one channel", len(sides), grey)
	}
	if len(m.Wrong) != 5 { // 3 % of 160
		t.Errorf("%d wrong labels in the manifest, want 5", len(m.Wrong))
	}
	for _, w := range m.Wrong {
		if w.Label == w.Truth || !strings.HasPrefix(w.Path, w.Label+"/") {
			t.Errorf("wrong label %+v", w)
		}
		if _, ok := listed[w.Path]; !ok {
			t.Errorf("wrong label names %s, which is not in the set", w.Path)
		}
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	for name, prepare := range map[string]func(dir string) error{
		"new folder":      func(string) error { return nil },
		"existing folder": func(dir string) error { return os.MkdirAll(dir, 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "deep", "set")
			if err := prepare(dir); err != nil {
				t.Fatal(err)
			}
			before := tree(t, root)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := Render(ctx, dir, Options{Count: 1000, Workers: 2, Progress: func(done, total int) {
				if total != 1000 {
					t.Errorf("total %d", total)
				}
				if done == 5 {
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want canceled", err)
			}
			if d := cmp.Diff(before, tree(t, root)); d != "" {
				t.Errorf("cancel changed the disk (-before +after):\n%s", d)
			}
		})
	}
}

// tree lists everything under root.
func tree(t *testing.T, root string) (paths []string) {
	t.Helper()
	if err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestFailedWriteLeavesNothing(t *testing.T) {
	// A class folder that goes away under the renderer stands for a disk that fails.
	root := t.TempDir()
	dir := filepath.Join(root, "set")
	err := Render(t.Context(), dir, Options{Count: 200, Workers: 1, Progress: func(done, _ int) {
		if done == 1 {
			temps, _ := filepath.Glob(filepath.Join(root, ".set-rendering-*", "earth"))
			for _, d := range temps {
				os.RemoveAll(d)
			}
		}
	}})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want that of the failed write", err)
	}
	if left := tree(t, root); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRefusesWhatIsNotEmpty(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "notes.txt")
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{root: "is not empty (it holds notes.txt)", file: "is a file"} {
		err := Render(t.Context(), dir, Options{Count: 4})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", dir, err, want)
		}
	}
	if left := tree(t, root); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

func TestExistingEmptyFolderIsFilled(t *testing.T) {
	dir := t.TempDir()
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Render(t.Context(), dir, Options{Count: 8}); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("the folder was replaced, who stands in it would lose it")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if d := cmp.Diff([]string{"earth", "jupiter", "manifest.json", "neptune", "saturn"}, names); d != "" {
		t.Error(d)
	}
}

func TestEnsure(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	var mu sync.Mutex
	drawn := 0
	o := Options{Count: 12, Seed: 5, Workers: 1, Progress: func(int, int) { mu.Lock(); drawn++; mu.Unlock() }}
	get := func() string {
		t.Helper()
		dir, err := ensure(t.Context(), cache, o)
		if err != nil {
			t.Error(err)
		}
		return dir
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { get() })
	}
	wg.Wait()
	dir := get()
	if drawn != 12 {
		t.Errorf("three callers at once drew %d pictures, want 12", drawn)
	}
	m, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	whole := sums(t, dir)

	// A file cut short and what a killed process leaves are both made good.
	if err := os.Truncate(filepath.Join(dir, m.Files[3].Path), 10); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(cache, "."+filepath.Base(dir)+"-rendering-123")
	if err := os.MkdirAll(filepath.Join(stray, "earth"), 0o755); err != nil {
		t.Fatal(err)
	}
	if again := get(); again != dir || drawn != 24 {
		t.Errorf("a damaged set: %s, %d pictures drawn, want %s and 24", again, drawn, dir)
	}
	if d := cmp.Diff(whole, sums(t, dir)); d != "" {
		t.Errorf("rendered again:\n%s", d)
	}
	if _, err := os.Stat(stray); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there", stray)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := ensure(ctx, filepath.Join(t.TempDir(), "other"), o); err == nil {
		t.Error("a context that has ended was ignored")
	}
}
