package data

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// csvFiles are pictures named by a list: relative to the list or absolute.
type csvFiles struct{ dir string }

func (c csvFiles) folder(path string) (folder, string) {
	if filepath.IsAbs(path) {
		return folder{"/"}, path
	}
	return folder{c.dir}, path
}

func (c csvFiles) open(path string) (file, error) {
	f, p := c.folder(path)
	return f.open(p)
}

func (c csvFiles) read(path string) ([]byte, error) { return c.readInto(nil, path) }

func (c csvFiles) readInto(b []byte, path string) ([]byte, error) {
	f, p := c.folder(path)
	return f.readInto(b, p)
}

func (c csvFiles) identity(path string) (string, error) {
	f, p := c.folder(path)
	return f.identity(p)
}

func (csvFiles) close() error { return nil }

// listCSV lists a .csv of path,label[,split]. A first line of names tells the
// columns, whatever their order; without one the order is that.
func listCSV(ctx context.Context, source string) (*listing, error) {
	f, err := os.Open(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, plain(err))
	}
	defer f.Close()
	comma := ','
	if strings.EqualFold(filepath.Ext(source), ".tsv") {
		comma = '\t'
	}
	l, err := readCSV(ctx, f, comma)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	l.files = csvFiles{filepath.Dir(source)}
	return l, nil
}

// columns says where a list has its values; split is -1 where it has none.
type columns struct{ path, label, split int }

// heading reads the first line of a list; ok is false when it is no heading.
func heading(row []string) (c columns, ok bool) {
	c = columns{-1, -1, -1}
	for i, name := range row {
		at := (*int)(nil)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "path", "file", "filename", "file_name", "image", "picture":
			at = &c.path
		case "label", "class", "category", "target":
			at = &c.label
		case "split", "set", "subset", "is_valid":
			at = &c.split
		default:
			continue
		}
		if *at < 0 {
			*at = i
		}
	}
	return c, c.path >= 0 && c.label >= 0
}

func readCSV(ctx context.Context, r io.Reader, comma rune) (*listing, error) {
	l := &listing{}
	rows := csv.NewReader(r)
	rows.Comma = comma
	rows.FieldsPerRecord = -1
	rows.ReuseRecord = true
	col := columns{0, 1, 2}
	type seen struct{ line, class int }
	byPath := map[string]seen{}
	classOf := map[string]int{}
	withSplit, without := 0, 0
	for first := true; ; first = false {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err // names the line
		}
		line, _ := rows.FieldPos(0)
		if first {
			row[0] = strings.TrimPrefix(row[0], "\uFEFF")
			if c, ok := heading(row); ok {
				col = c
				continue
			}
		}
		if len(row) <= max(col.path, col.label) {
			return nil, fmt.Errorf("line %d has %d fields; path%clabel or path%clabel%csplit is needed", line, len(row), comma, comma, comma)
		}
		path, label := cleanPath(row[col.path]), strings.TrimSpace(row[col.label])
		if path == "" || label == "" {
			return nil, fmt.Errorf("line %d: the path or the label is empty", line)
		}
		e := entry{path: path}
		if col.split >= 0 && col.split < len(row) && strings.TrimSpace(row[col.split]) != "" {
			word := strings.TrimSpace(row[col.split])
			if e.part = csvPart(word); e.part == partUnknown {
				return nil, fmt.Errorf("line %d: the split is %q, not train, valid or test", line, word)
			}
			withSplit = line
		} else {
			without = line
		}
		c, ok := classOf[label]
		if !ok {
			c = len(l.classes)
			classOf[label] = c
			l.classes = append(l.classes, label)
		}
		e.class = c
		if s, twice := byPath[path]; twice {
			if s.class != c {
				return nil, fmt.Errorf("line %d calls %s %s, line %d calls it %s; one label for each picture", line, Printable(path), Printable(label), s.line, Printable(l.classes[s.class]))
			}
			l.skipped = append(l.skipped, Skipped{path, fmt.Sprintf("listed twice, in lines %d and %d", s.line, line)})
			continue
		}
		byPath[path] = seen{line, c}
		l.entries = append(l.entries, e)
	}
	if withSplit > 0 && without > 0 {
		return nil, fmt.Errorf("line %d names a split and line %d does not; name it in all lines or in none", withSplit, without)
	}
	if len(l.entries) == 0 {
		return nil, errors.New("the list is empty; it needs lines of path,label or path,label,split")
	}
	if len(l.classes) == 1 {
		return nil, fmt.Errorf("every picture has the label %s, but two labels at least are needed", Printable(l.classes[0]))
	}
	return l, nil
}

// csvPart reads the value of a split column, also fastai's is_valid.
func csvPart(word string) part {
	switch strings.ToLower(word) {
	case "true", "1":
		return partValid
	case "false", "0":
		return partTrain
	}
	return partOf(word)
}

// cleanPath makes a path of a list slash-separated and free of detours.
func cleanPath(p string) string {
	p = strings.TrimSpace(p)
	if p == "" || strings.ContainsRune(p, 0) {
		return ""
	}
	return filepath.ToSlash(filepath.Clean(p))
}

// classNames reads one class name a line from the first of the named files
// that exists.
func classNames(names ...string) []string {
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimRight(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n"), "\n")
		return slices.DeleteFunc(lines, func(s string) bool { return strings.TrimSpace(s) == "" })
	}
	return nil
}
