package main

import (
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/collect"
)

func collectCommand() *cli.Command {
	return &cli.Command{
		Name:      "collect",
		Usage:     "gather pictures of each class from the web, with their licences",
		ArgsUsage: "CLASS...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "into", Usage: "folder `DIR` of the set"},
			&cli.IntFlag{Name: "max", Usage: "pictures wanted of each class", Value: 100},
			&cli.StringFlag{Name: "query", Usage: "what to search for; {class} stands for the class", Value: "{class}"},
			&cli.StringSliceFlag{Name: "source", Usage: "openverse, commons or duckduckgo (may be repeated)"},
			&cli.StringSliceFlag{Name: "csv", Usage: "`FILE` of URL,label"},
			&cli.StringSliceFlag{Name: "urls", Usage: "`[CLASS=]FILE` with an address a line"},
			&cli.StringFlag{Name: "license", Usage: "cc, public-domain, commercial or modification"},
			&cli.StringFlag{Name: "image-size", Usage: "small, medium, large, wallpaper or thumbnail"},
			&cli.StringFlag{Name: "layout", Usage: "tall, wide or square"},
			&cli.StringFlag{Name: "type", Usage: "photo, illustration, gif or transparent"},
			&cli.StringFlag{Name: "color", Usage: "color, monochrome or a colour's name"},
			&cli.IntFlag{Name: "max-side", Usage: "make larger pictures at most `N` pixels wide and high"},
			&cli.IntFlag{Name: "min-side", Usage: "drop pictures with a side under `N` pixels"},
			&cli.BoolFlag{Name: "keep-alike", Usage: "keep near duplicates"},
			&cli.DurationFlag{Name: "timeout", Usage: "of one download", Value: time.Minute},
			&cli.Int64Flag{Name: "max-bytes", Usage: "of one download", Value: 32 << 20},
			&cli.StringFlag{Name: "proxy", Usage: "`ADDRESS` of an HTTP proxy; none is used unless named"},
			&cli.StringFlag{Name: "contact", Usage: "address that servers' keepers can write to", EnvVars: []string{"ORRERY_CONTACT"}},
			&cli.BoolFlag{Name: "allow-private", Usage: "reach loopback and private networks"},
			jsonFlag(),
		},
		Action: collectPictures,
	}
}

func collectPictures(c *cli.Context) error {
	if c.String("into") == "" {
		return usagef("collect needs a folder for the set: --into DIR")
	}
	bars := newCollectBars(c.App.ErrWriter)
	log := newLogger(bars.w)
	o := collect.Options{
		Into: c.String("into"), Classes: c.Args().Slice(), Max: c.Int("max"), Query: c.String("query"), Sources: c.StringSlice("source"),
		CSV: c.StringSlice("csv"), URLs: c.StringSlice("urls"),
		MaxSide: c.Int("max-side"), MinSide: c.Int("min-side"), KeepAlike: c.Bool("keep-alike"), Timeout: c.Duration("timeout"),
		Contact: c.String("contact"), AllowPrivate: c.Bool("allow-private"),
		MaxBytes: c.Int64("max-bytes"), Proxy: c.String("proxy"),
		Notice:   func(line string) { log.Warn(line) },
		Progress: bars.show,
	}
	o.Filters.Licence, o.Filters.Size, o.Filters.Layout = c.String("license"), c.String("image-size"), c.String("layout")
	o.Filters.Type, o.Filters.Colour = c.String("type"), c.String("color")
	summary, err := collect.Run(c.Context, o)
	bars.end()
	if collect.IsUsage(err) {
		return usageError{err}
	}
	if summary != nil {
		printed := error(nil)
		if c.Bool("json") {
			printed = printJSON(c.App.Writer, summary)
		} else {
			printed = summary.Print(c.App.Writer)
		}
		if err == nil {
			err = printed
		}
	}
	if err == nil && summary != nil && fewKept(summary) {
		fmt.Fprintf(c.App.ErrWriter, "%s holds no picture yet: see the reasons above\n", o.Into)
	}
	return err
}

// fewKept tells that a run ended with nothing to train on.
func fewKept(s *collect.Summary) bool {
	for _, class := range s.Classes {
		if class.Kept > 0 {
			return false
		}
	}
	return true
}

// fileOrStdin opens a file, or standard input for "-".
func fileOrStdin(path string) (*os.File, error) {
	if path == "-" {
		return os.Stdin, nil
	}
	return os.Open(path)
}
