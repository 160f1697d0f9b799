package collect

import (
	"strconv"
	"strings"
	"unicode"
)

// Printable returns text from elsewhere (a title, a file name, a server's words) such that a terminal shows it and does
// nothing else: control characters, escapes and marks that turn the direction of writing are spelled out.
func Printable(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r == unicode.ReplacementChar || (unicode.IsPrint(r) && !unicode.Is(unicode.Bidi_Control, r)) {
			out.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		out.WriteString(quoted[1 : len(quoted)-1])
	}
	return out.String()
}
