package set

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"
)

// Options say how a set is opened.
type Options struct {
	Create   bool // make the folder when it does not exist
	ReadOnly bool // take no lock and mend nothing
}

// Set is an open picture set. Its methods may be called from several goroutines.
type Set struct {
	dir      string
	root     *os.Root
	lock     *flock.Flock
	readOnly bool

	mu       sync.Mutex
	records  []Record
	byFile   map[string]int // index in records of what lies at a path
	manifest *appendLog[Record]
	stale    bool // the manifest file lags behind records
	journal  *appendLog[Entry]
	steps    []Entry // undo stack, newest last
	undone   []Entry // redo stack, newest last
	seq      int
	numbers  map[string]int // highest file number given out, by class
	dropped  *appendLog[Drop]
	drops    map[dropKey]Drop
	paging   *appendLog[Cursor]
	cursors  map[string]Cursor
}

// ErrBusy is returned by Open when another process works on the set.
var ErrBusy = errors.New("another orrery is at work on it")

// Open opens the set in dir and finishes what a killed process began. The caller closes it.
func Open(dir string, o Options) (*Set, error) {
	if o.Create && !o.ReadOnly {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("picture set: %w", err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("picture set %s: %w; name an existing folder of class folders", dir, err)
	}
	s := &Set{dir: dir, root: root, readOnly: o.ReadOnly, byFile: map[string]int{}, numbers: map[string]int{},
		drops: map[dropKey]Drop{}, cursors: map[string]Cursor{}}
	if o.ReadOnly {
		err = s.read()
	} else {
		err = s.openForChanges()
	}
	if err != nil {
		s.closeFiles()
		return nil, fmt.Errorf("picture set %s: %w", dir, err)
	}
	return s, nil
}

// read loads the manifest and the journal's moves without touching the disk.
func (s *Set) read() error {
	records, _, _, err := readLines[Record](s.root, ManifestName)
	if err != nil {
		return err
	}
	entries, _, _, err := readLines[Entry](s.root, journalName)
	if err != nil {
		return err
	}
	if err := checkMoves(entries); err != nil {
		return err
	}
	return s.load(records, entries)
}

func (s *Set) openForChanges() error {
	if err := s.root.MkdirAll(tmpDir, 0o755); err != nil {
		return err
	}
	if err := s.takeLock(); err != nil {
		return err
	}
	records, manifest, err := openLog[Record](s.root, ManifestName)
	if err != nil {
		return err
	}
	s.manifest = manifest
	entries, journal, err := openLog[Entry](s.root, journalName)
	if err != nil {
		return err
	}
	s.journal = journal
	if err := checkMoves(entries); err != nil {
		return err
	}
	if err := s.finishMoves(entries); err != nil {
		return err
	}
	if err := s.load(records, entries); err != nil {
		return err
	}
	if err := s.finishDownloads(); err != nil {
		return err
	}
	return s.loadState()
}

// takeLock makes this process the only one that changes the set. The lock dies with the process, however it dies.
func (s *Set) takeLock() error {
	s.lock = flock.New(filepath.Join(s.dir, filepath.FromSlash(lockName)))
	held, err := s.lock.TryLock()
	if err != nil {
		return err
	}
	if !held {
		return fmt.Errorf("%w; wait for it, or end it", ErrBusy)
	}
	return nil
}

// load makes the records true to the journal's moves and finds which of their files exist.
func (s *Set) load(records []Record, entries []Entry) error {
	for n, record := range records {
		if record.Trashed && record.File == "" {
			continue
		}
		if err := checkFile(record.File); err != nil {
			return fmt.Errorf("%s: line %d: %w", ManifestName, n+1, err)
		}
	}
	s.records = records
	bySHA := map[string][]int{}
	for i, record := range s.records {
		bySHA[record.SHA256] = append(bySHA[record.SHA256], i)
	}
	// A picture's own moves lead from where the manifest has it to where it is, also when the manifest was written in between: moves
	// from before do not start at its place, or lead back to it. So each picture is followed by itself.
	trails := make([][]string, len(records)) // the places each was meant to have, latest last
	for i, record := range s.records {
		trails[i] = []string{record.File}
	}
	for _, entry := range entries {
		for _, move := range entry.Moves {
			for _, i := range bySHA[move.SHA256] {
				if move.SHA256 != "" && trails[i][len(trails[i])-1] == move.From {
					trails[i] = append(trails[i], move.To)
					break
				}
			}
		}
		s.count(entry)
	}
	s.settle(trails)
	return nil
}

// settle places each record at the last of its trail. A move that the journal planned may not have been possible; then it is the latest
// place where a file is and no other record.
func (s *Set) settle(trails [][]string) {
	lost := []int{}
	for i, trail := range trails {
		if last := trail[len(trail)-1]; last != "" && exists(s.root, last) {
			s.byFile[last] = i
		} else if last != "" {
			lost = append(lost, i)
		}
	}
	for _, i := range lost {
		s.records[i].Removed = true
		for _, place := range slices.Backward(trails[i]) {
			if _, taken := s.byFile[place]; !taken && exists(s.root, place) {
				s.byFile[place], s.records[i].Removed = i, false
				trails[i] = append(trails[i], place)
				break
			}
		}
	}
	for i, trail := range trails {
		if last := trail[len(trail)-1]; last != s.records[i].File {
			s.records[i].File, s.records[i].Class = last, ClassOf(last)
			s.stale = true
		}
	}
}

// checkMoves refuses a journal that names files outside the set.
func checkMoves(entries []Entry) error {
	for _, entry := range entries {
		for _, move := range entry.Moves {
			if err := errors.Join(checkFile(move.From), checkFile(move.To)); err != nil {
				return fmt.Errorf("%s: step %d: %w", journalName, entry.Seq, err)
			}
		}
	}
	return nil
}

// place notes that a record's picture now lies at file.
func (s *Set) place(i int, file string) {
	delete(s.byFile, s.records[i].File)
	s.records[i].File = file
	s.records[i].Class = ClassOf(file)
	s.byFile[file] = i
	s.stale = true
}

// finishDownloads puts pictures that reached the manifest but not their class folder where they belong, and
// clears what other downloads left.
func (s *Set) finishDownloads() error {
	for i, record := range s.records {
		whole := tmpName(record.SHA256, path.Ext(record.File))
		if !record.Removed || record.SHA256 == "" || !exists(s.root, whole) {
			continue
		}
		if err := moveFile(s.root, whole, record.File); err != nil {
			return err
		}
		if err := syncDir(s.root, parent(record.File)); err != nil {
			return err
		}
		s.records[i].Removed = false
	}
	left, err := fs.ReadDir(s.root.FS(), tmpDir)
	if err != nil {
		return err
	}
	for _, entry := range left {
		if err := s.root.RemoveAll(tmpDir + "/" + entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

func tmpName(sha256, extension string) string { return tmpDir + "/" + sha256 + extension }

// Dir returns the folder as given to Open.
func (s *Set) Dir() string { return s.dir }

// Root gives access to the set's files that cannot leave the set.
func (s *Set) Root() *os.Root { return s.root }

// Records returns a copy of the manifest as it stands, in order of collection.
func (s *Set) Records() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Record(nil), s.records...)
}

// Record returns what the manifest says of the picture at file.
func (s *Set) Record(file string) (Record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, known := s.byFile[file]; known {
		return s.records[i], true
	}
	return Record{}, false
}

// CreateTemp opens a new file for a download. Its name is relative to Root.
func (s *Set) CreateTemp(name string) (*os.File, string, error) {
	name = tmpDir + "/" + name
	file, err := s.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	return file, name, err
}

// Pending is a picture about to enter the set: a whole, synced file under Root and what is known of it.
type Pending struct {
	Temporary string
	Record    Record
	Extension string // ".jpg"
}

// Add takes pictures into the set and returns their records, with the file names they got. One sync of the manifest serves all.
func (s *Set) Add(pending []Pending) ([]Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var added []Record
	for _, p := range pending {
		whole := tmpName(p.Record.SHA256, p.Extension)
		if err := s.root.Rename(p.Temporary, whole); err != nil {
			return nil, err
		}
		p.Record.File = s.nextName(p.Record.Class, p.Record.SHA256, p.Extension)
		added = append(added, p.Record)
	}
	if err := syncDir(s.root, tmpDir); err != nil {
		return nil, err
	}
	if err := errors.Join(s.manifest.add(added...), s.manifest.sync()); err != nil {
		return nil, fmt.Errorf("%s: %w", ManifestName, err)
	}
	folders := map[string]bool{}
	for _, record := range added {
		if err := moveFile(s.root, tmpName(record.SHA256, path.Ext(record.File)), record.File); err != nil {
			return nil, err
		}
		s.byFile[record.File] = len(s.records)
		s.records = append(s.records, record)
		folders[parent(record.File)] = true
	}
	for folder := range folders {
		if err := syncDir(s.root, folder); err != nil {
			return nil, err
		}
	}
	return added, nil
}

// nextName returns a free path NNN_hash.ext in a class.
func (s *Set) nextName(class, sha256, extension string) string {
	if _, counted := s.numbers[class]; !counted {
		for _, folder := range []string{class, TrashDir + "/" + class} {
			entries, _ := fs.ReadDir(s.root.FS(), folder)
			for _, entry := range entries {
				s.numbers[class] = max(s.numbers[class], leadingNumber(entry.Name()))
			}
		}
		for _, record := range s.records {
			if record.Class == class {
				s.numbers[class] = max(s.numbers[class], leadingNumber(path.Base(record.File)))
			}
		}
	}
	for {
		s.numbers[class]++
		file := fmt.Sprintf("%s/%03d_%.8s%s", class, s.numbers[class], sha256, extension)
		if !exists(s.root, file) {
			return file
		}
	}
}

// leadingNumber returns 12 for "012_8f3a0c11.jpg" and 0 for a name of another form.
func leadingNumber(name string) int {
	digits, _, found := strings.Cut(name, "_")
	n, err := strconv.Atoi(digits)
	if !found || err != nil || n < 0 || n > 1e9 {
		return 0
	}
	return n
}

// Flush brings the manifest up to date with the moves made since it was last written.
func (s *Set) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flush()
}

func (s *Set) flush() error {
	if !s.stale || s.readOnly {
		return nil
	}
	if err := writeLines(s.root, ManifestName, s.records); err != nil {
		return fmt.Errorf("%s: %w", ManifestName, err)
	}
	s.manifest.close()
	manifest, err := s.root.OpenFile(ManifestName, os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	info, err := manifest.Stat()
	if err != nil {
		return err
	}
	s.manifest = &appendLog[Record]{file: manifest, size: info.Size()}
	s.stale = false
	return nil
}

// Close writes what is outstanding and releases the set.
func (s *Set) Close() error {
	err := s.Flush()
	s.closeFiles()
	return err
}

func (s *Set) closeFiles() {
	if s.manifest != nil {
		s.manifest.close()
	}
	if s.journal != nil {
		s.journal.close()
	}
	if s.dropped != nil {
		s.dropped.close()
	}
	if s.paging != nil {
		s.paging.close()
	}
	if s.lock != nil {
		s.lock.Unlock()
	}
	s.root.Close()
}
