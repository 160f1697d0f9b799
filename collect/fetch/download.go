package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"strings"
)

// Download is what came of an address.
type Download struct {
	URL    string // after redirects
	Bytes  int64
	SHA256 string // hexadecimal
	Type   string // by content: image/jpeg, ...
}

// accepted are the picture types Orrery reads, told to servers that can choose.
const accepted = "image/jpeg,image/png,image/webp,image/gif;q=0.9,image/bmp;q=0.5,image/tiff;q=0.5"

// Picture downloads a picture into file, replacing what it held. The content must begin like a picture; no name and no header is
// believed. The caller syncs the file.
func (c *Client) Picture(ctx context.Context, address string, file *os.File) (Download, error) {
	var got Download
	request := Request{URL: address, Header: http.Header{"Accept": {accepted}}}
	err := c.Do(ctx, request, func(response *http.Response) error {
		if header := objects(response.Header); header != "" {
			return fail(NoAI, "server asks not to collect it (%s)", header)
		}
		if response.ContentLength > c.options.MaxBytes {
			return fail(TooLarge, "%d bytes, limit %d", response.ContentLength, c.options.MaxBytes)
		}
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return &Failure{Reason: "disk", Err: err}
		}
		if err := file.Truncate(0); err != nil {
			return &Failure{Reason: "disk", Err: err}
		}
		got = Download{URL: response.Request.URL.String()}
		return c.save(response.Body, file, &got)
	})
	return got, err
}

// save copies a body to a file within the limit of size.
func (c *Client) save(body io.Reader, file *os.File, got *Download) error {
	head := make([]byte, 512)
	n, err := io.ReadFull(body, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return networkFailure(err)
	}
	head = head[:n]
	if got.Type = Sniff(head); !strings.HasPrefix(got.Type, "image/") {
		return fail(NotAPicture, "holds %s instead of a picture", got.Type)
	}
	sum := sha256.New()
	out := io.MultiWriter(file, sum)
	buffer := make([]byte, 64<<10)
	copy(buffer, head)
	for chunk := buffer[:n]; ; {
		got.Bytes += int64(len(chunk))
		if got.Bytes > c.options.MaxBytes {
			return fail(TooLarge, "more than %d bytes", c.options.MaxBytes)
		}
		if _, err := out.Write(chunk); err != nil {
			return &Failure{Reason: "disk", Err: err}
		}
		n, err := body.Read(buffer)
		chunk = buffer[:n]
		if err == io.EOF && n == 0 {
			break
		}
		if err != nil && err != io.EOF {
			return networkFailure(err)
		}
	}
	got.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// Sniff returns the type of a file by its first bytes.
func Sniff(head []byte) string {
	text := string(head[:min(len(head), 16)])
	switch {
	case strings.HasPrefix(text, "II*\x00"), strings.HasPrefix(text, "MM\x00*"):
		return "image/tiff"
	case len(text) >= 12 && text[4:8] == "ftyp" && (strings.HasPrefix(text[8:], "avif") || strings.HasPrefix(text[8:], "avis")):
		return "image/avif"
	case len(text) >= 12 && text[4:8] == "ftyp" && (strings.HasPrefix(text[8:], "hei") || strings.HasPrefix(text[8:], "mif1")):
		return "image/heic"
	}
	kind, _, _ := strings.Cut(http.DetectContentType(head), ";")
	return kind
}
