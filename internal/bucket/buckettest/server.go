// Package buckettest has an S3 server for tests.
package buckettest

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/wangkuiyi/orrery/internal/bucket"
)

// A Server is versitygw, an S3 server over a folder.
type Server struct {
	program, address, files, sidecar string
	process                          *exec.Cmd
}

// Start runs a server with one bucket until the test ends and sets the variables by which bucket.Open finds it; where there
// is no versitygw, which make test sets up, the test is skipped.
func Start(t *testing.T, bucketName string) *Server {
	t.Helper()
	program, err := exec.LookPath("versitygw")
	if err != nil {
		t.Skip("no versitygw in PATH: buckets are not tested")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{program: program, address: listener.Addr().String(), files: t.TempDir(), sidecar: t.TempDir()}
	listener.Close()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": "http://" + s.address, "AWS_ENDPOINT_URL_S3": "", "AWS_ACCESS_KEY_ID": "key",
		"AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "", "AWS_REGION": "us-east-1"} {
		t.Setenv(name, value)
	}
	s.Up(t)
	t.Cleanup(s.Down)
	place, err := bucket.Open("s3://" + bucketName + "/x")
	if err != nil {
		t.Fatal(err)
	}
	if err := place.Client.MakeBucket(context.Background(), bucketName, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Up starts the server again after Down, at the same address and with what it held.
func (s *Server) Up(t *testing.T) {
	t.Helper()
	s.process = exec.Command(s.program, "--access", "key", "--secret", "secret", "--port", s.address, "--quiet", "posix", "--sidecar", s.sidecar, s.files)
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		connection, err := net.Dial("tcp", s.address)
		if err == nil {
			connection.Close()
			return
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal(err)
		}
	}
}

// Down kills the server.
func (s *Server) Down() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}
