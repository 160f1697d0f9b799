package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/collect"
	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/trainer"
)

func dataCommand() *cli.Command {
	return &cli.Command{
		Name:  "data",
		Usage: "look at pictures: ls, verify, summary, batch, show, channels, store, attribution",
		Subcommands: []*cli.Command{
			{Name: "ls", Usage: "classes, counts, sizes and formats", ArgsUsage: "DATA", Flags: []cli.Flag{fileFlag("text or .json `FILE` to write"), jsonFlag()}, Action: intoFile(dataLs)},
			{
				Name: "verify", Usage: "decode everything; list bad and duplicate pictures", ArgsUsage: "DATA", Action: intoFile(dataVerify),
				Flags: []cli.Flag{&cli.StringFlag{Name: "move-to", Usage: "set bad pictures aside in `DIR`"}, fileFlag("text or .json `FILE` to write"), jsonFlag()},
			},
			dataSummaryCommand(), dataBatchCommand(), dataShowCommand(), dataChannelsCommand(),
			{
				Name: "store", Usage: "what is stored of decoded pictures; --clear removes it", ArgsUsage: "[DATA]", Action: dataStore,
				Flags: []cli.Flag{&cli.StringFlag{Name: "dir", Usage: "folder of the stores", DefaultText: "in the user's cache"}, &cli.BoolFlag{Name: "clear"}, jsonFlag()},
			},
			{
				Name: "attribution", Usage: "credits of the pictures that orrery collect gathered", ArgsUsage: "DIR", Action: dataAttribution,
				Flags: []cli.Flag{&cli.StringFlag{Name: "format", Usage: "text, markdown, html or csv", Value: "text"}, jsonFlag()},
			},
		},
		Action: func(c *cli.Context) error {
			return usagef("data takes one of ls, verify, summary, batch, show, channels, store, attribution, not %q", c.Args().First())
		},
	}
}

// one gives a verb's only argument.
func one(c *cli.Context, name string) (string, error) {
	if c.NArg() != 1 {
		return "", usagef("%s takes one %s", c.Command.Name, name)
	}
	return c.Args().First(), nil
}

func dataLs(c *cli.Context) error {
	source, err := one(c, "DATA")
	if err != nil {
		return err
	}
	set, err := openSet(c, source, newLogger(c.App.ErrWriter))
	if err != nil {
		return err
	}
	defer set.Close()
	summary := set.Summary()
	if c.Bool("json") {
		return printJSON(c.App.Writer, summary)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"class", "pictures", ""})
	most := slices.Max(slices.Collect(maps.Values(summary.Classes)))
	for _, class := range set.Classes {
		n := summary.Classes[class]
		t.AppendRow(table.Row{printable(class), n, strings.Repeat("█", max(1, 30*n/most))})
	}
	var formats []string
	for _, name := range slices.Sorted(maps.Keys(summary.Formats)) {
		formats = append(formats, fmt.Sprintf("%d %s", summary.Formats[name], name))
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s\n%d pictures (%s), %.1f MB; width %d to %d, height %d to %d pixels; %d left out\n",
		t.Render(), summary.Images, strings.Join(formats, ", "), float64(summary.Bytes)/1e6,
		summary.Width.Min, summary.Width.Max, summary.Height.Min, summary.Height.Max, len(summary.Skipped))
	return err
}

func dataVerify(c *cli.Context) error {
	source, err := one(c, "DATA")
	if err != nil {
		return err
	}
	set, err := data.Open(c.Context, source, data.Options{Log: newLogger(c.App.ErrWriter)})
	if err != nil {
		return err
	}
	defer set.Close()
	// The split that training would make, where the set brings none: it can be too small for one.
	article := trainer.Article()
	train, valid, _ := set.Split(article.ValidPct, article.SplitSeed) //nolint:errcheck // no split, no leaks
	report, err := set.Verify(c.Context, data.VerifyOptions{Train: train, Valid: valid})
	if err != nil {
		return err
	}
	if dir := c.String("move-to"); dir != "" {
		var paths []string
		for _, bad := range report.Bad {
			paths = append(paths, bad.Path)
		}
		moved, err := set.SetAside(paths, dir)
		if err != nil {
			return err
		}
		newLogger(c.App.ErrWriter).Info("bad pictures set aside", "moved", moved, "into", dir)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, report)
	}
	w := c.App.Writer
	for _, bad := range report.Bad {
		fmt.Fprintf(w, "bad        %s: %s\n", printable(bad.Path), printable(bad.Reason))
	}
	for _, group := range report.Duplicates {
		fmt.Fprintf(w, "duplicate  %s\n", printable(strings.Join(group, " = ")))
	}
	for _, near := range report.NearDuplicates {
		fmt.Fprintf(w, "alike      %s ~ %s (%d of 256 bits)\n", printable(near.Paths[0]), printable(near.Paths[1]), near.Distance)
	}
	for _, conflict := range report.Conflicts {
		fmt.Fprintf(w, "conflict   %s is %s, %s is %s\n", printable(conflict.Paths[0]), printable(conflict.Classes[0]), printable(conflict.Paths[1]), printable(conflict.Classes[1]))
	}
	for _, leak := range report.Leaks {
		fmt.Fprintf(w, "leak       %s is validated on, %s trained on\n", printable(leak.Valid), printable(leak.Train))
	}
	_, err = fmt.Fprintf(w, "%d pictures, %d bad, %d groups of duplicates, %d near duplicates, %d in two classes, %d on both sides of the split\n",
		report.Images, len(report.Bad), len(report.Duplicates), len(report.NearDuplicates), len(report.Conflicts), len(report.Leaks))
	return err
}

func dataStore(c *cli.Context) error {
	if c.Bool("clear") {
		freed, err := data.ClearStores(c.String("dir"), c.Args().First())
		if err == nil {
			_, err = fmt.Fprintf(c.App.Writer, "%.1f MB freed\n", float64(freed)/1e6)
		}
		return err
	}
	stores, err := data.Stores(c.String("dir"))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, stores)
	}
	slices.SortFunc(stores, func(a, b data.StoreSummary) int { return cmp.Compare(b.Bytes, a.Bytes) })
	for _, s := range stores {
		fmt.Fprintf(c.App.Writer, "%8.1f MB  %6d pictures  short side %d  %s\n", float64(s.Bytes)/1e6, s.Pictures, s.ShortSide, printable(s.Source))
	}
	return nil
}

func dataAttribution(c *cli.Context) error {
	dir, err := one(c, "DIR")
	if err != nil {
		return err
	}
	credits, err := collect.Attribution(dir)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, credits)
	}
	return credits.Print(c.App.Writer, c.String("format"))
}
