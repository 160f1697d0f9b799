package clean

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/set"
)

func TestMain(m *testing.M) {
	collecttest.Child(map[string]func([]string){"clean": func(arguments []string) {
		for {
			shuffle(arguments[0])
		}
	}})
	os.Exit(m.Run())
}

// shuffle opens a set and makes random steps on it.
func shuffle(dir string) {
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		panic(err)
	}
	c, err := OpenCatalogue(s, nil)
	if err != nil {
		panic(err)
	}
	for range 50 {
		var ids []int
		for range 1 + rand.IntN(6) {
			ids = append(ids, rand.IntN(len(c.items)))
		}
		classes := c.State().Classes
		class := "earth"
		if len(classes) > 0 {
			class = classes[rand.IntN(len(classes))].Name
		}
		step := []Step{{Do: "trash", IDs: ids}, {Do: "restore", IDs: ids}, {Do: "move", IDs: ids, To: class},
			{Do: "rename", Class: class, To: fmt.Sprintf("class-%d", rand.IntN(1000))}, {Do: "undo"}, {Do: "undo"}, {Do: "redo"}}[rand.IntN(7)]
		_, _ = c.Do(step) // some steps find nothing to do
	}
	if err := s.Close(); err != nil {
		panic(err)
	}
	c.Close()
}

// sums lists the hashes of all pictures in a set, wherever they lie.
func sums(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	for _, file := range tree(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%x", sha256.Sum256(data)))
	}
	sort.Strings(all)
	return strings.Join(all, "\n")
}

// TestKilled kills a process that throws out, restores, moves and renames at random. No picture is ever lost or doubled, the journal
// stays readable, and undoing all steps brings every picture back to where it was.
func TestKilled(t *testing.T) {
	dir := newSet(t, 10, "earth", "mars", "saturn")
	places, want := tree(t, dir), sums(t, dir)
	for range collecttest.Kills(8) {
		if !collecttest.Kill(t, 300*time.Millisecond, "clean", dir) {
			t.Fatal("the process ended by itself")
		}
		if got := sums(t, dir); got != want {
			t.Fatalf("pictures after a kill:\n%s\nbefore:\n%s", got, want)
		}
	}
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, _, steps, _ := s.Steps()
	for {
		outcome, err := s.Undo()
		if err == set.ErrNothing {
			break
		}
		if err != nil || len(outcome.Skipped) > 0 {
			t.Fatalf("undo: %v, left out %v", err, outcome.Skipped)
		}
	}
	t.Logf("undid %d steps", steps)
	if diff := strings.Join(tree(t, dir), "\n"); diff != strings.Join(places, "\n") {
		t.Errorf("undoing everything left\n%s", diff)
	}
}
