package data

import (
	"strconv"
	"strings"
	"unicode"
)

// Printable makes a name fit for one line of a terminal or a log: control
// characters, line ends, escapes and broken UTF-8 become \n, \x1b and the
// like. Names of files are the work of strangers.
func Printable(name string) string {
	odd := func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }
	if strings.IndexFunc(name, odd) < 0 {
		return name
	}
	q := strconv.Quote(name)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}
