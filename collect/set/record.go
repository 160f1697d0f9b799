package set

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Record says where one picture came from and what it is. It is one line of the manifest.
type Record struct {
	File       string    `json:"file"`  // slash-separated, relative to the set
	Class      string    `json:"class"` // as collected or moved
	URL        string    `json:"url"`   // what was downloaded
	Original   string    `json:"original,omitempty"`
	Page       string    `json:"page,omitempty"` // where people see it
	Title      string    `json:"title,omitempty"`
	Author     string    `json:"author,omitempty"`
	AuthorURL  string    `json:"author_url,omitempty"`
	License    string    `json:"license,omitempty"`
	LicenseURL string    `json:"license_url,omitempty"`
	Source     string    `json:"source,omitempty"`
	Query      string    `json:"query,omitempty"`
	Date       time.Time `json:"date"`
	SHA256     string    `json:"sha256"` // of the stored file, hexadecimal
	Width      int       `json:"width"`
	Height     int       `json:"height"`
	Bytes      int64     `json:"bytes"`
	DHash      string    `json:"dhash,omitempty"`       // difference hash of the pixels, 32 hexadecimal digits
	Resized    bool      `json:"resized,omitempty"`     // stored smaller than downloaded
	FetchedSHA string    `json:"fetched_sha,omitempty"` // SHA-256 as downloaded, when resized
	Trashed    bool      `json:"trashed,omitempty"`     // emptied from the trash: kept here so that it is not collected again
	Removed    bool      `json:"-"`                     // the file is gone from the disk
}

// InTrash tells whether the picture lies in the trash or was emptied from it.
func (r Record) InTrash() bool { return r.Trashed || strings.HasPrefix(r.File, TrashDir+"/") }

// ClassOf returns the class folder of a path within a set; for a path in the trash, the class it was thrown out of.
func ClassOf(file string) string {
	file = strings.TrimPrefix(file, TrashDir+"/")
	class, _, found := strings.Cut(file, "/")
	if !found {
		return ""
	}
	return class
}

// CheckClass returns an error when name cannot be a class folder on the common file systems.
func CheckClass(name string) error {
	bad := func(why string) error { return fmt.Errorf("class name %q: %s; choose a plain word", name, why) }
	switch {
	case name == "":
		return bad("is empty")
	case !utf8.ValidString(name):
		return bad("is not UTF-8")
	case len(name) > 128:
		return bad("is longer than 128 bytes")
	case strings.HasPrefix(name, "."):
		return bad("begins with a dot")
	case strings.ContainsAny(name, `/\:`):
		return bad(`holds one of / \ :`)
	case strings.TrimSpace(name) != name || strings.HasSuffix(name, "."):
		return bad("begins or ends with a space, or ends with a dot")
	case name == ManifestName:
		return bad("is the manifest's")
	}
	for _, r := range name {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return bad("holds a control character")
		}
	}
	return nil
}

// checkFile refuses a path that is not plainly inside a set.
func checkFile(file string) error {
	if file == "" || strings.Contains(file, "\\") || strings.ContainsRune(file, 0) || path.Clean(file) != file ||
		!filepath.IsLocal(filepath.FromSlash(file)) || !strings.Contains(file, "/") {
		return fmt.Errorf("%q is not a path of a picture inside the set", file)
	}
	return nil
}
