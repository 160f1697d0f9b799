package pack

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/minio/minio-go/v7"
)

// store starts versitygw, an S3 server over a folder, or skips the test. `go install github.com/versity/versitygw/cmd/versitygw@v1.8.0` builds it.
func store(t *testing.T, bucketName string) {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		t.Skip("no versitygw in PATH: buckets are not tested")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	server := exec.Command(program, "--access", "key", "--secret", "secret", "--port", address, "--quiet", "posix", "--sidecar", t.TempDir(), t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": "http://" + address, "AWS_ENDPOINT_URL_S3": "", "AWS_ACCESS_KEY_ID": "key",
		"AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1"} {
		t.Setenv(name, value)
	}
	b, err := openBucket("s3://" + bucketName + "/x")
	if err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if err = b.client.MakeBucket(context.Background(), bucketName, minio.MakeBucketOptions{}); err == nil {
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

func TestBucket(t *testing.T) {
	store(t, "sets")
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
	b, err := openBucket("s3://sets/half.zip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.StatObject(context.Background(), b.name, b.key, minio.StatObjectOptions{}); err == nil {
		t.Error("half an archive is in the bucket")
	}
}

func TestBucketAddresses(t *testing.T) {
	for _, address := range []string{"s3://", "s3://bucket", "s3://bucket/", "s3:///key", "s3://bucket/folder/"} {
		if _, err := openBucket(address); err == nil || !strings.Contains(err.Error(), "s3://BUCKET/KEY") {
			t.Errorf("%s: %v", address, err)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "nonsense")
	if _, err := openBucket("s3://bucket/key"); err == nil || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL") {
		t.Errorf("%v, want an error that names the variable", err)
	}
}
