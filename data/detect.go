package data

import (
	"bytes"
	"net/http"
	"strings"
)

// detect names the kind of a file that is none of the pictures read here, or
// returns "" for bytes nobody knows.
func detect(b []byte) string {
	for _, s := range []struct{ magic, name string }{
		{"\x00\x00\x00\x0cjP  ", "JPEG 2000"}, {"\xff\x4f\xff\x51", "JPEG 2000"},
		{"\xff\x0a", "JPEG XL"}, {"\x00\x00\x00\x0cJXL ", "JPEG XL"},
		{"BM", "an OS/2 or damaged BMP"}, {"8BPS", "a Photoshop file"}, {"%PDF", "PDF"}, {"<svg", "SVG"}, {"version https://git-lfs", "a Git LFS pointer"},
		{"SIMPLE  =", "FITS"}, {"II+\x00", "BigTIFF"}, {"MM\x00+", "BigTIFF"},
	} {
		if bytes.HasPrefix(b, []byte(s.magic)) {
			return s.name
		}
	}
	if len(b) >= 12 && string(b[4:8]) == "ftyp" {
		switch string(b[8:12]) {
		case "avif", "avis":
			return "AVIF"
		case "heic", "heix", "mif1", "msf1", "hevc":
			return "HEIC"
		}
	}
	if len(b) >= 4 && bytes.Count(b, []byte{0}) == len(b) {
		return "nothing but zero bytes"
	}
	t := http.DetectContentType(b)
	if t == "application/octet-stream" {
		return ""
	}
	t, _, _ = strings.Cut(t, ";")
	switch t {
	case "text/html":
		return "HTML"
	case "text/plain":
		if bytes.Contains(b, []byte("<svg")) {
			return "SVG"
		}
		return "text"
	case "text/xml":
		if bytes.Contains(b, []byte("<svg")) {
			return "SVG"
		}
		return "XML"
	}
	return t
}
