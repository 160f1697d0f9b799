package collect

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/wangkuiyi/orrery/collect/set"
)

// Credit is what is owed to the maker of one picture.
type Credit struct {
	File       string `json:"file"`
	Title      string `json:"title,omitempty"`
	Author     string `json:"author,omitempty"`
	AuthorURL  string `json:"author_url,omitempty"`
	License    string `json:"license,omitempty"`
	LicenseURL string `json:"license_url,omitempty"`
	Page       string `json:"page,omitempty"`
	URL        string `json:"url,omitempty"`
	Source     string `json:"source,omitempty"`
	Changed    bool   `json:"changed,omitempty"` // made smaller, which some licences want said
}

// Credits are those of a set, in order of collection. Pictures of unknown origin are counted.
type Credits struct {
	Credits []Credit `json:"credits"`
	Unknown int      `json:"unknown"` // pictures the manifest does not know
}

// Attribution lists the credits of the pictures in a set, leaving out its trash.
func Attribution(dir string) (*Credits, error) {
	s, err := set.Open(dir, set.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	files, err := s.Scan()
	if err != nil {
		return nil, err
	}
	credits := &Credits{Credits: []Credit{}}
	for _, record := range s.Records() {
		if record.InTrash() || record.Removed {
			continue
		}
		credits.Credits = append(credits.Credits, Credit{File: record.File, Title: record.Title, Author: record.Author, AuthorURL: record.AuthorURL,
			License: record.License, LicenseURL: record.LicenseURL, Page: record.Page, URL: record.URL, Source: record.Source, Changed: record.Resized})
	}
	for _, file := range files {
		if _, known := s.Record(file.File); !known && !strings.HasPrefix(file.File, set.TrashDir+"/") {
			credits.Unknown++
		}
	}
	return credits, nil
}

// Print writes the credits as "text", "markdown", "html" or "csv".
func (c *Credits) Print(w io.Writer, format string) error {
	switch format {
	case "", "text":
		for _, credit := range c.Credits {
			fmt.Fprintf(w, "%s: %s\n", Printable(credit.File), Printable(credit.line()))
		}
	case "markdown":
		for _, credit := range c.Credits {
			fmt.Fprintf(w, "- `%s`: %s\n", strings.ReplaceAll(Printable(credit.File), "`", "'"), credit.markdown())
		}
	case "html":
		fmt.Fprintln(w, "<ul>")
		for _, credit := range c.Credits {
			fmt.Fprintf(w, "<li>%s: %s</li>\n", html.EscapeString(credit.File), credit.html())
		}
		fmt.Fprintln(w, "</ul>")
	case "csv":
		return c.csv(w)
	default:
		return usage("credits come as text, markdown, html or csv, not as %q", format)
	}
	if c.Unknown > 0 && format != "html" {
		fmt.Fprintf(w, "\n%d pictures of unknown origin\n", c.Unknown)
	}
	return nil
}

func (c Credit) title() string { return cmp.Or(c.Title, "untitled") }

func (c Credit) author() string { return cmp.Or(c.Author, "unknown author") }

func (c Credit) licence() string { return cmp.Or(c.License, "licence unknown") }

func (c Credit) where() string { return cmp.Or(c.Page, c.URL) }

func (c Credit) changed() string {
	if c.Changed {
		return ", made smaller"
	}
	return ""
}

// line follows the order that Creative Commons recommends: title, author, source, licence.
func (c Credit) line() string {
	return fmt.Sprintf("%q by %s (%s), %s%s%s", c.title(), c.author(), c.where(), c.licence(), prefixed(" ", c.LicenseURL), c.changed())
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func (c Credit) markdown() string {
	link := func(text, address string) string {
		if !isWeb(address) {
			return escapeMarkdown(text)
		}
		return fmt.Sprintf("[%s](<%s>)", escapeMarkdown(text), strings.NewReplacer("<", "%3C", ">", "%3E", "\n", "", "\\", "%5C").Replace(Printable(address)))
	}
	return link(c.title(), c.where()) + " by " + link(c.author(), c.AuthorURL) + ", " + link(c.licence(), c.LicenseURL) + c.changed()
}

func escapeMarkdown(text string) string {
	var out strings.Builder
	for _, r := range Printable(text) {
		if strings.ContainsRune("\\`*_{}[]<>()#+-!|&~", r) && r != '-' && r != '(' && r != ')' {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

func (c Credit) html() string {
	link := func(text, address string) string {
		if !isWeb(address) {
			return html.EscapeString(text)
		}
		return fmt.Sprintf(`<a href="%s" rel="nofollow">%s</a>`, html.EscapeString(address), html.EscapeString(text))
	}
	return link(c.title(), c.where()) + " by " + link(c.author(), c.AuthorURL) + ", " + link(c.licence(), c.LicenseURL) + c.changed()
}

// isWeb keeps addresses with other schemes (javascript:) out of links.
func isWeb(address string) bool {
	return strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://")
}

func (c *Credits) csv(w io.Writer) error {
	table := csv.NewWriter(w)
	rows := [][]string{{"file", "title", "author", "author_url", "license", "license_url", "page", "url", "source"}}
	for _, one := range c.Credits {
		rows = append(rows, []string{one.File, one.Title, one.Author, one.AuthorURL, one.License, one.LicenseURL, one.Page, one.URL, one.Source})
	}
	for _, row := range rows {
		for i, cell := range row { // a spreadsheet would run a cell that begins like a formula
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				row[i] = "'" + cell
			}
		}
		if err := table.Write(row); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}
