package data

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// StoreSummary describes one store of decoded pictures on the disk.
type StoreSummary struct {
	Folder         string    `json:"folder"`
	Source         string    `json:"source"`
	ShortSide      int       `json:"short_side"` // 0: as large as the files
	DecoderVersion int       `json:"decoder_version"`
	Current        bool      `json:"current"` // made by this version's decoder
	Pictures       int       `json:"pictures"`
	Bytes          int64     `json:"bytes"`
	Modified       time.Time `json:"modified"`
	InUse          bool      `json:"in_use"` // a process is writing to it
}

// Stores lists the stores in dir, "" being DefaultStoreDir, the newest first.
func Stores(dir string) ([]StoreSummary, error) {
	dir, err := storeDir(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, plain(err))
	}
	var all []StoreSummary
	for _, e := range entries {
		if s, ok := summarize(filepath.Join(dir, e.Name())); ok {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b StoreSummary) int { return b.Modified.Compare(a.Modified) })
	return all, nil
}

func storeDir(dir string) (string, error) {
	if dir == "" {
		return DefaultStoreDir()
	}
	return dir, nil
}

// summarize looks at a folder; ok is false when it is no store of ours.
func summarize(folder string) (s StoreSummary, ok bool) {
	if s, ok = describe(folder); !ok {
		return s, false
	}
	if sh, err := openShelf(folder, false); err == nil {
		slots := map[storeKey]slot{}
		sh.refresh(slots)
		s.Pictures = len(slots)
		sh.close()
	}
	return s, true
}

// describe is summarize without counting the pictures.
func describe(folder string) (s StoreSummary, ok bool) {
	b, err := os.ReadFile(filepath.Join(folder, storeInfoName))
	if err != nil {
		return s, false
	}
	var info storeInfo
	if json.Unmarshal(b, &info) != nil || info.DecoderVersion == 0 {
		return s, false
	}
	s = StoreSummary{Folder: folder, Source: info.Source, ShortSide: info.ShortSide, DecoderVersion: info.DecoderVersion,
		Current: info.DecoderVersion == decoderVersion}
	names, _ := filepath.Glob(filepath.Join(folder, "pixels-[0-9]*"))
	for _, name := range append(names, filepath.Join(folder, indexName), filepath.Join(folder, storeInfoName)) {
		if fi, err := os.Stat(name); err == nil {
			s.Bytes += fi.Size()
			if fi.ModTime().After(s.Modified) {
				s.Modified = fi.ModTime()
			}
		}
	}
	lock := flock.New(filepath.Join(folder, "lock"))
	got, err := lock.TryRLock()
	s.InUse = err == nil && !got
	lock.Close()
	return s, true
}

// ClearStores removes the stores in dir ("" being DefaultStoreDir) that were
// made of source, or all of them when source is "", and returns the bytes it
// freed. Only files of stores are removed. A process that is using one keeps
// what it has mapped and stores no more.
func ClearStores(dir, source string) (freed int64, err error) {
	all, err := Stores(dir)
	if err != nil {
		return 0, err
	}
	if abs, err := filepath.Abs(source); err == nil && source != "" && source != planetsWord {
		source = abs
	}
	for _, s := range all {
		if source != "" && s.Source != source {
			continue
		}
		n, err := removeStore(s.Folder)
		freed += n
		if err != nil {
			return freed, fmt.Errorf("%s: %w", s.Folder, plain(err))
		}
	}
	return freed, nil
}

// goneFor is how long the store of a source that is not there any more is
// kept: the disk it lies on may come back.
const goneFor = 7 * 24 * time.Hour

// pruneStores removes what nobody will read again from the folder of stores:
// the stores of older decoders, and those whose source has been gone for
// long. Failures are left to the next time.
func pruneStores(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		folder := filepath.Join(dir, e.Name())
		s, ok := describe(folder)
		if !ok || s.InUse || s.Current && (s.Source == planetsWord || time.Since(s.Modified) < goneFor || exists(s.Source)) {
			continue
		}
		_, _ = removeStore(folder)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// removeStore moves the folder aside first, so that a process that writes to
// it finds nothing more to open, and removes its description last.
func removeStore(folder string) (int64, error) {
	aside := filepath.Join(filepath.Dir(folder), fmt.Sprintf(".clear-%s-%d", strings.TrimPrefix(filepath.Base(folder), ".clear-"), os.Getpid()))
	if err := os.Rename(folder, aside); err != nil {
		return 0, err
	}
	freed, err := removeShelf(aside)
	if err != nil {
		return freed, err
	}
	names, err := filepath.Glob(filepath.Join(aside, ".tmp-*"))
	if err != nil {
		return freed, err
	}
	for _, name := range append(names, filepath.Join(aside, "lock"), filepath.Join(aside, storeInfoName)) {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return freed, err
		}
	}
	return freed, os.Remove(aside)
}
