package collect

import (
	"crypto/sha256"
	"encoding/hex"
	"image"
	"io"
	"os"

	"github.com/wangkuiyi/orrery/collect/picture"
	"github.com/wangkuiyi/orrery/collect/set"
)

// commit is a picture on its way into the set. Its path is sent back, or "" when the run failed.
type commit struct {
	set.Pending
	kept chan<- string
}

// commitAll adds pictures to the set, all those waiting together: one sync of the disk serves them all.
func (r *run) commitAll() {
	for first := range r.commits {
		batch := []commit{first}
	gather:
		for len(batch) < 64 {
			select {
			case next, more := <-r.commits:
				if !more {
					break gather
				}
				batch = append(batch, next)
			default:
				break gather
			}
		}
		var pending []set.Pending
		for _, one := range batch {
			pending = append(pending, one.Pending)
		}
		records, err := r.set.Add(pending)
		if err != nil {
			r.fail(err)
		}
		for i, one := range batch {
			if err != nil {
				one.kept <- ""
				continue
			}
			r.mu.Lock()
			r.added[records[i].Class]++
			r.mu.Unlock()
			one.kept <- records[i].File
		}
	}
}

// rewrite replaces the content of a download by a smaller rendering of it and corrects the record.
func (r *run) rewrite(file *os.File, small image.Image, format string, record *set.Record) (extension string, err error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if err := file.Truncate(0); err != nil {
		return "", err
	}
	sum := sha256.New()
	counter := &countingWriter{Writer: io.MultiWriter(file, sum)}
	if extension, err = picture.Encode(counter, small, format); err != nil {
		return "", err
	}
	record.FetchedSHA = record.SHA256
	record.SHA256 = hex.EncodeToString(sum.Sum(nil))
	record.Bytes = counter.bytes
	record.Resized = true
	return extension, nil
}

type countingWriter struct {
	io.Writer
	bytes int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.bytes += int64(n)
	return n, err
}

func hashOf(r io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// miniOf reads a picture of known or unknown origin and returns its cells.
func miniOf(file io.ReadSeeker, maxPixels int) (*picture.Mini, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if _, err := picture.ReadHeader(file, maxPixels); err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	pixels, err := picture.Decode(file)
	if err != nil {
		return nil, err
	}
	return picture.NewMini(pixels)
}
