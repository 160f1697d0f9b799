// Package bucket finds places in S3-compatible stores.
package bucket

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// A Place is an object, or the common beginning of several, in a store.
type Place struct {
	Client    *minio.Client
	Name, Key string // of the bucket, and in it
}

// Open reads s3://BUCKET/KEY and asks nobody. Where the store is and who asks come from the variables that the AWS tools use:
// AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and so on, the shared credentials file, or the machine's role.
func Open(address string) (*Place, error) {
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
	return &Place{client, name, key}, nil
}
