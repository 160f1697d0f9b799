package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// files is where the bytes of a set lie.
type files interface {
	// open returns the file at the slash-separated path for reading headers.
	open(path string) (file, error)
	// read returns the whole file.
	read(path string) ([]byte, error)
	// identity returns a text that changes when the file does, without reading
	// it.
	identity(path string) (string, error)
	close() error
}

// refilled is a source of files that can be read into memory used before, which grows where it is too small.
type refilled interface {
	readInto(b []byte, path string) ([]byte, error)
}

// rawPixels is a source whose entries are pixels already, not picture files.
type rawPixels interface {
	header(path string) Header
	picture(p *Picture, path string) error
}

// file is one file opened for reading its header.
type file interface {
	io.ReaderAt
	Size() int64
	Close() error
}

// listing is what a source holds before any file was looked into.
type listing struct {
	files   files
	classes []string  // every class folder, also those without files
	entries []entry   // candidates, in any order
	skipped []Skipped // what the listing itself refused
	stray   int       // files that lie in no class folder
	hint    string    // what to do when there are too few classes
	ordered bool      // classes stand in the order of the source's labels
}

// entry is one candidate: a path and the index of its class.
type entry struct {
	path  string
	class int
	part  part
}

// part is the side of the split an entry belongs to, where the source says.
type part int8

const (
	partUnknown part = iota
	partTrain
	partValid
	partTest // validates where the source has no validation part, else is left out
)

// planetsWord is the name of the built-in set.
const planetsWord = "planets"

// list finds out what source is and lists it.
func list(ctx context.Context, source string, o Options) (*listing, error) {
	if source == planetsWord {
		dir, err := planetsFolder(ctx, o)
		if err != nil {
			return nil, err
		}
		return listFolder(ctx, dir)
	}
	fi, err := os.Stat(source)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf(`%s: no such file or folder; name a folder of class folders, a .zip of one, or the word "planets"`, source)
		}
		return nil, fmt.Errorf("%s: %w", source, plain(err))
	}
	if fi.IsDir() {
		return listDir(ctx, source)
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is neither a folder nor a file", source)
	}
	switch strings.ToLower(filepath.Ext(source)) {
	case ".csv", ".tsv":
		return listCSV(ctx, source)
	}
	kind, err := sniffArchive(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, plain(err))
	}
	switch kind {
	case "zip":
		return listZip(ctx, source)
	case "tar":
		return listTar(ctx, source, []string{source})
	case "gzip", "zstd":
		return nil, fmt.Errorf("%s is packed with %s and cannot be read from the middle; unpack it first", source, kind)
	}
	return nil, fmt.Errorf("%s is a file (%s), but a set is a folder of class folders, a .zip or .tar of one, or a .csv; give the folder", source, kind)
}

// listDir lists a folder: of class folders, or, where it has no folders, of
// tar shards, CIFAR's binary batches or IDX files.
func listDir(ctx context.Context, root string) (*listing, error) {
	dir, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, plain(err))
	}
	var shards []string
	for _, e := range dir {
		name := e.Name()
		switch {
		case junk(name):
		case e.IsDir() || e.Type()&fs.ModeSymlink != 0 && isDir(filepath.Join(root, name)):
			return listFolder(ctx, root)
		case strings.HasSuffix(name, ".tar"):
			shards = append(shards, filepath.Join(root, name))
		case name == "data_batch_1.bin", name == "train.bin":
			return listCIFAR(root)
		case strings.Contains(name, "-idx3-ubyte"):
			return listIDX(root)
		}
	}
	if len(shards) > 0 {
		return listTar(ctx, root, shards)
	}
	return listFolder(ctx, root)
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// sniffArchive names what a file given in place of a folder holds.
func sniffArchive(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, 512)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	b = b[:n]
	switch {
	case n == 0:
		return "empty", nil
	case strings.HasPrefix(string(b), "PK\x03\x04"), strings.HasPrefix(string(b), "PK\x05\x06"):
		return "zip", nil
	case n >= 262 && string(b[257:262]) == "ustar":
		return "tar", nil
	case strings.HasPrefix(string(b), "\x1f\x8b"):
		return "gzip", nil
	case strings.HasPrefix(string(b), "\x28\xb5\x2f\xfd"):
		return "zstd", nil
	}
	if t := detect(b); t != "" {
		return t, nil
	}
	return "of unknown content", nil
}

// plain strips the operation and the path off an error of package os, since
// our own line names the path already.
func plain(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	var no syscall.Errno
	if errors.As(err, &no) {
		switch no {
		case syscall.EACCES, syscall.EPERM:
			return errors.New("permission denied; make it readable for this user")
		}
	}
	return err
}

// junk tells whether a file or folder of this name is the leavings of an
// operating system or hidden, and never part of a set.
func junk(name string) bool {
	if strings.HasPrefix(name, ".") {
		return true
	}
	switch strings.ToLower(name) {
	case "__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information":
		return true
	}
	return false
}
