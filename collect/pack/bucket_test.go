package pack

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"

	"github.com/wangkuiyi/orrery/internal/bucket"
	"github.com/wangkuiyi/orrery/internal/bucket/buckettest"
)

func TestBucket(t *testing.T) {
	buckettest.Start(t, "sets")
	dir := collected(t, 5, "earth", "mars")
	const place = "s3://sets/photos/planets.zip"
	if _, err := Pack(context.Background(), dir, place, Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(context.Background(), dir, place, Options{}); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("%v, want that it exists", err)
	}
	into := filepath.Join(t.TempDir(), "set")
	summary, err := Unpack(context.Background(), place, into, UnpackOptions{})
	if err != nil || summary.Verified != 10 {
		t.Fatalf("%+v, %v", summary, err)
	}
	if diff := cmp.Diff(files(t, dir), files(t, into)); diff != "" {
		t.Error(diff)
	}
	if _, err := Unpack(context.Background(), "s3://sets/none.zip", filepath.Join(t.TempDir(), "none"), UnpackOptions{}); err == nil {
		t.Error("unpacked what is not there")
	}
	// An upload that fails half-way leaves nothing that looks like an archive.
	broken := errors.New("the disk went away")
	err = upload(context.Background(), "s3://sets/half.zip", false, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, partSize+100)); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v, want the reason of the failure", err)
	}
	b, err := bucket.Open("s3://sets/half.zip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Client.StatObject(context.Background(), b.Name, b.Key, minio.StatObjectOptions{}); err == nil {
		t.Error("half an archive is in the bucket")
	}
}
