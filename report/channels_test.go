package report

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"strings"
	"testing"
)

// gradient is a picture of 6 x 4 pixels whose red is ten times the column and
// whose green is twenty times the row.
func gradient() []uint8 {
	var pix []uint8
	for y := range 4 {
		for x := range 6 {
			pix = append(pix, uint8(10*x), uint8(20*y), 200, 255)
		}
	}
	return pix
}

func TestChannels(t *testing.T) {
	c := NewChannels(gradient(), 6, 4, [2]int{1, 3}, [2]int{2, 6}, "gist_heat")
	c.Path, c.Class = "a/<b>\x1b[31m.jpg", "earth"
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"shape":[4,6,3]`, `"red":[[20,30,40,50],[20,30,40,50]]`, `"green":[[20,20,20,20],[40,40,40,40]]`, `"rows":[1,3]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if m := c.Region(); m.Bounds() != image.Rect(0, 0, 4, 2) || m.At(1, 1) != (color.RGBA{30, 40, 200, 255}) {
		t.Errorf("region %v, %v", m.Bounds(), m.At(1, 1))
	}

	var plain, coloured, html bytes.Buffer
	if err := c.WriteText(&plain, false); err != nil {
		t.Fatal(err)
	}
	if s := plain.String(); !strings.Contains(s, "[4,6,3] uint8, rows 1:3, columns 2:6") || !strings.Contains(s, "    1   20   30   40   50") || strings.Contains(s, "\x1b") {
		t.Errorf("plain text:\n%q", s)
	}
	if err := c.WriteText(&coloured, true); err != nil {
		t.Fatal(err)
	}
	heat, _ := FindColorMap("gist_heat")
	if g := heat.At(200. / 255); g.R == 0 || !strings.Contains(coloured.String(), "\x1b[48;2;30;40;200m  ") || strings.Contains(coloured.String(), "\x1b[31m") {
		t.Errorf("coloured text lacks the region, or lets a name's escape through")
	}
	if err := c.WriteHTML(&html); err != nil {
		t.Fatal(err)
	}
	if s := html.String(); strings.Count(s, "<table>") != 4 || strings.Count(s, "<td") != 4*8 || strings.Contains(s, "<b>") {
		t.Errorf("page:\n%s", s)
	}
	// A cell of the red table and the same of the region, in the drawing.
	m := c.Image()
	tableWidth := 5*cellWidth + channelsGap
	x, y := channelsGap+3*cellWidth+3, channelsGap+4*cellHeight+3
	if got, want := m.At(x, y), heat.At(40./255); got != want {
		t.Errorf("the cell of red 40 is %v, want %v", got, want)
	}
	if got := m.At(x+3*tableWidth, y); got != (color.RGBA{40, 40, 200, 255}) {
		t.Errorf("the region's cell is %v", got)
	}
}

func TestTerminalPictures(t *testing.T) {
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i+1 < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	for _, c := range []struct {
		env  func(string) string
		want TerminalKind
	}{
		{env(), HalfBlocks}, {env("TERM", "xterm-kitty"), Kitty}, {env("KITTY_WINDOW_ID", "3"), Kitty},
		{env("TERM_PROGRAM", "WezTerm"), ITerm}, {env("TERM", "xterm-kitty", "TMUX", "x"), HalfBlocks},
	} {
		if got := FindTerminal(c.env); got != c.want {
			t.Errorf("kind %v, want %v", got, c.want)
		}
	}
	picture := image.NewRGBA(image.Rect(0, 0, 90, 63))
	for i := range picture.Pix {
		picture.Pix[i] = uint8(uint32(i*i) * 2654435761 >> 24)
	}
	draw := func(kind TerminalKind) string {
		var out bytes.Buffer
		if err := WriteTerminal(&out, picture, kind, 30); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if s := draw(HalfBlocks); strings.Count(s, "▀") != 30*11 || strings.Count(s, "\n") != 11 {
		t.Errorf("%d characters in %d lines, want 330 in 11", strings.Count(s, "▀"), strings.Count(s, "\n"))
	}
	if s := draw(Kitty); !strings.HasPrefix(s, "\x1b_Ga=T,f=100,m=1;iVBOR") || !strings.Contains(s, "\x1b_Gm=0;") {
		t.Errorf("kitty: %.60q", s)
	}
	if s := draw(ITerm); !strings.HasPrefix(s, "\x1b]1337;File=inline=1;size=") || !strings.HasSuffix(s, "\a\n") {
		t.Errorf("iTerm: %.60q", s)
	}
	var page bytes.Buffer
	if err := WriteGridHTML(&page, "first batch", []image.Image{picture}, []string{"<i>earth"}, 3); err != nil {
		t.Fatal(err)
	}
	if s := page.String(); strings.Contains(s, "<i>") || !strings.Contains(s, "data:image/png;base64,iVBOR") || !strings.Contains(s, "&lt;i&gt;earth") {
		t.Errorf("page: %.900s", s)
	}
}
