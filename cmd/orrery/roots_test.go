package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
)

// TestRootsAlone: on a machine without certificates there are the built-in ones.
func TestRootsAlone(t *testing.T) {
	if os.Getenv("SSL_CERT_FILE") != os.DevNull { // in a process of its own, since roots are read once
		c := exec.Command(os.Args[0], "-test.run=^TestRootsAlone$")
		c.Env = append(os.Environ(), "SSL_CERT_FILE="+os.DevNull, "SSL_CERT_DIR="+os.DevNull)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	pool, err := x509.SystemCertPool()
	if err != nil || pool.Equal(x509.NewCertPool()) {
		t.Errorf("%v, no roots", err)
	}
}
