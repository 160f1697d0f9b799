package report

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"image"
	"image/png"
	"io"
)

// WriteGridHTML writes a page of pictures with their titles, as Grid draws them.
func WriteGridHTML(w io.Writer, title string, pictures []image.Image, titles []string, columns int) error {
	type cell struct {
		Title  string
		Source template.URL
	}
	cells := make([]cell, len(pictures))
	for i, picture := range pictures {
		var file bytes.Buffer
		if err := png.Encode(&file, picture); err != nil {
			return err
		}
		cells[i].Source = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(file.Bytes()))
		if i < len(titles) {
			cells[i].Title = printable(titles[i])
		}
	}
	return gridPage.Execute(w, map[string]any{"Title": title, "Cells": cells, "Columns": max(columns, 1)})
}

var gridPage = template.Must(template.New("grid").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #1c242e; background: #fff }
main { display: grid; grid-template-columns: repeat({{.Columns}}, minmax(0, 14rem)); gap: 1rem }
figure { margin: 0 }
figcaption { text-align: center; overflow-wrap: anywhere }
img { width: 100%; display: block }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<main>{{range .Cells}}
<figure><figcaption>{{.Title}}</figcaption><img alt="{{.Title}}" src="{{.Source}}"></figure>{{end}}
</main>
</body>
</html>
`))
