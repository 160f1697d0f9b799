package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/minio/minio-go/v7"

	"github.com/wangkuiyi/orrery/internal/bucket"
)

// partSize is how much of an upload is held in memory at once, in bytes; a bucket takes 10,000 parts, so 156 GiB.
const partSize = 16 << 20

var errUploadEnded = errors.New("upload ended")

// upload sends what write writes, in parts; the store shows the object when all parts are there.
func upload(ctx context.Context, address string, replace bool, write func(io.Writer) error) error {
	b, err := bucket.Open(address)
	if err != nil {
		return err
	}
	if !replace {
		_, err := b.Client.StatObject(ctx, b.Name, b.Key, minio.StatObjectOptions{})
		if err == nil {
			return errors.New("exists already; choose another name, or replace it with --replace")
		}
		if code := minio.ToErrorResponse(err).Code; code != minio.NoSuchKey {
			return err
		}
	}
	reader, writer := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(writer)
		writer.CloseWithError(err) // with an error the upload ends without its last call: no half archive
		written <- err
	}()
	_, err = b.Client.PutObject(ctx, b.Name, b.Key, reader, -1, minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: partSize})
	reader.CloseWithError(errUploadEnded)
	if writing := <-written; writing != nil && !errors.Is(writing, errUploadEnded) {
		return writing
	}
	return err
}

// download fetches an object to a file.
func download(ctx context.Context, address, name string, limit int64) (*os.File, error) {
	b, err := bucket.Open(address)
	if err != nil {
		return nil, err
	}
	object, err := b.Client.GetObject(ctx, b.Name, b.Key, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	defer object.Close()
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(file, io.LimitReader(object, limit+1))
	if err == nil && n > limit {
		err = fmt.Errorf("is longer than %d bytes", limit)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
