package set

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Picture is one picture file of a set.
type Picture struct {
	File    string // slash-separated, relative to the set; in the trash it begins with .trash/
	Bytes   int64
	ModTime int64 // nanoseconds since 1970
}

// pictureExtensions are the file names taken for pictures; whether they are is seen when they are read.
var pictureExtensions = map[string]bool{".jpg": true, ".jpeg": true, ".jpe": true, ".jfif": true, ".png": true, ".gif": true,
	".webp": true, ".bmp": true, ".tif": true, ".tiff": true}

// IsPictureName tells whether a file name ends like a picture's.
func IsPictureName(name string) bool { return pictureExtensions[strings.ToLower(path.Ext(name))] }

// Scan lists the pictures in class folders and in the trash, in lexical order of their paths. Links are not followed
// and hidden folders not entered.
func (s *Set) Scan() ([]Picture, error) {
	var pictures []Picture
	walk := func(folder string) error {
		return fs.WalkDir(s.root.FS(), folder, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if name != folder && strings.HasPrefix(entry.Name(), ".") {
					return fs.SkipDir
				}
				return nil
			}
			if !entry.Type().IsRegular() || ClassOf(name) == "" || strings.HasPrefix(entry.Name(), ".") || !IsPictureName(name) {
				return nil
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			pictures = append(pictures, Picture{File: name, Bytes: info.Size(), ModTime: info.ModTime().UnixNano()})
			return nil
		})
	}
	if err := walk("."); err != nil {
		return nil, fmt.Errorf("picture set %s: %w", s.dir, err)
	}
	if err := walk(TrashDir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("picture set %s: %w", s.dir, err)
	}
	return pictures, nil
}

// EmptyTrash destroys the pictures in the trash and, since they can no longer come back, forgets the steps that could
// be undone. It returns how many pictures went. The manifest keeps what they were, so that they are not collected again.
func (s *Set) EmptyTrash() (int, error) {
	pictures, err := s.Scan()
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.records {
		if file := s.records[i].File; strings.HasPrefix(file, TrashDir+"/") {
			s.records[i].Trashed, s.records[i].File = true, ""
			delete(s.byFile, file)
		}
	}
	s.stale = true
	if err := s.flush(); err != nil {
		return 0, err
	}
	s.journal.close()
	if err := writeLines[Entry](s.root, journalName, nil); err != nil {
		return 0, err
	}
	_, s.journal, err = openLog[Entry](s.root, journalName)
	if err != nil {
		return 0, err
	}
	s.steps, s.undone = nil, nil
	count := 0
	for _, p := range pictures {
		if !strings.HasPrefix(p.File, TrashDir+"/") {
			continue
		}
		if err := s.root.Remove(p.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return count, err
		}
		count++
	}
	return count, s.root.RemoveAll(TrashDir)
}
