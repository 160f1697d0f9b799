package bucket

import (
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for _, address := range []string{"s3://", "s3://bucket", "s3://bucket/", "s3:///key", "s3://bucket/folder/"} {
		if _, err := Open(address); err == nil || !strings.Contains(err.Error(), "s3://BUCKET/KEY") {
			t.Errorf("%s: %v", address, err)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "nonsense")
	if _, err := Open("s3://bucket/key"); err == nil || !strings.Contains(err.Error(), "AWS_ENDPOINT_URL") {
		t.Errorf("%v, want an error that names the variable", err)
	}
}
