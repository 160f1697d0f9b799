package clean

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/wangkuiyi/orrery/collect"
	"github.com/wangkuiyi/orrery/collect/set"
)

// ListOptions say what List lists.
type ListOptions struct {
	View
	Predictions *Predictions        // nil for none
	Progress    func(done, all int) // while pictures are read, nil for silence
}

// List returns the pictures of a set in a view.
func List(ctx context.Context, dir string, o ListOptions) ([]Item, error) {
	if err := o.View.Check(); err != nil {
		return nil, err
	}
	s, err := set.Open(dir, set.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	c, err := OpenCatalogue(s, o.Predictions)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if o.Progress == nil {
		o.Progress = func(int, int) {}
	}
	if err := c.Measure(ctx, 0, o.Progress); err != nil {
		return nil, err
	}
	if err := c.Predict(ctx, o.Progress); err != nil {
		return nil, err
	}
	c.findPairs()
	items, _ := c.Items(o.View)
	return items, nil
}

// Close releases what the catalogue holds, the set excepted.
func (c *Catalogue) Close() error { return c.thumbs.close() }

// Applied is what Apply did.
type Applied struct {
	Steps   int      `json:"steps"` // that Undo can take back
	Moved   int      `json:"moved"`
	Skipped []string `json:"skipped,omitempty"`
}

// command is one line of a list for Apply.
type command struct {
	line int
	Step
}

// Apply makes the steps that r lists, one a line: words parted by tabs, or by spaces where there is no tab, or a Step as JSON.
//
//	trash    earth/001_8f3a0c11.jpg
//	restore  .trash/earth/001_8f3a0c11.jpg
//	move     earth/002_77b1d2e0.jpg  mars
//	rename   mars  red-planet
//	undo
//	redo
//
// Lines up to an undo or redo are one step: all of it is made or, when a line is wrong, nothing of it.
func Apply(dir string, r io.Reader) (Applied, error) {
	var applied Applied
	commands, err := readCommands(r)
	if err != nil {
		return applied, err
	}
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		return applied, err
	}
	defer s.Close()
	for len(commands) > 0 {
		var outcome set.Outcome
		switch commands[0].Do {
		case "undo":
			outcome, err = s.Undo()
			commands = commands[1:]
		case "redo":
			outcome, err = s.Redo()
			commands = commands[1:]
		default:
			n := 0
			for n < len(commands) && commands[n].Do != "undo" && commands[n].Do != "redo" {
				n++
			}
			outcome, err = applyTogether(s, commands[:n])
			commands = commands[n:]
		}
		applied.Moved += outcome.Moved
		applied.Skipped = append(applied.Skipped, outcome.Skipped...)
		if outcome.Seq != 0 {
			applied.Steps++
		}
		if err != nil {
			return applied, err
		}
	}
	return applied, s.Flush()
}

func applyTogether(s *set.Set, commands []command) (set.Outcome, error) {
	change := s.Begin("apply")
	for _, c := range commands {
		var err error
		for _, file := range c.Files {
			switch c.Do {
			case "trash":
				err = errors.Join(err, change.Trash(file))
			case "restore":
				err = errors.Join(err, change.Restore(file))
			case "move":
				err = errors.Join(err, change.MoveTo(file, c.To))
			}
		}
		if c.Do == "rename" {
			err = change.Rename(c.Class, c.To)
		}
		if err != nil {
			return set.Outcome{}, fmt.Errorf("line %d: %w; nothing was changed", c.line, err)
		}
	}
	change.Say(fmt.Sprintf("apply %d lines", len(commands)))
	return change.Commit()
}

func readCommands(r io.Reader) ([]command, error) {
	var commands []command
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4<<20)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		c := command{line: n}
		var err error
		if strings.HasPrefix(text, "{") {
			err = json.Unmarshal([]byte(text), &c.Step)
		} else {
			c.Step, err = parseStep(text)
		}
		if err == nil {
			err = c.check()
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w; nothing was changed", n, err)
		}
		commands = append(commands, c)
	}
	return commands, lines.Err()
}

func parseStep(text string) (Step, error) {
	words := strings.Fields(text)
	if strings.Contains(text, "\t") {
		words = strings.FieldsFunc(text, func(r rune) bool { return r == '\t' })
	}
	step := Step{Do: strings.TrimSpace(words[0])}
	arguments := words[1:]
	want := map[string]int{"trash": 1, "restore": 1, "move": 2, "rename": 2}[step.Do]
	if len(arguments) != want {
		return step, fmt.Errorf("%q takes %d words and got %d; part names that hold spaces by tabs", step.Do, want, len(arguments))
	}
	switch step.Do {
	case "trash", "restore":
		step.Files = arguments
	case "move":
		step.Files, step.To = arguments[:1], arguments[1]
	case "rename":
		step.Class, step.To = arguments[0], arguments[1]
	}
	return step, nil
}

func (c command) check() error {
	switch c.Do {
	case "undo", "redo":
		return nil
	case "rename":
		if c.Class != "" && c.To != "" {
			return nil
		}
		return errors.New("rename wants a class and its new name")
	case "trash", "restore", "move":
		if len(c.Files) > 0 && len(c.IDs) == 0 && (c.Do != "move" || c.To != "") {
			return nil
		}
		return fmt.Errorf("%s wants files, and move a class", c.Do)
	}
	return fmt.Errorf("%q is nothing that can be done; choose trash, restore, move, rename, undo or redo", c.Do)
}

// EmptyTrash destroys the pictures in the trash of a set for good and returns how many there were. Steps made before
// can no longer be undone.
func EmptyTrash(dir string) (int, error) {
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	return s.EmptyTrash()
}

// Print writes pictures one a line, their facts parted by tabs: file, width x height, bytes, sharpness, group of near duplicates,
// prediction, and why it cannot be read. A file name that holds control characters is written with escapes; use JSON to get it as it is.
func Print(w io.Writer, items []Item) error {
	out := bufio.NewWriter(w)
	for _, item := range items {
		predicted := ""
		if item.Predicted != "" {
			predicted = fmt.Sprintf("%s %.3f", item.Predicted, item.Probability)
		}
		fmt.Fprintf(out, "%s\t%dx%d\t%d\t%.1f\t%d\t%s\t%s\n", collect.Printable(item.File), item.Width, item.Height, item.Bytes, item.Sharpness, item.Group,
			collect.Printable(predicted), collect.Printable(item.Bad))
	}
	return out.Flush()
}
