package clean

import (
	"errors"
	"fmt"

	"github.com/wangkuiyi/orrery/collect/set"
)

// Step is something to do to pictures or a class. Pictures are named by their numbers, or by their files when there are no numbers.
type Step struct {
	Do    string   `json:"do"` // trash, restore, move, rename, undo, redo
	IDs   []int    `json:"ids,omitempty"`
	Files []string `json:"files,omitempty"`
	Class string   `json:"class,omitempty"` // to rename
	To    string   `json:"to,omitempty"`    // class to move into, or the new name
}

// Stepped is what came of a step.
type Stepped struct {
	set.Outcome
	Version int      `json:"version"`
	Changes []Change `json:"-"`
}

// Change is a picture's new place.
type Change struct {
	ID      int     `json:"id"`
	File    string  `json:"file"`
	Class   string  `json:"class"`
	Trashed bool    `json:"trashed"`
	Loss    float64 `json:"loss"` // of the new class
}

// Do makes a step. A picture that is where the step would put it stays; asking twice does no harm.
func (c *Catalogue) Do(step Step) (Stepped, error) {
	c.stepping.Lock()
	defer c.stepping.Unlock()
	var outcome set.Outcome
	var err error
	switch step.Do {
	case "undo":
		outcome, err = c.set.Undo()
	case "redo":
		outcome, err = c.set.Redo()
	default:
		outcome, err = c.plan(step)
	}
	if len(outcome.Moves) == 0 {
		return Stepped{Outcome: outcome, Version: c.State().Version}, err
	}
	return c.follow(outcome), err
}

func (c *Catalogue) plan(step Step) (set.Outcome, error) {
	change := c.set.Begin(step.Do)
	if step.Do == "rename" {
		if err := change.Rename(step.Class, step.To); err != nil {
			return set.Outcome{}, err
		}
		change.Say(fmt.Sprintf("rename %s to %s", step.Class, step.To))
		return change.Commit()
	}
	files, err := c.files(step)
	if err != nil {
		return set.Outcome{}, err
	}
	act := map[string]func(string) error{
		"trash":   change.Trash,
		"restore": change.Restore,
		"move":    func(file string) error { return change.MoveTo(file, step.To) },
	}[step.Do]
	if act == nil {
		return set.Outcome{}, fmt.Errorf("%q is nothing that can be done; choose trash, restore, move, rename, undo or redo", step.Do)
	}
	for _, file := range files {
		if err := act(file); err != nil {
			return set.Outcome{}, err
		}
	}
	what := step.Do + " " + plural(len(files))
	if step.Do == "move" {
		what += " to " + step.To
	}
	change.Say(what)
	return change.Commit()
}

func plural(n int) string {
	if n == 1 {
		return "1 picture"
	}
	return fmt.Sprintf("%d pictures", n)
}

func (c *Catalogue) files(step Step) ([]string, error) {
	if len(step.IDs) == 0 {
		return step.Files, nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	var files []string
	for _, id := range step.IDs {
		if id < 0 || id >= len(c.items) {
			return nil, fmt.Errorf("there is no picture number %d", id)
		}
		if c.items[id].File == "" {
			return nil, errors.New("the picture is gone; load the page again")
		}
		files = append(files, c.items[id].File)
	}
	return files, nil
}

// follow brings the items to where an outcome put their files.
func (c *Catalogue) follow(outcome set.Outcome) Stepped {
	c.mu.Lock()
	defer c.mu.Unlock()
	moved := map[int]*Item{}
	for _, move := range outcome.Moves {
		item := c.byFile[move.From]
		if item == nil {
			continue
		}
		delete(c.byFile, move.From)
		item.place(move.To)
		c.byFile[move.To] = item
		moved[item.ID] = item
	}
	if len(outcome.Skipped) > 0 { // someone else has moved files: believe the disk
		for _, item := range moved {
			if _, err := c.set.Root().Lstat(item.File); err != nil {
				c.recover(item, outcome)
			}
		}
	}
	c.version++
	stepped := Stepped{Outcome: outcome, Version: c.version}
	for _, item := range moved {
		stepped.Changes = append(stepped.Changes, Change{item.ID, item.File, item.Class, item.Trashed, item.Loss})
	}
	return stepped
}

// recover puts an item whose move was not made back where its file is, or notes that it is gone.
func (c *Catalogue) recover(item *Item, outcome set.Outcome) {
	delete(c.byFile, item.File)
	for _, move := range outcome.Moves {
		if move.To != item.File {
			continue
		}
		if _, err := c.set.Root().Lstat(move.From); err == nil {
			item.place(move.From)
			c.byFile[item.File] = item
			return
		}
	}
	item.File, item.Trashed = "", false
}
