package set

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// Move is one picture's change of place.
type Move struct {
	From   string `json:"from"`
	To     string `json:"to"`
	SHA256 string `json:"sha256,omitempty"` // the manifest's, when it knows the picture
}

// Entry is one line of the journal: a step a person took, or the mark that a step was made in full.
type Entry struct {
	Seq    int       `json:"seq,omitempty"`
	Time   time.Time `json:"time,omitzero"`
	Kind   string    `json:"kind,omitempty"` // trash, restore, move, rename, apply, undo, redo
	What   string    `json:"what,omitempty"` // for people
	Moves  []Move    `json:"moves,omitempty"`
	Undoes int       `json:"undoes,omitempty"`
	Redoes int       `json:"redoes,omitempty"`
	Done   int       `json:"done,omitempty"` // alone on its line: step Done is over
	Void   bool      `json:"void,omitempty"` // with Done: none of its moves was possible
}

// Outcome is what a step did.
type Outcome struct {
	Seq     int      `json:"seq"`
	What    string   `json:"what"`
	Moves   []Move   `json:"-"`
	Moved   int      `json:"moved"`
	Skipped []string `json:"skipped,omitempty"` // pictures that could not be moved, and why
}

// ErrNothing is returned by Undo and Redo when there is no step left.
var ErrNothing = errors.New("nothing to undo or redo")

// count keeps the undo and redo stacks in step with a journal entry.
func (s *Set) count(entry Entry) {
	s.seq = max(s.seq, entry.Seq)
	pop := func(from, to *[]Entry) {
		if n := len(*from); n > 0 {
			*to = append(*to, (*from)[n-1])
			*from = (*from)[:n-1]
		}
	}
	switch {
	case entry.Void:
		if n := len(s.steps); n > 0 && s.steps[n-1].Seq == entry.Done {
			s.steps = s.steps[:n-1]
		}
	case entry.Done != 0 || entry.Seq == 0:
	case entry.Undoes != 0:
		pop(&s.steps, &s.undone)
	case entry.Redoes != 0:
		pop(&s.undone, &s.steps)
	default:
		s.steps = append(s.steps, entry)
		s.undone = nil
	}
}

// finishMoves makes the moves of a last step that a killed process began.
func (s *Set) finishMoves(entries []Entry) error {
	done := map[int]bool{}
	for _, entry := range entries {
		done[entry.Done] = true
	}
	if len(entries) == 0 {
		return nil
	}
	last := entries[len(entries)-1]
	if last.Done != 0 || done[last.Seq] {
		return nil
	}
	s.makeMoves(last.Moves)
	return s.journal.add(Entry{Done: last.Seq})
}

// makeMoves renames files and says which it could not: those whose source is gone or whose target is taken are what a
// killed process had already done, or what someone did by hand.
func (s *Set) makeMoves(moves []Move) (made []bool, skipped []string) {
	folders := map[string]bool{}
	made = make([]bool, len(moves))
	for i, move := range moves {
		switch err := moveFile(s.root, move.From, move.To); {
		case err == nil:
			made[i] = true
			folders[parent(move.From)], folders[parent(move.To)] = true, true
		case errors.Is(err, fs.ErrNotExist):
			skipped = append(skipped, move.From+": is no longer there")
		case errors.Is(err, fs.ErrExist):
			skipped = append(skipped, move.To+": is taken")
		default:
			skipped = append(skipped, fmt.Sprintf("%s: %v", move.From, err))
		}
	}
	for folder := range folders {
		_ = syncDir(s.root, folder) // the journal is synced: a power cut that loses a rename finds it there
	}
	for folder := range folders { // an emptied folder goes; one with files stays, since Remove takes empty ones only
		_ = s.root.Remove(folder)
	}
	return made, skipped
}

// commit writes a step to the journal, makes its moves, and brings the records up to date.
func (s *Set) commit(entry Entry) (Outcome, error) {
	s.seq++
	entry.Seq, entry.Time = s.seq, time.Now().UTC().Truncate(time.Second)
	planned := map[string]string{} // what lies where after the moves so far
	for i, move := range entry.Moves {
		sha256, moved := planned[move.From]
		if at, known := s.byFile[move.From]; known && !moved {
			sha256 = s.records[at].SHA256
		}
		entry.Moves[i].SHA256 = sha256
		planned[move.To] = sha256
	}
	if err := errors.Join(s.journal.add(entry), s.journal.sync()); err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", journalName, err)
	}
	s.count(entry)
	made, skipped := s.makeMoves(entry.Moves)
	for n, move := range entry.Moves {
		if i, known := s.byFile[move.From]; known && made[n] {
			s.place(i, move.To)
		}
	}
	outcome := Outcome{Seq: entry.Seq, What: entry.What, Moves: entry.Moves, Moved: len(entry.Moves) - len(skipped), Skipped: skipped}
	over := Entry{Done: entry.Seq, Void: outcome.Moved == 0 && entry.Undoes == 0 && entry.Redoes == 0}
	s.count(over)
	if err := s.journal.add(over); err != nil {
		return outcome, fmt.Errorf("%s: %w", journalName, err)
	}
	if outcome.Moved == 0 && len(skipped) > 0 {
		return outcome, fmt.Errorf("nothing could be moved: %s", strings.Join(skipped[:min(3, len(skipped))], "; "))
	}
	return outcome, nil
}

// Undo takes back the newest step not yet undone.
func (s *Set) Undo() (Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.steps) == 0 {
		return Outcome{}, ErrNothing
	}
	step := s.steps[len(s.steps)-1]
	return s.commit(Entry{Kind: "undo", What: "undid: " + step.What, Moves: reversed(step.Moves), Undoes: step.Seq})
}

// Redo makes the newest undone step again.
func (s *Set) Redo() (Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.undone) == 0 {
		return Outcome{}, ErrNothing
	}
	step := s.undone[len(s.undone)-1]
	return s.commit(Entry{Kind: "redo", What: "redid: " + step.What, Moves: slices.Clone(step.Moves), Redoes: step.Seq})
}

func reversed(moves []Move) []Move {
	back := make([]Move, 0, len(moves))
	for _, move := range slices.Backward(moves) {
		back = append(back, Move{From: move.To, To: move.From})
	}
	return back
}

// Steps returns what Undo and Redo would take back or make again, in words, and how many steps there are of each.
func (s *Set) Steps() (undo, redo string, undos, redos int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if undos = len(s.steps); undos > 0 {
		undo = s.steps[undos-1].What
	}
	if redos = len(s.undone); redos > 0 {
		redo = s.undone[redos-1].What
	}
	return undo, redo, undos, redos
}

// Change is a step to be made: its moves are planned one after another, each seeing the ones before, and made together.
type Change struct {
	set   *Set
	kind  string
	what  []string
	moves []Move
	taken map[string]bool // paths the planned moves fill (true) or empty (false)
}

// Begin plans a step. Nothing happens until Commit.
func (s *Set) Begin(kind string) *Change {
	return &Change{set: s, kind: kind, taken: map[string]bool{}}
}

func (c *Change) exists(file string) bool {
	if taken, planned := c.taken[file]; planned {
		return taken
	}
	return exists(c.set.root, file)
}

func (c *Change) move(from, to string) error {
	if err := errors.Join(checkFile(from), checkFile(to)); err != nil {
		return err
	}
	if !c.exists(from) {
		return fmt.Errorf("%q is not in the set", from)
	}
	if from == to {
		return nil
	}
	extension := path.Ext(to)
	for n, stem := 2, strings.TrimSuffix(to, extension); c.exists(to); n++ {
		to = fmt.Sprintf("%s-%d%s", stem, n, extension)
	}
	c.moves = append(c.moves, Move{From: from, To: to})
	c.taken[from], c.taken[to] = false, true
	return nil
}

// Trash plans to throw a picture out. One already in the trash stays there.
func (c *Change) Trash(file string) error {
	if strings.HasPrefix(file, TrashDir+"/") {
		return nil
	}
	return c.move(file, TrashDir+"/"+file)
}

// Restore plans to bring a picture back from the trash to its class. One not in the trash stays.
func (c *Change) Restore(file string) error {
	inside, trashed := strings.CutPrefix(file, TrashDir+"/")
	if !trashed {
		return nil
	}
	return c.move(file, inside)
}

// MoveTo plans to put a picture into another class, new or old; one in the trash is restored into it.
func (c *Change) MoveTo(file, class string) error {
	if err := CheckClass(class); err != nil {
		return err
	}
	if ClassOf(file) == class && !strings.HasPrefix(file, TrashDir+"/") {
		return nil
	}
	return c.move(file, class+"/"+path.Base(file))
}

// files lists the pictures as they will lie after the moves planned so far.
func (c *Change) files() ([]string, error) {
	pictures, err := c.set.Scan()
	if err != nil {
		return nil, err
	}
	now := map[string]bool{}
	for _, p := range pictures {
		now[p.File] = true
	}
	for _, move := range c.moves {
		delete(now, move.From)
		now[move.To] = true
	}
	return slices.Sorted(maps.Keys(now)), nil
}

// Rename plans to give a class another name, its thrown-out pictures included. The new name must be free.
func (c *Change) Rename(class, to string) error {
	if err := CheckClass(to); err != nil {
		return err
	}
	if class == to {
		return nil
	}
	files, err := c.files()
	if err != nil {
		return err
	}
	has := func(class string) bool {
		return slices.ContainsFunc(files, func(file string) bool { return ClassOf(file) == class })
	}
	if has(to) {
		return fmt.Errorf("class %q exists already; move the pictures of %q into it instead", to, class)
	}
	if !has(class) {
		return fmt.Errorf("there is no class %q to rename", class)
	}
	for _, file := range files {
		if ClassOf(file) != class {
			continue
		}
		trash, inside := "", strings.TrimPrefix(file, class+"/")
		if rest, trashed := strings.CutPrefix(file, TrashDir+"/"); trashed {
			trash, inside = TrashDir+"/", strings.TrimPrefix(rest, class+"/")
		}
		if err := c.move(file, trash+to+"/"+inside); err != nil {
			return err
		}
	}
	return nil
}

// Say adds words about the step, for the people who may undo it.
func (c *Change) Say(what string) { c.what = append(c.what, what) }

// Commit makes the step. A step without moves leaves no trace.
func (c *Change) Commit() (Outcome, error) {
	what := strings.Join(c.what, ", ")
	if len(c.moves) == 0 {
		return Outcome{What: what}, nil
	}
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	return c.set.commit(Entry{Kind: c.kind, What: what, Moves: c.moves})
}
