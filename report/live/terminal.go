package live

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/wangkuiyi/orrery/report"
)

// A Screen is the terminal that Terminal draws on.
type Screen struct {
	Out   io.Writer
	Size  func() (columns, rows int) // asked before each drawing
	Color bool
	// Redraw moves the cursor up and draws over; otherwise each drawing follows the last, for files and pipes.
	Redraw bool
}

// Terminal draws the newest run of dir as text each time it changed, until the
// run has its result or ctx ends.
func Terminal(ctx context.Context, dir string, every time.Duration, screen Screen) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot watch: %w", err)
	}
	defer release(root)
	if every <= 0 {
		every = time.Second
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var run *watched
	defer func() {
		if run != nil {
			release(run.root)
		}
	}()
	drawn, last := 0, -1
	for {
		if run == nil {
			if names := findRuns(root); len(names) > 0 {
				if run, err = watch(root, names[0]); err != nil {
					return fmt.Errorf("cannot watch: %w", err)
				}
			}
		}
		finished := false
		if run != nil {
			version, _ := run.look(time.Now(), every)
			text := ""
			run.mu.Lock()
			finished = run.run.Result != nil
			if version != last {
				columns, rows := screen.Size()
				text = run.run.Text(report.TextOptions{Width: columns, Rows: min(12, max(4, (rows-16)/2)), Color: screen.Color})
			}
			run.mu.Unlock()
			if version != last {
				if err := screen.draw(text, drawn); err != nil {
					return err
				}
				drawn, last = strings.Count(text, "\n"), version
			}
		}
		if finished {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// draw writes a text over the one of so many lines before it.
func (s Screen) draw(text string, over int) error {
	if s.Redraw {
		// Up to the first line, and each line clears its own rest.
		up := ""
		if over > 0 {
			up = fmt.Sprintf("\x1b[%dA", over)
		}
		text = up + strings.ReplaceAll(text, "\n", "\x1b[K\n") + "\x1b[J"
	}
	_, err := io.WriteString(s.Out, text)
	return err
}
