package pack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// partSize is how much of an upload is held in memory at once, in bytes; a bucket takes 10,000 parts, so 156 GiB.
const partSize = 16 << 20

// bucket is a place in an S3-compatible store.
type bucket struct {
	client    *minio.Client
	name, key string
}

// openBucket reads s3://BUCKET/KEY. Where the store is and who asks come from the variables that the AWS tools use: AWS_ENDPOINT_URL_S3
// or AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and so on, the shared credentials file, or the machine's role.
func openBucket(address string) (*bucket, error) {
	name, key, _ := strings.Cut(strings.TrimPrefix(address, "s3://"), "/")
	if name == "" || key == "" || strings.HasSuffix(key, "/") {
		return nil, fmt.Errorf("%s: want s3://BUCKET/KEY", address)
	}
	endpoint := "https://s3.amazonaws.com"
	for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		if value := os.Getenv(variable); value != "" {
			endpoint = value
		}
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("AWS_ENDPOINT_URL %q: want an address such as https://s3.example.com", endpoint)
	}
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = os.Getenv("AWS_DEFAULT_REGION")
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.EnvMinio{}, &credentials.IAM{},
		}),
		Secure: u.Scheme == "https",
		Region: region,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	return &bucket{client, name, key}, nil
}

var errUploadEnded = errors.New("upload ended")

// upload sends what write writes, in parts; the store shows the object when all parts are there.
func upload(ctx context.Context, address string, replace bool, write func(io.Writer) error) error {
	b, err := openBucket(address)
	if err != nil {
		return err
	}
	if !replace {
		_, err := b.client.StatObject(ctx, b.name, b.key, minio.StatObjectOptions{})
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
	_, err = b.client.PutObject(ctx, b.name, b.key, reader, -1, minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: partSize})
	reader.CloseWithError(errUploadEnded)
	if writing := <-written; writing != nil && !errors.Is(writing, errUploadEnded) {
		return writing
	}
	return err
}

// download fetches an object to a file.
func download(ctx context.Context, address, name string, limit int64) (*os.File, error) {
	b, err := openBucket(address)
	if err != nil {
		return nil, err
	}
	object, err := b.client.GetObject(ctx, b.name, b.key, minio.GetObjectOptions{})
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
