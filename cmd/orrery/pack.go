package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/collect/pack"
)

func packCommand() *cli.Command {
	return &cli.Command{
		Name:      "pack",
		Usage:     "put a set with its manifest into a zip or tar file, or s3://BUCKET/KEY",
		ArgsUsage: "DIR [ARCHIVE]",
		Flags: []cli.Flag{
			outputFlag("DIR.zip"),
			&cli.StringFlag{Name: "format", Usage: "zip or tar", DefaultText: "by the archive's name"},
			&cli.BoolFlag{Name: "replace", Usage: "replace an archive of that name"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			dir, archive := c.Args().Get(0), c.Args().Get(1)
			if dir == "" || c.NArg() > 2 {
				return usagef("pack takes DIR and, if you like, ARCHIVE")
			}
			if archive == "" {
				archive = c.String("output")
			}
			if archive == "" {
				archive = dir + ".zip"
			}
			show, end := countBar(c.App.ErrWriter, "packing", "bytes")
			summary, err := pack.Pack(c.Context, dir, archive, pack.Options{Format: c.String("format"), Replace: c.Bool("replace"), Progress: show})
			end()
			return printPacked(c, summary, err)
		},
	}
}

func unpackCommand() *cli.Command {
	return &cli.Command{
		Name:      "unpack",
		Usage:     "take a set out of an archive into a new folder; hostile archives are refused",
		ArgsUsage: "ARCHIVE [DIR]",
		Flags:     []cli.Flag{outputFlag("the archive's name without its ending"), jsonFlag()},
		Action: func(c *cli.Context) error {
			archive, dir := c.Args().Get(0), c.Args().Get(1)
			if archive == "" || c.NArg() > 2 {
				return usagef("unpack takes ARCHIVE and, if you like, DIR")
			}
			if dir == "" {
				dir = c.String("output")
			}
			if dir == "" {
				dir = runName(archive)
			}
			show, end := countBar(c.App.ErrWriter, "unpacking", "bytes")
			summary, err := pack.Unpack(c.Context, archive, dir, pack.UnpackOptions{Progress: show})
			end()
			return printPacked(c, summary, err)
		},
	}
}

func printPacked(c *cli.Context, summary *pack.Summary, err error) error {
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, summary)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%d pictures of %d classes, %.1f MB: %s\n",
		summary.Pictures, len(summary.Classes), float64(summary.Bytes)/1e6, printable(summary.Archive))
	return err
}
