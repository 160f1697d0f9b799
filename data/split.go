package data

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// RandomSplit splits 0..n-1 as fastai's RandomSplitter does: it seeds
// PyTorch's generator, draws torch.randperm(n) and takes the first
// int(validPct*n) indices for validation, the rest for training, both in the
// permutation's order.
func RandomSplit(n int, validPct float64, seed int64) (train, valid []int) {
	perm := Randperm(n, seed)
	cut := int(validPct * float64(n))
	cut = min(max(cut, 0), n)
	return perm[cut:], perm[:cut:cut]
}

// Split returns the split the source brings, or else RandomSplit of all
// samples. A side without a sample is an error.
func (d *Dataset) Split(validPct float64, seed int64) (train, valid []int, err error) {
	if d.Train != nil || d.Valid != nil {
		train, valid = d.Train, d.Valid
	} else {
		if !(validPct > 0 && validPct < 1) {
			return nil, nil, fmt.Errorf("valid-pct %v: give a fraction between 0 and 1, such as 0.2", validPct)
		}
		train, valid = RandomSplit(len(d.Samples), validPct, seed)
	}
	if len(train) == 0 || len(valid) == 0 {
		return nil, nil, fmt.Errorf("%s: the split leaves %d pictures to train on and %d to validate on; add pictures or change valid-pct (now %v of %d)",
			d.Source, len(train), len(valid), validPct, len(d.Samples))
	}
	return train, valid, nil
}

// SplitFile reads an explicit split: one line "path,train" or "path,valid"
// for each sample, paths as in Samples; a first line "path,split" is a
// heading, blank lines and lines from # on are ignored. Samples that are not
// named take no part. An unknown path, a path named twice, another word than
// train or valid and a side without a sample are errors naming the line.
func (d *Dataset) SplitFile(name string) (train, valid []int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, plain(err))
	}
	defer f.Close()
	train, valid, err = d.readSplit(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return train, valid, nil
}

func (d *Dataset) readSplit(r io.Reader) (train, valid []int, err error) {
	index := make(map[string]int, len(d.Samples))
	for i, s := range d.Samples {
		index[s.Path] = i
	}
	skipped := map[string]bool{}
	for _, s := range d.Skipped {
		skipped[s.Path] = true
	}
	seen := map[int]int{}
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for line := 1; sc.Scan(); line++ {
		t := strings.TrimSpace(strings.TrimPrefix(sc.Text(), "\uFEFF"))
		if t == "" || strings.HasPrefix(t, "#") || line == 1 && strings.EqualFold(t, "path,split") {
			continue
		}
		cut := strings.LastIndexByte(t, ',')
		if cut < 0 {
			return nil, nil, fmt.Errorf("line %d: %q is not path,train or path,valid", line, t)
		}
		path, word := strings.Trim(strings.TrimSpace(t[:cut]), `"`), strings.TrimSpace(t[cut+1:])
		i, ok := index[path]
		if !ok {
			if skipped[path] { // unreadable, and on the list of such
				continue
			}
			return nil, nil, fmt.Errorf("line %d: %s is not in %s", line, Printable(path), d.Source)
		}
		if first, twice := seen[i]; twice {
			return nil, nil, fmt.Errorf("line %d: %s was named in line %d already", line, Printable(path), first)
		}
		seen[i] = line
		switch partOf(word) {
		case partTrain:
			train = append(train, i)
		case partValid, partTest:
			valid = append(valid, i)
		default:
			return nil, nil, fmt.Errorf("line %d: the split of %s is %q, not train or valid", line, Printable(path), word)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, nil, err
	}
	if len(train) == 0 || len(valid) == 0 {
		return nil, nil, fmt.Errorf("it names %d pictures to train on and %d to validate on; both are needed", len(train), len(valid))
	}
	return train, valid, nil
}

// partOf reads the word for a side of a split.
func partOf(word string) part {
	switch strings.ToLower(word) {
	case "train", "training":
		return partTrain
	case "valid", "val", "validation":
		return partValid
	case "test", "testing":
		return partTest
	}
	return partUnknown
}

// settleTest decides what test pictures are for: they validate where nothing
// else does. It returns the entries that take part and the number of those
// that do not.
func settleTest(entries []entry) ([]entry, int) {
	valid := slices.ContainsFunc(entries, func(e entry) bool { return e.part == partValid })
	left := 0
	kept := entries[:0]
	for _, e := range entries {
		if e.part == partTest {
			if valid {
				left++
				continue
			}
			e.part = partValid
		}
		kept = append(kept, e)
	}
	return kept, left
}

// sides tells whether names, folders that hold folders, are the two sides of a
// split rather than classes.
func sides(names []string) bool {
	var train, other bool
	for _, n := range names {
		switch partOf(n) {
		case partTrain:
			train = true
		case partValid, partTest:
			other = true
		default:
			return false
		}
	}
	return train && other
}
