package pack

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Limits bound what an archive may hold. Zero values stand for the defaults named.
type Limits struct {
	Bytes int64   // of all files, unpacked (64 GiB)
	File  int64   // of one file (512 MiB)
	Files int     // (2 million)
	Ratio float64 // unpacked to packed bytes, once more than 16 MiB came out (100); pictures hardly compress
}

// ratioFrom is how many bytes may come out before their ratio counts.
const ratioFrom = 16 << 20

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 64 << 30
	}
	if l.File == 0 {
		l.File = 512 << 20
	}
	if l.Files == 0 {
		l.Files = 2_000_000
	}
	if l.Ratio == 0 {
		l.Ratio = 100
	}
	return l
}

// sizes checks running totals against the limits.
func (l Limits) sizes(files int, unpacked, packed int64) error {
	switch {
	case files > l.Files:
		return fmt.Errorf("holds more than %d files", l.Files)
	case unpacked > l.Bytes:
		return fmt.Errorf("holds more than %d bytes", l.Bytes)
	case unpacked > ratioFrom && float64(unpacked) > l.Ratio*float64(packed):
		return fmt.Errorf("unpacks to more than %.0f times its size, as no set of pictures does", l.Ratio)
	}
	return nil
}

// names accepts the names of an archive's entries one by one and refuses those that would not stay inside, or not stay
// apart, on some system.
type names struct {
	files   map[string]bool   // by folded name
	folders map[string]bool   // by folded name
	paths   map[string]string // spelling of every file and folder, by folded name
}

func newNames() *names {
	return &names{files: map[string]bool{}, folders: map[string]bool{}, paths: map[string]string{}}
}

const (
	longestName = 200  // bytes of one part of a path
	longestPath = 1000 // bytes
	deepest     = 16   // parts
)

// check returns the cleaned name of an entry.
func (n *names) check(name string, folder bool) (string, error) {
	plain := strings.TrimSuffix(name, "/")
	refuse := func(why string) (string, error) { return "", fmt.Errorf("entry %q %s", name, why) }
	switch {
	case plain == "" || plain == ".":
		return refuse("has no name")
	case !utf8.ValidString(plain) || strings.ContainsFunc(plain, unicode.IsControl):
		return refuse("has a name that is not plain text")
	case strings.ContainsAny(plain, "\\") || (len(plain) > 1 && plain[1] == ':'):
		return refuse("has a name with a backslash or a drive")
	case len(plain) > longestPath:
		return refuse("has too long a name")
	}
	plain = strings.TrimPrefix(plain, "./")
	if path.IsAbs(plain) || path.Clean(plain) != plain || !filepath.IsLocal(filepath.FromSlash(plain)) {
		return refuse("has a name that leads elsewhere")
	}
	parts := strings.Split(plain, "/")
	if len(parts) > deepest {
		return refuse("lies too deep")
	}
	for i, part := range parts {
		if len(part) > longestName || strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") {
			return refuse("has a name that some systems cannot hold")
		}
		sofar := strings.Join(parts[:i+1], "/")
		folded := fold(sofar)
		if spelling, taken := n.paths[folded]; taken && spelling != sofar {
			return refuse(fmt.Sprintf("is one file with %q where case does not count", spelling))
		}
		n.paths[folded] = sofar
		asFile := i == len(parts)-1 && !folder
		switch {
		case asFile && n.files[folded]:
			return refuse("is there twice")
		case n.files[folded], asFile && n.folders[folded]:
			return refuse("is both a file and a folder")
		case asFile:
			n.files[folded] = true
		default:
			n.folders[folded] = true
		}
	}
	return plain, nil
}

// fold maps names that some file system takes for the same to one.
func fold(name string) string { return cases.Fold().String(norm.NFC.String(name)) }

// useless tells whether an entry is what file managers leave behind, or hidden.
func useless(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" || part == "Thumbs.db" || part == "desktop.ini" {
			return true
		}
	}
	return false
}

// commonFolder returns the folder, with its slash, that all files lie in when they lie at least two folders deep; archives made of a
// folder rather than its contents have one.
func commonFolder(files []string) string {
	common := ""
	for i, file := range files {
		top, rest, nested := strings.Cut(file, "/")
		if !nested || (i > 0 && top+"/" != common) || (!strings.Contains(rest, "/") && rest != "manifest.jsonl") {
			return ""
		}
		common = top + "/"
	}
	return common
}
