package source

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// List offers addresses from a file instead of a service.
type List struct {
	name       string
	candidates []Candidate
}

// listPage is how many candidates of a list come at once.
const listPage = 100

// Name returns what the list was called.
func (l *List) Name() string { return l.name }

// Classes returns the labels of the list, sorted.
func (l *List) Classes() []string {
	var classes []string
	for _, candidate := range l.candidates {
		if candidate.Class != "" && !slices.Contains(classes, candidate.Class) {
			classes = append(classes, candidate.Class)
		}
	}
	slices.Sort(classes)
	return classes
}

// Page returns the next addresses of the query's class, and those without a label; the cursor counts them.
func (l *List) Page(_ context.Context, query Query, cursor string) ([]Candidate, string, error) {
	at := 0
	if cursor != "" {
		var err error
		if at, err = strconv.Atoi(cursor); err != nil || at < 0 {
			return nil, "", fmt.Errorf("%s: %q is not a place in the list", l.name, cursor)
		}
	}
	var page []Candidate
	for at < len(l.candidates) && len(page) < listPage {
		candidate := l.candidates[at]
		at++
		if candidate.Class == "" || candidate.Class == query.Class {
			candidate.Query = query.Text
			page = append(page, candidate)
		}
	}
	if at < len(l.candidates) {
		return page, strconv.Itoa(at), nil
	}
	return page, "", nil
}

// ReadCSV reads a list with the columns URL and label, in any order when a header line names them.
// Columns title, author, license, license_url and page are read too.
func ReadCSV(r io.Reader, name string) (*List, error) {
	reader := csv.NewReader(r)
	reader.FieldsPerRecord = -1
	reader.TrimLeadingSpace = true
	columns := map[string]int{"url": 0, "label": 1}
	list := &List{name: name}
	for row := 1; ; row++ {
		fields, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		fields[0] = strings.TrimPrefix(fields[0], "\ufeff")
		if row == 1 {
			if header, err := csvHeader(fields); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			} else if header != nil {
				columns = header
				continue
			}
		}
		field := func(column string) string {
			if at, there := columns[column]; there && at < len(fields) {
				return strings.TrimSpace(fields[at])
			}
			return ""
		}
		if field("url") == "" || field("label") == "" {
			return nil, fmt.Errorf("%s: row %d lacks a URL or a label", name, row)
		}
		list.candidates = append(list.candidates, Candidate{URL: field("url"), Class: field("label"), Title: field("title"),
			Author: field("author"), License: field("license"), LicenseURL: field("license_url"), Page: field("page"), Source: name})
	}
	return list, nil
}

// csvHeader returns the columns a first row names, or nil when it is a row of the list.
func csvHeader(fields []string) (map[string]int, error) {
	columns := map[string]int{}
	for i, field := range fields {
		columns[strings.ToLower(strings.TrimSpace(field))] = i
	}
	if at, named := columns["class"]; named {
		columns["label"] = at
	}
	_, address := columns["url"]
	_, label := columns["label"]
	if address && label {
		return columns, nil
	}
	if address || label || !strings.Contains(fields[0], "://") {
		return nil, fmt.Errorf("the first row is neither a header with the columns URL and label nor an address with a label")
	}
	return nil, nil
}

// ReadURLs reads a list of one address a line for a class. Empty lines and lines that begin with # are left out.
func ReadURLs(r io.Reader, name, class string) (*List, error) {
	list := &List{name: name}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<10)
	for lines.Scan() {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line != "" && !strings.HasPrefix(line, "#") {
			list.candidates = append(list.candidates, Candidate{URL: line, Class: class, Source: name})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}
