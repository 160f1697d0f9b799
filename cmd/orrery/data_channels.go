package main

import (
	"errors"
	"fmt"
	"image"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

// A table of more cells than this is no help to anyone.
const maxChannelSide = 64

func dataChannelsCommand() *cli.Command {
	return &cli.Command{
		Name: "channels", Usage: "the numbers that a picture consists of: red, green and blue, in coloured tables", ArgsUsage: "DATA|PICTURE",
		Flags: []cli.Flag{
			pictureFlag(),
			&cli.StringFlag{Name: "rows", Usage: "`FROM:TO`, TO not included", DefaultText: "ten in the middle"},
			&cli.StringFlag{Name: "cols", Usage: "`FROM:TO`, TO not included", DefaultText: "ten in the middle"},
			&cli.StringFlag{Name: "cmap", Usage: "colours of the numbers: " + strings.Join(report.ColorMaps(), ", "), Value: "gist_heat"},
			fileFlag(".png or .html `FILE` to write"), jsonFlag(),
		},
		Action: dataChannels,
	}
}

func dataChannels(c *cli.Context) error {
	source, err := one(c, "DATA or PICTURE")
	if err != nil {
		return err
	}
	cmap := c.String("cmap")
	if _, ok := report.FindColorMap(cmap); !ok {
		near := ""
		if word := trainer.Nearest(cmap, report.ColorMaps()); word != "" {
			near = fmt.Sprintf("; did you mean %q?", word)
		}
		return usagef("cmap is %q; it must be one of %s%s", cmap, strings.Join(report.ColorMaps(), ", "), near)
	}
	path, class, picture, err := onePicture(c, source)
	if err != nil {
		return err
	}
	rows, err := span("rows", c.String("rows"), picture.Height)
	if err != nil {
		return err
	}
	cols, err := span("cols", c.String("cols"), picture.Width)
	if err != nil {
		return err
	}
	channels := report.NewChannels(picture.Pix, picture.Width, picture.Height, rows, cols, cmap)
	channels.Path, channels.Class = path, class
	switch {
	case c.Bool("json"):
		return printJSON(c.App.Writer, channels)
	case c.String("output") != "":
		_, err = draw(c, drawing{picture: func() image.Image { return channels.Image() }, html: channels.WriteHTML})
		return err
	}
	return channels.WriteText(c.App.Writer, isTerminal(c.App.Writer) && os.Getenv("NO_COLOR") == "")
}

// onePicture decodes a picture file, or --picture of a set.
func onePicture(c *cli.Context, source string) (path, class string, p *data.Picture, err error) {
	if info, err := os.Stat(source); err == nil && info.Mode().IsRegular() {
		content, err := os.ReadFile(source)
		if err != nil {
			return "", "", nil, err
		}
		if p, err = data.Decode(content, data.DecodeOptions{}); err == nil {
			return source, "", p, nil
		}
	}
	set, err := openSet(c, source, newLogger(c.App.ErrWriter))
	if err != nil {
		return "", "", nil, err
	}
	defer set.Close()
	index, err := pictureIndex(c, set)
	if err != nil {
		return "", "", nil, err
	}
	sample := set.Samples[index]
	p, err = set.Picture(index)
	return sample.Path, set.Classes[sample.Label], p, err
}

// span reads FROM:TO within 0 to n; "" takes ten in the middle.
func span(name, text string, n int) ([2]int, error) {
	if text == "" {
		from := max(n/2-5, 0)
		return [2]int{from, min(from+10, n)}, nil
	}
	first, second, ok := strings.Cut(text, ":")
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(second)
	switch {
	case !ok || errors.Join(err1, err2) != nil:
		return [2]int{}, usagef("%s is %q; it must be FROM:TO, such as 25:35", name, text)
	case from < 0 || to > n || from >= to:
		return [2]int{}, usagef("%s is %s; the picture has 0:%d", name, text, n)
	case to-from > maxChannelSide:
		return [2]int{}, usagef("%s is %s; at most %d can be shown", name, text, maxChannelSide)
	}
	return [2]int{from, to}, nil
}
