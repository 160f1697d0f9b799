package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
)

//go:embed page
var page embed.FS

// pageAssets are what a page carries in itself: style, scripts, and the content
// security policy that allows these scripts and nothing else.
type pageAssets struct {
	Style  template.CSS
	Script template.JS
	Policy string
}

// newAssets joins the chart library (with its licence) and the named scripts
// of the page folder. The policy forbids every request: pictures are data: URIs.
func newAssets(scripts ...string) (pageAssets, error) {
	texts, err := join(scripts...)
	if err != nil {
		return pageAssets{}, err
	}
	digest := sha256.Sum256([]byte(texts.Script))
	return pageAssets{
		Style:  template.CSS(texts.Style),
		Script: template.JS(texts.Script),
		Policy: "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" +
			base64.StdEncoding.EncodeToString(digest[:]) + "'; base-uri 'none'; form-action 'none'",
	}, nil
}

func templates() (*template.Template, error) {
	return template.ParseFS(page, "page/*.html")
}

// Texts are a style sheet and a script to be served as files.
type Texts struct{ Style, Script string }

// Scripts gives the chart library with its licence, charts.js, and the style.
func Scripts() (Texts, error) { return join() }

func join(scripts ...string) (Texts, error) {
	read := func(name string) (string, error) {
		text, err := page.ReadFile("page/" + name)
		return string(text), err
	}
	licence, err := read("uplot/LICENSE")
	if err != nil {
		return Texts{}, err
	}
	var code, style strings.Builder
	fmt.Fprintf(&code, "/*\n%s\n*/\n", licence)
	for _, name := range append([]string{"uplot/uPlot.iife.min.js", "charts.js"}, scripts...) {
		text, err := read(name)
		if err != nil {
			return Texts{}, err
		}
		code.WriteString(text + "\n")
	}
	for _, name := range []string{"uplot/uPlot.min.css", "style.css"} {
		text, err := read(name)
		if err != nil {
			return Texts{}, err
		}
		style.WriteString(text + "\n")
	}
	return Texts{style.String(), code.String()}, nil
}
