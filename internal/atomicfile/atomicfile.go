// Package atomicfile replaces files so that a reader, or a crash, sees the old
// content or the new one and nothing between.
package atomicfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write replaces path with data; see Replace.
func Write(path string, data []byte) error {
	return Replace(path, func(temporary string) error { return os.WriteFile(temporary, data, 0o644) })
}

// WriteJSON replaces path with value as indented JSON.
func WriteJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return Write(path, append(text, '\n'))
}

// Replace has write fill a temporary file beside path, forces it to the disk,
// renames it to path and forces the folder to the disk. When any step fails,
// path keeps what it had and the temporary file is gone.
func Replace(path string, write func(temporary string) error) (err error) {
	temporary := fmt.Sprintf("%s.tmp-%d", path, os.Getpid())
	defer func() {
		if err != nil {
			err = errors.Join(err, removeIfThere(temporary))
		}
	}()
	if err := write(temporary); err != nil {
		return err
	}
	if err := sync(temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return sync(filepath.Dir(path))
}

// sync forces a file's or folder's content to the disk.
func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
