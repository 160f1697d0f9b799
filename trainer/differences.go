package trainer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wangkuiyi/orrery/data"
)

// A Change is a kind of difference between a checkpoint and the run that is to
// continue it.
type Change string

// The kinds of changes that a resumed run refuses unless it was asked to accept
// them, and All of them.
const (
	ChangedData    Change = "data"    // pictures came, went or moved
	ChangedClasses Change = "classes" // as many classes, other names
	ChangedRecipe  Change = "recipe"
	ChangedCode    Change = "code"  // another build of this program
	ChangedWorld   Change = "world" // another number of processes
	AllChanges     Change = "all"
)

// Changes lists the words of ParseChanges.
func Changes() []Change {
	return []Change{ChangedData, ChangedClasses, ChangedRecipe, ChangedCode, ChangedWorld, AllChanges}
}

// ParseChanges reads kinds of changes.
func ParseChanges(words []string) ([]Change, error) {
	var names []string
	for _, c := range Changes() {
		names = append(names, string(c))
	}
	var changes []Change
	for _, word := range words {
		if !slices.Contains(names, word) {
			return nil, fmt.Errorf("%q is no kind of change; it must be one of %s%s", word, strings.Join(names, ", "), suggest(word, names))
		}
		changes = append(changes, Change(word))
	}
	return changes, nil
}

// A difference is one thing that is not as it was when the checkpoint was written.
type difference struct {
	kind Change
	text string
}

// Fits refuses to continue with another set of pictures, recipe, code or world
// size than the checkpoint's, listing what differs, except for changes that are
// accepted; those it returns in words. Another number of classes never fits.
func (c *Checkpoint) Fits(set *data.Dataset, recipe Recipe, commit string, world int, accepted ...Change) (announced []string, err error) {
	if len(c.Classes) != len(set.Classes) {
		return nil, fmt.Errorf("%s was trained on the %d classes %s, but %s has the %d classes %s; start a new run",
			c.path, len(c.Classes), strings.Join(c.Classes, ", "), set.Source, len(set.Classes), strings.Join(set.Classes, ", "))
	}
	var refused, kinds []string
	for _, d := range c.differences(set, recipe, commit, world) {
		if slices.Contains(accepted, d.kind) || slices.Contains(accepted, AllChanges) {
			announced = append(announced, d.text)
			continue
		}
		refused = append(refused, d.text)
		if !slices.Contains(kinds, string(d.kind)) {
			kinds = append(kinds, string(d.kind))
		}
	}
	if len(refused) > 0 {
		return nil, fmt.Errorf("%s does not fit this run: %s; start a new run, restore what changed, or continue nevertheless with --accept-changes %s",
			c.path, strings.Join(refused, "; "), strings.Join(kinds, ","))
	}
	return announced, nil
}

func (c *Checkpoint) differences(set *data.Dataset, recipe Recipe, commit string, world int) []difference {
	var list []difference
	add := func(kind Change, format string, args ...any) {
		list = append(list, difference{kind, fmt.Sprintf(format, args...)})
	}
	switch {
	case !slices.Equal(c.Classes, set.Classes):
		add(ChangedClasses, "the classes were %s, %s has %s", strings.Join(c.Classes, ", "), set.Source, strings.Join(set.Classes, ", "))
	case c.Fingerprint != fingerprint(set):
		add(ChangedData, "it was trained on other pictures than the %d that %s holds now", len(set.Samples), set.Source)
	}
	for _, change := range recipeChanges(c.header.Recipe, recipe) {
		add(ChangedRecipe, "%s", change)
	}
	if c.Commit != commit {
		add(ChangedCode, "the code was %s, is %s", short(c.Commit), short(commit))
	}
	if c.World != world {
		add(ChangedWorld, "%d processes trained, now it is %d", c.World, world)
	}
	return list
}

// short is a commit's first digits.
func short(commit string) string { return commit[:min(12, len(commit))] }

// recipeChanges lists the keys on which two recipes differ, where it matters
// to what is computed.
func recipeChanges(old, now Recipe) []string {
	now.Data, now.Workers, now.Device, now.AMP = old.Data, old.Workers, old.Device, old.AMP
	was, is := valuesByKey(old), valuesByKey(now)
	var changes []string
	for _, key := range recipeKeys() {
		if was[key] != is[key] {
			changes = append(changes, fmt.Sprintf("%s was %s, is %s", key, orNone(was[key]), orNone(is[key])))
		}
	}
	return changes
}

func valuesByKey(r Recipe) map[string]string {
	keys, values := keysAndValues(r)
	all := map[string]string{}
	for i, key := range keys {
		all[key] = values[i]
	}
	return all
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// otherMachine tells in words how this machine differs from the one the
// checkpoint was written on: the last bits of the result may then differ.
func (c *Checkpoint) otherMachine(now machine) []string {
	was := c.Machine
	var changes []string
	for _, d := range []struct{ what, was, is string }{
		{"libtorch", was.Libtorch, now.Libtorch},
		{"device", was.Device, now.Device},
		{"threads", fmt.Sprint(was.Threads), fmt.Sprint(now.Threads)},
		{"instruction set", was.Instructions, now.Instructions},
	} {
		if d.was != d.is {
			changes = append(changes, fmt.Sprintf("%s was %s, is %s", d.what, d.was, d.is))
		}
	}
	return changes
}
