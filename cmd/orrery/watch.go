package main

import (
	"fmt"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/report/live"
)

func watchCommand() *cli.Command {
	return &cli.Command{
		Name:      "watch",
		Usage:     "follow running and finished runs on a local page",
		ArgsUsage: "[RUN|DIR]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "loopback address of the page", Value: "127.0.0.1:0"},
			&cli.BoolFlag{Name: "terminal", Usage: "draw curves in the terminal instead"},
		},
		Action: watch,
	}
}

func watch(c *cli.Context) error {
	dir := "runs"
	if c.Args().Present() {
		dir = c.Args().First()
	}
	if c.Bool("terminal") {
		return live.Terminal(c.Context, dir, time.Second, live.Screen{
			Out: c.App.Writer, Size: terminalSize, Redraw: isTerminal(c.App.Writer),
			Color: isTerminal(c.App.Writer) && os.Getenv("NO_COLOR") == "",
		})
	}
	server, err := live.New(dir, live.Options{})
	if err != nil {
		return err
	}
	defer server.Close()
	return server.Serve(c.Context, c.String("listen"), func(url string) { fmt.Fprintln(c.App.Writer, url) })
}

func terminalSize() (columns, rows int) {
	columns, rows, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 80, 24
	}
	return columns, rows
}

func compareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "set runs beside each other: numbers, curves, recipe differences",
		ArgsUsage: "RUN RUN...",
		Flags:     []cli.Flag{&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "comparison.html", Usage: "page `FILE` to write"}, jsonFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() < 2 {
				return usagef("compare takes at least two RUNs")
			}
			comparison, err := report.Compare(c.Args().Slice())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, comparison)
			}
			if err := comparison.WritePage(c.String("output")); err != nil {
				return err
			}
			return printComparison(c, comparison)
		},
	}
}

// printComparison prints the page's tables for people, and where the page is.
func printComparison(c *cli.Context, comparison *report.Comparison) error {
	number := func(x *float64, format string) string {
		if x == nil {
			return "–"
		}
		return fmt.Sprintf(format, *x)
	}
	results := newTable("run", "accuracy", "best epoch", "valid loss", "epochs", "seconds", "img/s", "device")
	head := []any{"recipe"}
	for _, r := range comparison.Runs {
		results.AppendRow(table.Row{printable(r.Name), number(r.Accuracy, "%.4f"), number(r.BestAccuracy, "%.4f"), number(r.ValidLoss, "%.4f"), r.Epochs,
			number(r.Seconds, "%.1f"), number(r.ImagesPerSecond, "%.1f"), r.Device})
		head = append(head, printable(r.Name))
	}
	fmt.Fprintln(c.App.Writer, results.Render())
	if len(comparison.Differences) > 0 {
		recipes := newTable(head...)
		for _, d := range comparison.Differences {
			row := table.Row{d.Key}
			for _, value := range d.Values {
				row = append(row, printable(value))
			}
			recipes.AppendRow(row)
		}
		fmt.Fprintln(c.App.Writer, recipes.Render())
	}
	_, err := fmt.Fprintf(c.App.Writer, "page: %s\n", c.String("output"))
	return err
}
