// Package atomicfile writes files that are whole or absent: a reader, or a
// machine that loses power, sees the old content or the new, never a part.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Write replaces the file at path with what fill writes. The bytes go to a
// temporary file in the same folder, which is synced and renamed over path;
// then the folder is synced, so that the name survives too. When fill or the
// disk fails, the old file stays and the temporary one is removed.
func Write(path string, fill func(w io.Writer) error) (err error) {
	suffix := make([]byte, 6)
	if _, err := rand.Read(suffix); err != nil {
		return fmt.Errorf("cannot name a temporary file for %s: %w", path, err)
	}
	folder := filepath.Dir(path)
	temporary := filepath.Join(folder, "."+filepath.Base(path)+"."+hex.EncodeToString(suffix)+".tmp")
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // a second close is harmless
			_ = os.Remove(temporary)
		}
	}()
	buffered := bufio.NewWriterSize(f, 1<<16)
	if err := fill(buffered); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return syncFolder(folder)
}

// WriteBytes is Write for content that is already in memory.
func WriteBytes(path string, content []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("cannot sync folder %s: %w", folder, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("cannot sync folder %s: %w", folder, err)
	}
	return nil
}
