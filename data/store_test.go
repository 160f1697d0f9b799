package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// storeSet makes a set of n pictures that all differ.
func storeSet(t testing.TB, n int) (root string) {
	t.Helper()
	files := map[string]string{}
	for i := range n {
		p := &Picture{}
		p.reset(40+i%7, 30+i%5)
		for k := 0; k < len(p.Pix); k += 4 {
			put(p.Pix, k, uint8(i*37), uint8(k/4), uint8(k/160))
		}
		files[fmt.Sprintf("%c/%03d.jpg", 'a'+i%2, i)] = string(jpegOf(t, p))
	}
	return tree(t, files)
}

func openSet(t testing.TB, root string) *Dataset {
	t.Helper()
	d, err := Open(context.Background(), root, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func openStore(t testing.TB, d *Dataset, o StoreOptions) *Store {
	t.Helper()
	s, err := OpenStore(d, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// checkAll compares every picture of the store with a fresh decode.
func checkAll(t testing.TB, s *Store) {
	t.Helper()
	for i := range s.d.Samples {
		p, err := s.Picture(i)
		if err != nil {
			t.Fatal(err)
		}
		var want Picture
		if err := s.d.PictureInto(&want, i); err != nil {
			t.Fatal(err)
		}
		if p.Width != want.Width || p.Height != want.Height || !bytes.Equal(p.Pix, want.Pix) {
			t.Fatalf("picture %d is wrong", i)
		}
		_ = p.Pix[:len(p.Pix)+Padding][len(p.Pix)+Padding-1] // must be readable
	}
}

// settle waits until what was offered is written.
func settle(t testing.TB, s *Store, stored int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); s.Stats().Stored < stored; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("only %d of %d pictures are stored", s.Stats().Stored, stored)
		}
		for i := range s.d.Samples {
			if _, err := s.Picture(i); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestStoreKeepsPictures(t *testing.T) {
	for _, short := range []int{0, 20} {
		root, dir := storeSet(t, 50), t.TempDir()
		d := openSet(t, root).DecodedAs(DecodeOptions{ShortSide: short})
		s := openStore(t, d, StoreOptions{Dir: dir})
		n, bytes := s.Plan()
		if n != 50 || bytes <= 0 {
			t.Errorf("plan of %d pictures, %d bytes", n, bytes)
		}
		checkAll(t, s)
		settle(t, s, 50)
		checkAll(t, s)
		st := s.Stats()
		if st.Bytes != bytes || !st.Writing {
			t.Errorf("%d bytes were planned: %+v", bytes, st)
		}
		if n, _ := s.Plan(); n != 0 {
			t.Errorf("%d pictures are still to be stored", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		again := openStore(t, openSet(t, root).DecodedAs(DecodeOptions{ShortSide: short}), StoreOptions{Dir: dir})
		checkAll(t, again)
		if st := again.Stats(); st.Misses != 0 || st.Hits != 50 {
			t.Errorf("the second run: %+v", st)
		}
		if p, _ := again.Picture(0); short > 0 && min(p.Width, p.Height) != short {
			t.Errorf("picture of %v, want a short side of %d", p, short)
		}
	}
}

func TestStoreSeesChangedFiles(t *testing.T) {
	root, dir := storeSet(t, 10), t.TempDir()
	s := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
	settle(t, s, 10)
	s.Close()
	// The same size and the same time, yet another picture.
	name := filepath.Join(root, "a", "000.jpg")
	fi, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Decode(b, DecodeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Pix {
		p.Pix[i] ^= 0x55
	}
	b2 := append(jpegOf(t, p), make([]byte, len(b))...)[:max(len(b), len(jpegOf(t, p)))]
	if err := os.WriteFile(name, b2, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "b", "001.jpg")); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, openSet(t, root), StoreOptions{Dir: dir})
	if n, _ := s.Plan(); n != 1 {
		t.Errorf("%d pictures are to be stored, want the changed one", n)
	}
	checkAll(t, s)
	if st := s.Stats(); st.Misses != 1 || st.Hits != 8 {
		t.Errorf("%+v", st)
	}
}

func TestStoreTidiesDeadPictures(t *testing.T) {
	root, dir := storeSet(t, 20), t.TempDir()
	s := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
	settle(t, s, 20)
	before := s.Stats().Bytes
	s.Close()
	for i := range 15 {
		name := filepath.Join(root, string(rune('a'+i%2)), fmt.Sprintf("%03d.jpg", i))
		if err := os.Chtimes(name, time.Now(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	s = openStore(t, openSet(t, root), StoreOptions{Dir: dir})
	if got := s.Stats().Bytes; got != before {
		t.Errorf("a small store was tidied: %d bytes of %d", got, before)
	}
	s.mu.Lock()
	s.shelf.roomy = 1
	if err := s.dropDead(); err != nil {
		t.Error(err)
	}
	s.mu.Unlock()
	if got := s.Stats(); got.Bytes != 0 || got.Stored != 0 {
		t.Errorf("still %+v", got)
	}
	settle(t, s, 20)
	checkAll(t, s)
}

func TestStoreDamage(t *testing.T) {
	root, dir := storeSet(t, 12), t.TempDir()
	fill := func() *Store {
		s := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
		settle(t, s, 12)
		s.Close()
		return s
	}
	s := fill()
	index, pixels := filepath.Join(s.dir, indexName), filepath.Join(s.dir, segmentName(0))
	whole, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	pix, err := os.ReadFile(pixels)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewSource(1))
	reset := func() {
		for _, f := range []struct {
			name string
			b    []byte
		}{{index, whole}, {pixels, pix}} {
			if err := os.Remove(f.name); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if err := os.WriteFile(f.name, f.b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, damage := range map[string]func() error{
		"index cut":       func() error { return os.Truncate(index, r.Int63n(int64(len(whole)))) },
		"index empty":     func() error { return os.Truncate(index, 0) },
		"index gone":      func() error { return os.Remove(index) },
		"pixels gone":     func() error { return os.Remove(pixels) },
		"pixels cut":      func() error { return os.Truncate(pixels, r.Int63n(int64(len(pix)))) },
		"pixels last cut": func() error { return os.Truncate(pixels, int64(len(pix))-1) },
		"index bit": func() error {
			b := bytes.Clone(whole)
			b[r.Intn(len(b))] ^= 1 << r.Intn(8)
			return os.WriteFile(index, b, 0o666)
		},
		"pixels bit": func() error {
			b := bytes.Clone(pix)
			b[r.Intn(len(b))] ^= 1 << r.Intn(8)
			return os.WriteFile(pixels, b, 0o666)
		},
		"index of another kind": func() error { return os.WriteFile(index, bytes.Repeat([]byte("hello "), 500), 0o666) },
	} {
		for range 5 {
			reset()
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			s := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
			checkAll(t, s)
			s.Close()
			s = openStore(t, openSet(t, root), StoreOptions{Dir: dir})
			checkAll(t, s)
			s.Close()
			if t.Failed() {
				t.Fatalf("after %s", name)
			}
		}
	}
}

func TestStoreOnFullDisk(t *testing.T) {
	root := storeSet(t, 12)
	for k := range 26 {
		var said bytes.Buffer
		dir := t.TempDir()
		d := openSet(t, root)
		s := openStore(t, d, StoreOptions{Dir: dir, Log: slog.New(slog.NewTextHandler(&said, nil))})
		writes := 0
		whole := s.shelf.writeAt
		s.shelf.writeAt = func(f *os.File, b []byte, off int64) error {
			if writes++; writes > k {
				whole(f, b[:len(b)/2], off) // as far as it went
				return &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
			}
			return whole(f, b, off)
		}
		checkAll(t, s)
		checkAll(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if k < 24 && strings.Count(said.String(), "no space left") != 1 {
			t.Errorf("the %d-th write fails, the log says %q", k+1, said.String())
		}
		s = openStore(t, d, StoreOptions{Dir: dir})
		if got := s.Stats().Stored; got > k/2 {
			t.Errorf("%d pictures are stored after %d writes", got, k)
		}
		checkAll(t, s)
		settle(t, s, 12)
		s.Close()
	}
}

func TestStoreLimit(t *testing.T) {
	s := openStore(t, openSet(t, storeSet(t, 12)), StoreOptions{Dir: t.TempDir(), MaxBytes: 40000})
	for range 3 {
		checkAll(t, s)
	}
	s.Close()
	if st := s.Stats(); st.Stored < 2 || st.Stored > 11 || st.Bytes > 40000 {
		t.Errorf("%+v", st)
	}
}

func TestTwoStoresAtOnce(t *testing.T) {
	root, dir := storeSet(t, 60), t.TempDir()
	a := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
	b := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
	if !a.Stats().Writing || b.Stats().Writing {
		t.Fatalf("writing: %v and %v", a.Stats().Writing, b.Stats().Writing)
	}
	var wg sync.WaitGroup
	for _, s := range []*Store{a, b, a, b} {
		wg.Go(func() {
			for range 4 {
				checkAll(t, s)
			}
		})
	}
	wg.Wait()
	settle(t, a, 60)
	time.Sleep(600 * time.Millisecond) // readers look twice a second
	misses := b.Stats().Misses
	checkAll(t, b)
	checkAll(t, b)
	if got := b.Stats().Misses; got > misses+1 {
		t.Errorf("the reader decoded %d pictures that are stored", got-misses)
	}
	// The writer goes; the reader takes its place.
	a.Close()
	if err := os.Chtimes(filepath.Join(root, "a", "000.jpg"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	c := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
	if !c.Stats().Writing {
		t.Error("nobody writes")
	}
	checkAll(t, c)
	checkAll(t, b)
}

func TestReaderBecomesWriter(t *testing.T) {
	root, dir := storeSet(t, 10), t.TempDir()
	a := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
	b := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
	for i := range 4 {
		if _, err := a.Picture(i); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		if _, err := b.Picture(i); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	settle(t, b, 10)
	if !b.Stats().Writing {
		t.Error("the reader did not take over")
	}
	checkAll(t, b)
}

// TestStoreChild is the process that TestStoreKilled kills.
func TestStoreChild(t *testing.T) {
	root, dir := os.Getenv("ORRERY_TEST_STORE_SET"), os.Getenv("ORRERY_TEST_STORE_DIR")
	if root == "" {
		t.Skip("runs only as the child of TestStoreKilled")
	}
	fmt.Println("ready")
	for {
		d, err := Open(context.Background(), root, Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := OpenStore(d, StoreOptions{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Samples {
			if _, err := s.Picture(i); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		d.Close()
		if _, err := ClearStores(dir, ""); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStoreKilled(t *testing.T) {
	kills := 10
	if os.Getenv("ORRERY_LONG") != "" {
		kills = 200
	}
	root, dir := storeSet(t, 120), t.TempDir()
	d := openSet(t, root)
	r := rand.New(rand.NewSource(3))
	found := 0
	for range kills {
		c := exec.Command(os.Args[0], "-test.run=^TestStoreChild$")
		c.Env = append(os.Environ(), "ORRERY_TEST_STORE_SET="+root, "ORRERY_TEST_STORE_DIR="+dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 64)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.Intn(60)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		s := openStore(t, d, StoreOptions{Dir: dir})
		checkAll(t, s)
		found += int(s.Stats().Hits)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := ClearStores(dir, ""); err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("no killed process had stored anything: the test shows nothing")
	}
	t.Logf("%d kills, %d stored pictures checked", kills, found)
}

func TestStoresListAndClear(t *testing.T) {
	dir := t.TempDir()
	if all, err := Stores(filepath.Join(dir, "missing")); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	one, two := storeSet(t, 6), storeSet(t, 8)
	for _, root := range []string{one, two} {
		s := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
		settle(t, s, 6)
		s.Close()
	}
	busy := openStore(t, openSet(t, one).DecodedAs(DecodeOptions{ShortSide: 16}), StoreOptions{Dir: dir})
	keep := filepath.Join(dir, "precious")
	if err := os.WriteFile(keep, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	all, err := Stores(dir)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, s := range all {
		if s.InUse != (s.ShortSide == 16) || !s.Current || s.Source == "" {
			t.Errorf("%+v", s)
		}
	}
	if _, err := busy.Picture(0); err != nil {
		t.Fatal(err)
	}
	if freed, err := ClearStores(dir, one); err != nil || freed == 0 {
		t.Errorf("%d, %v", freed, err)
	}
	checkAll(t, busy) // a running process goes on
	all, err = Stores(dir)
	if err != nil || len(all) != 1 || all[0].Source != two || all[0].Pictures < 6 {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := ClearStores(dir, ""); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(keep); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v is left", entries)
	}
}

func TestStoreFolderErrors(t *testing.T) {
	d := openSet(t, storeSet(t, 2))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := OpenStore(d, StoreOptions{Dir: file})
	if err == nil || !strings.Contains(err.Error(), "--store") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a file in place of the folder gives %v", err)
	}
}
