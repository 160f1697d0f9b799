package data

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestOpenStorePrunes: opening a store removes those that nobody will read
// again, and no others.
func TestOpenStorePrunes(t *testing.T) {
	dir := t.TempDir()
	gone, outdated, kept := storeSet(t, 4), storeSet(t, 4), storeSet(t, 4)
	folders := map[string]string{}
	for _, root := range []string{gone, outdated, kept} {
		s := openStore(t, openSet(t, root), StoreOptions{Dir: dir})
		settle(t, s, 4)
		folders[root] = s.dir
		s.Close()
	}
	busy := openStore(t, openSet(t, storeSet(t, 4)), StoreOptions{Dir: dir})
	old := time.Now().Add(-2 * goneFor)
	for _, folder := range append([]string{busy.dir}, folders[gone], folders[kept]) {
		for _, e := range must(os.ReadDir(folder)) {
			if err := os.Chtimes(filepath.Join(folder, e.Name()), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.RemoveAll(gone); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(folders[outdated], storeInfoName)
	var info storeInfo
	if err := json.Unmarshal(must(os.ReadFile(name)), &info); err != nil {
		t.Fatal(err)
	}
	info.DecoderVersion = decoderVersion + 1
	if err := os.WriteFile(name, must(json.Marshal(info)), 0o666); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(dir, "precious")
	if err := os.Mkdir(precious, 0o777); err != nil {
		t.Fatal(err)
	}

	openStore(t, openSet(t, storeSet(t, 4)), StoreOptions{Dir: dir})
	for folder, want := range map[string]bool{folders[gone]: false, folders[outdated]: false, folders[kept]: true, busy.dir: true, precious: true} {
		if exists(folder) != want {
			t.Errorf("%s is there: %v, want %v", folder, !want, want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
