package set

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
)

func parent(name string) string { return path.Dir(name) }

// syncDir makes the renames in a folder last through a power cut. Windows keeps no such promise and needs no call.
func syncDir(root *os.Root, name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := root.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// exists tells whether something, a link included, has this name.
func exists(root *os.Root, name string) bool {
	_, err := root.Lstat(name)
	return err == nil
}

// moveFile renames a file to a name that is free, making the folder. It never overwrites; the set's lock makes the check and the
// rename one step among Orrery's own processes.
func moveFile(root *os.Root, from, to string) error {
	if exists(root, to) {
		return &fs.PathError{Op: "move", Path: to, Err: fs.ErrExist}
	}
	err := root.Rename(from, to)
	if errors.Is(err, fs.ErrNotExist) && exists(root, from) {
		if err := root.MkdirAll(parent(to), 0o755); err != nil {
			return err
		}
		err = root.Rename(from, to)
	}
	return err
}
