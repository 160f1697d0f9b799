package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"strings"

	ximage "golang.org/x/image/draw"
)

// A TerminalKind is how a terminal shows pictures.
type TerminalKind int

const (
	// HalfBlocks draws with characters in 24-bit colours, two pixels each.
	HalfBlocks TerminalKind = iota
	// Kitty is the graphics protocol of kitty, Ghostty and others.
	Kitty
	// ITerm is the inline picture protocol of iTerm2, WezTerm and others.
	ITerm
)

// FindTerminal tells from the environment what the terminal can do.
func FindTerminal(getenv func(string) string) TerminalKind {
	switch {
	case getenv("TMUX") != "": // passes neither protocol on
		return HalfBlocks
	case getenv("KITTY_WINDOW_ID") != "", getenv("TERM") == "xterm-kitty", getenv("TERM") == "xterm-ghostty":
		return Kitty
	case getenv("TERM_PROGRAM") == "iTerm.app", getenv("TERM_PROGRAM") == "WezTerm":
		return ITerm
	}
	return HalfBlocks
}

// WriteTerminal draws a picture on a terminal of that many columns.
func WriteTerminal(w io.Writer, picture image.Image, kind TerminalKind, columns int) error {
	if kind == HalfBlocks {
		return writeHalfBlocks(w, picture, columns)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString(file.Bytes())
	if kind == ITerm {
		_, err := fmt.Fprintf(w, "\x1b]1337;File=inline=1;size=%d:%s\a\n", file.Len(), text)
		return err
	}
	// kitty takes at most 4096 characters a piece; m says whether more follow.
	var out strings.Builder
	for first := true; first || text != ""; first = false {
		piece := text[:min(len(text), 4096)]
		text = text[len(piece):]
		more := 0
		if text != "" {
			more = 1
		}
		if first {
			fmt.Fprintf(&out, "\x1b_Ga=T,f=100,m=%d;%s\x1b\\", more, piece)
		} else {
			fmt.Fprintf(&out, "\x1b_Gm=%d;%s\x1b\\", more, piece)
		}
	}
	out.WriteByte('\n')
	_, err := io.WriteString(w, out.String())
	return err
}

// writeHalfBlocks scales the picture to the columns; a character is half as wide as high.
func writeHalfBlocks(w io.Writer, picture image.Image, columns int) error {
	size := picture.Bounds().Size()
	if size.X < 1 || size.Y < 1 {
		return nil
	}
	width := max(min(columns, size.X), 1)
	height := max(size.Y*width/size.X, 1)
	small := image.NewRGBA(image.Rect(0, 0, width, height+height%2))
	draw.Draw(small, small.Bounds(), image.White, image.Point{}, draw.Src)
	ximage.CatmullRom.Scale(small, image.Rect(0, 0, width, height), picture, picture.Bounds(), draw.Over, nil)
	var out strings.Builder
	for y := 0; y < small.Bounds().Dy(); y += 2 {
		var top, bottom color.RGBA
		for x := range width {
			a, b := small.RGBAAt(x, y), small.RGBAAt(x, y+1)
			if x == 0 || a != top || b != bottom {
				fmt.Fprintf(&out, "\x1b[38;2;%d;%d;%d;48;2;%d;%d;%dm", a.R, a.G, a.B, b.R, b.G, b.B)
				top, bottom = a, b
			}
			out.WriteString("▀")
		}
		out.WriteString("\x1b[0m\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}
