// Package whole writes files from a stream such that they are whole or absent.
package whole

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
)

// Write replaces the file at path with what fill writes, by atomicfile.Replace:
// when fill or the disk fails, the old file stays and nothing else is left.
func Write(path string, fill func(w io.Writer) error) error {
	err := atomicfile.Replace(path, func(temporary string) error {
		f, err := os.Create(temporary)
		if err != nil {
			return err
		}
		buffered := bufio.NewWriterSize(f, 1<<16)
		err = fill(buffered)
		if err == nil {
			err = buffered.Flush()
		}
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	return nil
}
