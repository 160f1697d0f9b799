package set

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// readLines decodes a file of JSON lines. A last line without its newline is what a killed process leaves: it is
// dropped unless it is whole. whole is the length up to the last good line, newline says whether that line lacks one.
func readLines[T any](root *os.Root, name string) (entries []T, whole int64, newline bool, err error) {
	data, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, false, nil
	}
	if err != nil {
		return nil, 0, false, err
	}
	for n := 1; len(data) > 0; n++ {
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		var entry T
		if len(bytes.TrimSpace(line)) > 0 {
			if err := json.Unmarshal(line, &entry); err != nil {
				if !ended {
					return entries, whole, false, nil
				}
				return nil, 0, false, fmt.Errorf("%s: line %d is not a line of JSON as Orrery writes it (%v); mend or remove the line", name, n, err)
			}
			entries = append(entries, entry)
		}
		whole += int64(len(line))
		if !ended {
			return entries, whole, true, nil
		}
		whole++
		data = rest
	}
	return entries, whole, false, nil
}

// appendLog is a file of JSON lines open for appending.
type appendLog[T any] struct {
	file   *os.File
	size   int64
	broken error // why no more lines may follow: half a line could not be taken back
}

// openLog reads the lines of a file, cuts off a torn last one, and opens it for appending.
func openLog[T any](root *os.Root, name string) ([]T, *appendLog[T], error) {
	entries, whole, newline, err := readLines[T](root, name)
	if err != nil {
		return nil, nil, err
	}
	file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, nil, err
	}
	err = file.Truncate(whole)
	if err == nil && newline {
		_, err = file.WriteAt([]byte("\n"), whole)
		whole++
	}
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return entries, &appendLog[T]{file: file, size: whole}, nil
}

// add appends entries in one write: all of them or, when the disk is full, none. It does not sync.
func (l *appendLog[T]) add(entries ...T) error {
	if l.broken != nil {
		return l.broken
	}
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, entry := range entries {
		if err := encoder.Encode(entry); err != nil {
			return err
		}
	}
	if _, err := l.file.WriteAt(lines.Bytes(), l.size); err != nil {
		l.broken = l.file.Truncate(l.size)
		return err
	}
	l.size += int64(lines.Len())
	return nil
}

func (l *appendLog[T]) sync() error { return l.file.Sync() }

func (l *appendLog[T]) close() error { return l.file.Close() }

// writeLines replaces a file of JSON lines as a whole: readers see the old one or the new one.
func writeLines[T any](root *os.Root, name string, entries []T) error {
	temporary := tmpDir + "/replace-" + fmt.Sprint(os.Getpid()) + ".jsonl"
	file, err := root.OpenFile(temporary, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	log := &appendLog[T]{file: file}
	err = log.add(entries...)
	if err == nil {
		err = log.sync()
	}
	if closing := log.close(); err == nil {
		err = closing
	}
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		root.Remove(temporary)
		return err
	}
	return syncDir(root, parent(name))
}
