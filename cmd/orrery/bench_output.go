package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/wangkuiyi/orrery/bench"
	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/report"
	"github.com/wangkuiyi/orrery/trainer"
)

// A benchColumn is one of a table; it is left out where no row has anything in it.
type benchColumn struct {
	name string
	cell func(r bench.Row) string
}

// benchHead says what a row is of.
var benchHead = []benchColumn{
	{"work", func(r bench.Row) string { return r.Work }},
	{"input", func(r bench.Row) string { return r.Input }},
	{"pixels", func(r bench.Row) string { return r.Pixels }},
	{"device", func(r bench.Row) string { return r.Device }},
	{"model", func(r bench.Row) string { return r.Model }},
	{"batch", func(r bench.Row) string { return fmt.Sprint(r.BatchSize) }},
}

var benchRates = []benchColumn{
	{"img/s", func(r bench.Row) string { return fmt.Sprintf("%.0f", r.ImagesPerSecond) }},
	{"repeats", func(r bench.Row) string { return fmt.Sprintf("± %.1f %%", 50*r.RepeatSpread) }},
	{"ms/step", func(r bench.Row) string { return millis(r.MsPerStep) }},
	{"p50", func(r bench.Row) string { return millis(r.P50) }},
	{"p90", func(r bench.Row) string { return millis(r.P90) }},
	{"p99", func(r bench.Row) string { return millis(r.P99) }},
	{"spread", func(r bench.Row) string { return percent(r.Spread) }},
	{"first", func(r bench.Row) string { return millis(r.FirstStepMs) }},
	{"waiting", func(r bench.Row) string {
		if r.Work == bench.Data {
			return ""
		}
		return percent(r.DataWait)
	}},
	{"steps", func(r bench.Row) string {
		if r.Work != bench.Train {
			return ""
		}
		return wayOf(r.Way)
	}},
	{"memory", func(r bench.Row) string { return mebibytes(r.PeakMemoryBytes) }},
	{"J/1000", func(r bench.Row) string {
		return about(r.Energy, func(e bench.Energy) string { return fmt.Sprintf("%.1f", e.Per1000Images) })
	}},
	{"J/epoch", func(r bench.Row) string {
		return about(r.Energy, func(e bench.Energy) string { return some("%.0f", e.PerEpoch) })
	}},
	{"$/1000", func(r bench.Row) string {
		return about(r.Cost, func(c bench.Cost) string { return fmt.Sprintf("%.3g", c.Per1000Images) })
	}},
	{"$/epoch", func(r bench.Row) string {
		return about(r.Cost, func(c bench.Cost) string { return some("%.3g", c.PerEpoch) })
	}},
}

var benchParts = []benchColumn{
	{"data", func(r bench.Row) string { return millis(r.Split.Data) }},
	{"forward", func(r bench.Row) string { return millis(r.Split.Forward) }},
	{"backward", func(r bench.Row) string { return some("%.2f", r.Split.Backward) }},
	{"optimiser", func(r bench.Row) string { return some("%.2f", r.Split.Optimizer) }},
	{"GFLOP", func(r bench.Row) string {
		return about(r.Floor, func(f bench.Floor) string { return fmt.Sprintf("%.1f", f.FLOPs/1e9) })
	}},
	{"MB", func(r bench.Row) string {
		return about(r.Floor, func(f bench.Floor) string { return fmt.Sprintf("%.0f", f.Bytes/1e6) })
	}},
	{"floor", func(r bench.Row) string {
		return about(r.Floor, func(f bench.Floor) string { return millis(f.Ms) })
	}},
	{"bound by", func(r bench.Row) string { return about(r.Floor, func(f bench.Floor) string { return f.Bound }) }},
	{"reached", func(r bench.Row) string {
		return about(r.Floor, func(f bench.Floor) string { return percent(f.Reached) })
	}},
}

// wayOf is how steps were taken, in words.
func wayOf(w trainer.Way) string {
	words := []string{"waited for"}
	if w.Late {
		words[0] = "late"
	}
	if w.Graph {
		words = append(words, "graph")
	}
	if w.Resident {
		words = append(words, "resident")
	}
	return strings.Join(words, ", ")
}

func about[T any](v *T, text func(T) string) string {
	if v == nil {
		return ""
	}
	return text(*v)
}

func some(format string, v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func millis(v float64) string { return fmt.Sprintf("%.2f", v) }

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }

func mebibytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// benchTable lays rows out under the columns that hold something.
func benchTable(rows []bench.Row, columns []benchColumn) table.Writer {
	columns = slices.Clone(columns)
	columns = slices.DeleteFunc(columns, func(c benchColumn) bool {
		return !slices.ContainsFunc(rows, func(r bench.Row) bool { return c.cell(r) != "" })
	})
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault // as written
	var head table.Row
	var align []table.ColumnConfig
	for i, c := range columns {
		head = append(head, c.name)
		if i >= len(benchHead)-1 {
			align = append(align, table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight})
		}
	}
	t.AppendHeader(head)
	t.SetColumnConfigs(align)
	for _, r := range rows {
		var cells table.Row
		for _, c := range columns {
			cells = append(cells, c.cell(r))
		}
		t.AppendRow(cells)
	}
	return t
}

// benchTables are the report's, each with its heading.
func benchTables(r *bench.Report) (titles []string, tables []table.Writer) {
	var good, parted, failed []bench.Row
	for _, row := range r.Rows {
		if row.Error != "" {
			failed = append(failed, row)
			continue
		}
		good = append(good, row)
		if row.Split != nil {
			parted = append(parted, row)
		}
	}
	add := func(title string, t table.Writer) { titles, tables = append(titles, title), append(tables, t) }
	if len(good) > 0 {
		add("rates, in ms where no unit is given", benchTable(good, slices.Concat(benchHead, benchRates)))
	}
	if len(parted) > 0 {
		add("where a step's milliseconds go, and the least it could take", benchTable(parted, slices.Concat(benchHead, benchParts)))
	}
	if len(failed) > 0 {
		reason := benchColumn{"reason", func(r bench.Row) string { return oneLine(errors.New(r.Error)) }}
		add("not measured", benchTable(failed, append(slices.Clone(benchHead), reason)))
	}
	if len(r.Comparisons) > 0 {
		t := table.NewWriter()
		t.SetStyle(table.StyleLight)
		t.Style().Format.Header = text.FormatDefault
		t.AppendHeader(table.Row{"work", "input", "pixels", "model", "batch", "CPU img/s", "GPU img/s", "ratio", "break-even $/h", "cheaper"})
		for _, c := range r.Comparisons {
			t.AppendRow(table.Row{
				c.Work, c.Input, c.Pixels, c.Model, c.BatchSize, fmt.Sprintf("%.0f", c.CPU), fmt.Sprintf("%.0f", c.CUDA), fmt.Sprintf("%.2f", c.Ratio), some("%.2f", c.BreakEven), c.Cheaper,
			})
		}
		add("CPU against "+r.Comparisons[0].Device+": for one picture the GPU is the cheaper one while its hour costs less than `ratio` hours of the CPU", t)
	}
	return titles, tables
}

// benchFooter is what the tables were measured on, a line each.
func benchFooter(r *bench.Report) []string {
	m := r.Machine
	lines := []string{fmt.Sprintf("%s, %d cores, %d threads, libtorch %s, kernels %s, %s, %s, orrery %s", m.Processor, m.Cores, m.Threads, m.Libtorch, m.Kernels, m.Dtype, m.Layout, m.Commit)}
	if m.GPU != "" {
		lines = append(lines, fmt.Sprintf("%s, driver %s", m.GPU, m.Driver))
	}
	for _, c := range r.Ceilings {
		lines = append(lines, fmt.Sprintf("ceilings of %s, measured: %.0f GFLOP/s, %.1f GB/s", c.Device, c.FLOPS/1e9, c.BytesPerSecond/1e9))
	}
	return append(lines, r.Notes...)
}

// benchText is the report for a terminal.
func benchText(r *bench.Report) string {
	var out strings.Builder
	titles, tables := benchTables(r)
	for i, t := range tables {
		fmt.Fprintf(&out, "%s\n%s\n\n", titles[i], t.Render())
	}
	fmt.Fprintln(&out, strings.Join(benchFooter(r), "\n"))
	return out.String()
}

// benchMarkdown is the report as Markdown.
func benchMarkdown(r *bench.Report) string {
	var out strings.Builder
	fmt.Fprintf(&out, "# orrery bench, %s\n\n`%s`\n", r.Machine.Date, r.Machine.Command)
	titles, tables := benchTables(r)
	for i, t := range tables {
		fmt.Fprintf(&out, "\n## %s%s\n\n%s\n", strings.ToUpper(titles[i][:1]), titles[i][1:], t.RenderMarkdown())
	}
	out.WriteString("\n")
	for _, line := range benchFooter(r) {
		fmt.Fprintf(&out, "- %s\n", line)
	}
	return out.String()
}

// benchPlot shows the rates.
func benchPlot(r *bench.Report) report.BarPlot {
	p := report.BarPlot{Title: "orrery bench on " + r.Machine.Processor, Label: "images/s"}
	for _, row := range r.Rows {
		if row.Error != "" {
			continue
		}
		name := []string{row.Device, row.Model, fmt.Sprint(row.BatchSize), row.Work, row.Input, row.Pixels}
		p.Bars = append(p.Bars, report.Bar{
			Name: strings.Join(name, " "), Value: row.ImagesPerSecond, Text: fmt.Sprintf("%.0f", row.ImagesPerSecond), Color: slices.Index([]string{bench.Data, bench.Train, bench.Predict}, row.Work),
		})
	}
	return p
}

// write writes the files and says so in the log.
func (f benchFiles) write(r *bench.Report, log *slog.Logger) error {
	write := func(path string, content func() ([]byte, error)) error {
		if path == "" {
			return nil
		}
		text, err := content()
		if err == nil {
			err = atomicfile.Write(path, text)
		}
		if err == nil {
			log.Info("written", "file", path)
		}
		return err
	}
	markdown := func() ([]byte, error) { return []byte(benchMarkdown(r)), nil }
	results := markdown
	switch ending := filepath.Ext(f.results); ending {
	case ".json":
		results = func() ([]byte, error) {
			var text bytes.Buffer
			err := printJSON(&text, r)
			return text.Bytes(), err
		}
	case ".png", ".svg":
		results = func() ([]byte, error) { return benchPlot(r).Draw(ending) }
	}
	return errors.Join(
		write(f.results, results),
		write(f.markdown, markdown),
		write(f.mlperf, func() ([]byte, error) {
			var text bytes.Buffer
			err := r.WriteMLPerf(&text)
			return text.Bytes(), err
		}),
	)
}
