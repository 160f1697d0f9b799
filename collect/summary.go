package collect

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Summary is what a set holds after a run and why it does not hold the rest. Its JSON form is what collect --json prints.
type Summary struct {
	Set     string                   `json:"set"`
	Classes map[string]ClassSummary  `json:"classes"`
	Sources map[string]SourceSummary `json:"sources"`
	Bytes   int64                    `json:"bytes"` // downloaded in this run
	Seconds float64                  `json:"seconds"`
}

// ClassSummary counts one class over all runs: Found is Kept and everything in Dropped.
type ClassSummary struct {
	Wanted  int            `json:"wanted"`
	Found   int            `json:"found"`
	Kept    int            `json:"kept"`
	New     int            `json:"new"`     // kept in this run
	Dropped map[string]int `json:"dropped"` // by reason
	Across  int            `json:"across_classes"`
}

// SourceSummary is how a source fared in this run.
type SourceSummary struct {
	Pages int    `json:"pages"`
	Error string `json:"error,omitempty"`
}

func (r *run) summary(took time.Duration) *Summary {
	s := &Summary{Set: r.options.Into, Classes: map[string]ClassSummary{}, Sources: r.sources, Bytes: r.bytes.Load(), Seconds: took.Seconds()}
	for _, class := range r.options.Classes {
		s.Classes[class] = r.tally(class)
	}
	return s
}

// tally counts a class by what the set remembers.
func (r *run) tally(class string) ClassSummary {
	c := ClassSummary{Wanted: r.options.Max, New: r.added[class], Dropped: map[string]int{}}
	recorded := map[string]bool{}
	for _, record := range r.set.Records() {
		if record.Class != class {
			continue
		}
		recorded[record.URL] = true
		switch {
		case record.InTrash():
			c.Dropped[ThrownOut]++
		case record.Removed:
			c.Dropped[RemovedByHand]++
		default:
			c.Kept++
		}
	}
	for _, drop := range r.set.Drops(class) {
		if recorded[drop.URL] {
			continue
		}
		c.Dropped[drop.Reason]++
		if of, _, inClass := strings.Cut(drop.Of, "/"); inClass && of != class && (drop.Reason == Duplicate || drop.Reason == NearDuplicate) {
			c.Across++
		}
	}
	c.Found = c.Kept
	for _, n := range c.Dropped {
		c.Found += n
	}
	return c
}

func (s *Summary) total() (kept int) {
	for _, class := range s.Classes {
		kept += class.Kept
	}
	return kept
}

// reasonWords says reasons for people.
var reasonWords = map[string]string{
	Duplicate: "duplicate", NearDuplicate: "near duplicate", TooSmall: "too small", TooManyPixels: "too many pixels",
	ThrownOut: "thrown out", RemovedByHand: "removed by hand", "noai": "asked not to be collected", "private_address": "private address",
	"too_slow": "too slow", "too_large": "too large", "bad_address": "bad address",
}

// Print writes the summary as a table for people.
func (s *Summary) Print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "class\twanted\tfound\tkept\tnew\tdropped")
	across := 0
	for _, name := range slices.Sorted(maps.Keys(s.Classes)) {
		c := s.Classes[name]
		across += c.Across
		var dropped []string
		for _, reason := range slices.Sorted(maps.Keys(c.Dropped)) {
			word := reasonWords[reason]
			if word == "" {
				word = strings.ReplaceAll(reason, "_", " ")
			}
			dropped = append(dropped, fmt.Sprintf("%d %s", c.Dropped[reason], word))
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\n", Printable(name), c.Wanted, c.Found, c.Kept, c.New, strings.Join(dropped, ", "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if across > 0 {
		fmt.Fprintf(w, "found for a second class too, and kept in the first only: %d\n", across)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		if s.Sources[name].Error != "" {
			fmt.Fprintf(w, "%s stopped early: %s\n", Printable(name), s.Sources[name].Error)
		}
	}
	_, err := fmt.Fprintf(w, "%d pictures in %s, %.1f MB downloaded in %.0f s\n", s.total(), Printable(s.Set), float64(s.Bytes)/1e6, s.Seconds)
	return err
}
