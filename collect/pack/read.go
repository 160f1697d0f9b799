package pack

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// entry is a file in an archive.
type entry struct {
	name string
	size int64
}

// visit is called for each file of an archive; content ends after size bytes or with an error.
type visit func(e entry, content io.Reader) error

// readArchive checks an archive and visits its files. kind is by content: no name is believed.
func readArchive(ctx context.Context, file *os.File, limits Limits, each visit) error {
	head := make([]byte, 264)
	n, err := file.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	head = head[:n]
	info, err := file.Stat()
	if err != nil {
		return err
	}
	stream := bufio.NewReaderSize(file, 1<<20)
	packed := func() int64 { // a little more than was used, by what is read ahead
		at, err := file.Seek(0, io.SeekCurrent)
		if err != nil {
			return 0
		}
		return at
	}
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return readZip(ctx, file, info.Size(), limits, each)
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		unzipped, err := gzip.NewReader(stream)
		if err != nil {
			return err
		}
		return readTar(ctx, unzipped, limits, packed, each)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		unpacked, err := zstd.NewReader(stream, zstd.WithDecoderMaxMemory(256<<20), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return err
		}
		defer unpacked.Close()
		return readTar(ctx, unpacked, limits, packed, each)
	case len(head) >= 262 && string(head[257:262]) == "ustar":
		return readTar(ctx, stream, limits, packed, each)
	}
	return errors.New("is neither a zip nor a tar archive (plain, gzip or zstd)")
}

// readZip checks the whole directory before any byte is unpacked.
func readZip(ctx context.Context, file io.ReaderAt, length int64, limits Limits, each visit) error {
	archive, err := zip.NewReader(file, length)
	if err != nil {
		return err
	}
	known := newNames()
	var unpacked int64
	var files []*zip.File
	for _, f := range archive.File {
		folder := strings.HasSuffix(f.Name, "/")
		name, err := known.check(f.Name, folder)
		if err != nil {
			return err
		}
		switch mode := f.Mode(); {
		case f.Flags&1 != 0:
			return fmt.Errorf("entry %q is encrypted", f.Name)
		case folder && mode.IsDir():
			continue
		case !mode.IsRegular():
			return fmt.Errorf("entry %q is no plain file (%s)", f.Name, mode)
		case f.UncompressedSize64 > uint64(limits.File):
			return fmt.Errorf("entry %q is larger than %d bytes", f.Name, limits.File)
		}
		unpacked += int64(f.UncompressedSize64)
		if err := limits.sizes(len(files)+1, unpacked, length); err != nil {
			return err
		}
		f.Name = name
		files = append(files, f)
	}
	if err := apart(files, length); err != nil {
		return err
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		content, err := f.Open()
		if err != nil {
			return fmt.Errorf("entry %q: %w", f.Name, err)
		}
		err = each(entry{f.Name, int64(f.UncompressedSize64)}, content)
		content.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// apart refuses entries that share packed bytes, by which a small archive unpacks to a huge one.
func apart(files []*zip.File, length int64) error {
	type span struct {
		begin, end int64
		name       string
	}
	var spans []span
	for _, f := range files {
		begin, err := f.DataOffset()
		if err != nil {
			return fmt.Errorf("entry %q: %w", f.Name, err)
		}
		if f.CompressedSize64 > uint64(length) || begin+int64(f.CompressedSize64) > length {
			return fmt.Errorf("entry %q lies about its size", f.Name)
		}
		spans = append(spans, span{begin, begin + int64(f.CompressedSize64), f.Name})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end)) })
	for i := 1; i < len(spans); i++ {
		if spans[i].begin < spans[i-1].end {
			return fmt.Errorf("entries %q and %q share their bytes", spans[i-1].name, spans[i].name)
		}
	}
	return nil
}

func readTar(ctx context.Context, stream io.Reader, limits Limits, packed func() int64, each visit) error {
	archive := tar.NewReader(stream)
	known := newNames()
	var unpacked int64
	for files := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		folder := header.Typeflag == tar.TypeDir
		if folder && strings.Trim(header.Name, "./") == "" {
			continue // the folder that was packed
		}
		name, err := known.check(header.Name, folder)
		switch {
		case err != nil:
			return err
		case folder:
			continue
		case header.Typeflag != tar.TypeReg:
			return fmt.Errorf("entry %q is no plain file (type %q)", header.Name, string(header.Typeflag))
		case header.Size > limits.File:
			return fmt.Errorf("entry %q is larger than %d bytes", header.Name, limits.File)
		}
		files++
		content := &boundedReader{archive, func(n int) error {
			unpacked += int64(n)
			return limits.sizes(files, unpacked, packed())
		}}
		if err := content.count(0); err != nil {
			return err
		}
		if err := each(entry{name, header.Size}, content); err != nil {
			return err
		}
	}
}

// boundedReader checks the limits as bytes come out.
type boundedReader struct {
	io.Reader
	count func(n int) error
}

func (r *boundedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if over := r.count(n); over != nil {
		return n, over
	}
	return n, err
}
