package pack

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wangkuiyi/orrery/collect/set"
)

// Options say how Pack works.
type Options struct {
	Format   string                // "zip" or "tar"; "" for what the name ends with, zip when that says nothing
	Replace  bool                  // an archive of the same name
	Progress func(done, all int64) // bytes of pictures, nil for silence
}

// Summary is what an archive holds, or what came out of it.
type Summary struct {
	Archive  string         `json:"archive"`
	Set      string         `json:"set"`
	Pictures int            `json:"pictures"`
	Bytes    int64          `json:"bytes"` // of the files, unpacked
	Classes  map[string]int `json:"classes"`
	Verified int            `json:"verified,omitempty"` // files that are what the manifest says, after Unpack
	LeftOut  []string       `json:"left_out,omitempty"` // files of no use to a set
}

// Pack writes the pictures and the manifest of a set to an archive: a file or s3://BUCKET/KEY. Pictures are stored as
// they are, since compressing them again gains nothing. The trash stays behind. The archive is there in full or not at all.
func Pack(ctx context.Context, dir, archive string, o Options) (*Summary, error) {
	s, err := set.Open(dir, set.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	summary := &Summary{Archive: archive, Set: dir, Classes: map[string]int{}}
	files, err := contents(s, summary)
	if err != nil {
		return nil, err
	}
	if o.Format == "" {
		o.Format = "zip"
		if strings.HasSuffix(archive, ".tar") {
			o.Format = "tar"
		}
	}
	if o.Format != "zip" && o.Format != "tar" {
		return nil, fmt.Errorf("archive format %q: choose zip or tar", o.Format)
	}
	write := func(w io.Writer) error { return writeArchive(ctx, w, s, files, summary.Bytes, o) }
	if strings.HasPrefix(archive, "s3://") {
		err = upload(ctx, archive, o.Replace, write)
	} else {
		err = writeFile(archive, o.Replace, write)
	}
	if err != nil {
		return nil, fmt.Errorf("pack %s: %w", archive, err)
	}
	return summary, nil
}

// contents lists the pictures outside the trash and counts them.
func contents(s *set.Set, summary *Summary) ([]set.Picture, error) {
	all, err := s.Scan()
	if err != nil {
		return nil, err
	}
	var files []set.Picture
	for _, file := range all {
		if strings.HasPrefix(file.File, set.TrashDir+"/") {
			continue
		}
		files = append(files, file)
		summary.Pictures++
		summary.Bytes += file.Bytes
		summary.Classes[set.ClassOf(file.File)]++
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("picture set %s: holds no pictures to pack", s.Dir())
	}
	return files, nil
}

// manifest returns the manifest of what is packed, or nil when the set has none.
func manifest(s *set.Set) ([]byte, error) {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, record := range s.Records() {
		if record.InTrash() || record.Removed {
			continue
		}
		if err := encoder.Encode(record); err != nil {
			return nil, err
		}
	}
	return lines.Bytes(), nil
}

// archiver is the part of a format that writing needs.
type archiver interface {
	add(name string, size int64, modified time.Time, content io.Reader) error
	close() error
}

type zipArchiver struct{ *zip.Writer }

func (z zipArchiver) add(name string, size int64, modified time.Time, content io.Reader) error {
	header := &zip.FileHeader{Name: name, Method: zip.Store, Modified: modified.UTC().Truncate(time.Second)}
	if name == set.ManifestName {
		header.Method = zip.Deflate
	}
	header.SetMode(0o644)
	w, err := z.CreateHeader(header)
	if err != nil {
		return err
	}
	return copyExactly(w, content, name, size)
}

func (z zipArchiver) close() error { return z.Close() }

type tarArchiver struct{ *tar.Writer }

func (t tarArchiver) add(name string, size int64, modified time.Time, content io.Reader) error {
	err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: modified.UTC().Truncate(time.Second), Format: tar.FormatPAX})
	if err != nil {
		return err
	}
	return copyExactly(t, content, name, size)
}

func (t tarArchiver) close() error { return t.Close() }

func copyExactly(w io.Writer, r io.Reader, name string, size int64) error {
	n, err := io.Copy(w, io.LimitReader(r, size+1))
	if err == nil && n != size {
		err = fmt.Errorf("%s changed while it was packed", name)
	}
	return err
}

// writeArchive writes the manifest and the files in the order of their names, so that the same set makes the same archive.
func writeArchive(ctx context.Context, w io.Writer, s *set.Set, files []set.Picture, all int64, o Options) error {
	var archive archiver = zipArchiver{zip.NewWriter(w)}
	if o.Format == "tar" {
		archive = tarArchiver{tar.NewWriter(w)}
	}
	lines, err := manifest(s)
	if err != nil {
		return err
	}
	if len(lines) > 0 {
		var latest time.Time
		for _, record := range s.Records() {
			if record.Date.After(latest) {
				latest = record.Date
			}
		}
		if err := archive.add(set.ManifestName, int64(len(lines)), latest, bytes.NewReader(lines)); err != nil {
			return err
		}
	}
	var done int64
	for _, picture := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		file, err := s.Root().Open(picture.File)
		if err != nil {
			return err
		}
		err = archive.add(picture.File, picture.Bytes, time.Unix(0, picture.ModTime), file)
		file.Close()
		if err != nil {
			return err
		}
		done += picture.Bytes
		if o.Progress != nil {
			o.Progress(done, all)
		}
	}
	return archive.close()
}

// writeFile writes a file beside its name and gives it the name when it is whole and on the disk.
func writeFile(name string, replace bool, write func(io.Writer) error) error {
	if _, err := os.Lstat(name); err == nil && !replace {
		return errors.New("exists already; choose another name, or replace it with --replace")
	}
	folder := filepath.Dir(name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, "."+filepath.Base(name)+".*.part")
	if err != nil {
		return err
	}
	err = write(file)
	_ = file.Chmod(0o644) // a drive with FAT on it has no such modes and refuses
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		os.Remove(file.Name())
		return err
	}
	if parent, err := os.Open(folder); err == nil {
		_ = parent.Sync() // some file systems refuse; the file itself is safe
		parent.Close()
	}
	return nil
}
