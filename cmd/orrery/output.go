package main

import (
	"bytes"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/report"
)

func fileFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: usage}
}

// intoFile lets a verb write what it prints into the file of --output; a name
// that ends in .json asks for JSON.
func intoFile(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		path := c.String("output")
		if path == "" {
			return action(c)
		}
		if filepath.Ext(path) == ".json" {
			if err := c.Set("json", "true"); err != nil {
				return err
			}
		}
		var text bytes.Buffer
		stdout := c.App.Writer
		c.App.Writer = &text
		err := action(c)
		c.App.Writer = stdout
		if err != nil {
			return err
		}
		if err := atomicfile.Write(path, text.Bytes()); err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, path)
		return err
	}
}

// A drawing is a result that can be a picture or a page.
type drawing struct {
	picture func() image.Image
	html    func(w io.Writer) error
}

// draw writes a drawing to the file of --output, .png or .html; without one,
// onto the terminal if standard output is one. It tells whether it did either.
func draw(c *cli.Context, d drawing) (done bool, err error) {
	path := c.String("output")
	switch ext := filepath.Ext(path); {
	case path == "" && isTerminal(c.App.Writer):
		columns, _, err := term.GetSize(int(os.Stdout.Fd()))
		if err != nil {
			columns = 80
		}
		return true, report.WriteTerminal(c.App.Writer, d.picture(), report.FindTerminal(os.Getenv), columns)
	case path == "":
		return false, nil
	case ext == ".png":
		err = writePNG(path, d.picture())
	case ext == ".html":
		var page bytes.Buffer
		if err = d.html(&page); err == nil {
			err = atomicfile.Write(path, page.Bytes())
		}
	default:
		return false, usagef("output is %s; its name must end in .png or .html", path)
	}
	if err == nil {
		_, err = fmt.Fprintln(c.App.Writer, path)
	}
	return true, err
}
