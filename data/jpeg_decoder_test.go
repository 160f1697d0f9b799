package data

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"
)

// painter is a JPEGDecoder that makes every picture of one colour, but those of a width that it refuses.
type painter struct {
	mu      sync.Mutex
	refuses int
	widths  []int
	version string
}

var painted = []byte{9, 8, 7, 255}

func (p *painter) Version() string { return p.version }

func (p *painter) DecodeJPEG(pix, file []byte, width, height int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.widths = append(p.widths, width)
	if width == p.refuses {
		pix[0] = 99
		return errors.New("refused")
	}
	copy(pix, bytes.Repeat(painted, width*height))
	return nil
}

// Whole JPEG files of colour go to the other decoder, everything else and what it refuses to TurboJPEG.
func TestOtherJPEGDecoder(t *testing.T) {
	file := jpegOf(t, blobs(1, 40, 24))
	padded := append(slices.Clone(file), 0, 0, 0)
	// Adobe's marker with colour transform 0: the components are R, G and B.
	adobe := append([]byte("\xff\xd8\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"), file[2:]...)
	named := bytes.Clone(file)
	at := bytes.Index(named, []byte{0xff, 0xc0})
	named[at+10], named[at+13], named[at+16] = 'R', 'G', 'B'
	for name, c := range map[string]struct {
		file    []byte
		refuses int
		asked   bool
		paints  bool
	}{
		"jpeg":            {file, 0, true, true},
		"padded":          {padded, 0, true, true},
		"refused":         {file, 40, true, false},
		"truncated":       {file[:len(file)-2], 0, false, false},
		"components RGB":  {adobe, 0, false, false},
		"components' ids": {named, 0, false, false},
		"ink":             {pictures(t)["jpeg-cmyk"].File, 0, false, false},
		"RGB by Pillow":   {pictures(t)["jpeg-rgb"].File, 0, false, false},
		"progressive":     {pictures(t)["jpeg-progressive"].File, 0, true, true},
		"png":             {pictures(t)["png-rgb"].File, 0, false, false},
	} {
		if len(c.file) == 0 {
			t.Fatalf("%s: testdata has no such picture", name)
		}
		other := &painter{refuses: c.refuses}
		want, wantErr := Decode(c.file, DecodeOptions{})
		got, err := Decode(c.file, DecodeOptions{JPEG: other})
		if (len(other.widths) > 0) != c.asked {
			t.Errorf("%s: asked %t", name, len(other.widths) > 0)
		}
		switch {
		case c.paints && (err != nil || !bytes.HasPrefix(got.Pix, painted)):
			t.Errorf("%s: %v", name, err)
		case !c.paints && ((err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got.Pix, want.Pix)):
			t.Errorf("%s: %v, want %v", name, err, wantErr)
		}
	}
}

// It decodes whole, so the picture is scaled afterwards, and turned.
func TestOtherJPEGDecoderScalesAndTurns(t *testing.T) {
	other := &painter{}
	o := DecodeOptions{JPEG: other, ShortSide: 16}
	p, err := Decode(jpegOf(t, blobs(1, 400, 240)), o)
	if err != nil || p.Width != 27 || p.Height != 16 || !slices.Equal(other.widths, []int{400}) {
		t.Errorf("%v, %v, decoded at widths %v", p, err, other.widths)
	}
	turned := pictures(t)["jpeg-exif-6"]
	p, err = Decode(turned.File, DecodeOptions{JPEG: other})
	if err != nil || p.Width != turned.Width || p.Height != turned.Height || !bytes.HasPrefix(p.Pix, painted) {
		t.Errorf("%v, %v, want %dx%d", p, err, turned.Width, turned.Height)
	}
}

// Pictures of one decoder, or of one version of it, are never taken for another's.
func TestStoresOfDecodersAreApart(t *testing.T) {
	root, dir := storeSet(t, 4), t.TempDir()
	folders := map[string]bool{}
	for _, decoder := range []JPEGDecoder{nil, &painter{version: "painter 1"}, &painter{version: "painter 2"}} {
		for _, hits := range []int64{0, 4} {
			d := openSet(t, root).DecodedAs(DecodeOptions{JPEG: decoder})
			s := openStore(t, d, StoreOptions{Dir: dir})
			for i := range d.Samples {
				p, err := s.Picture(i)
				if err != nil {
					t.Fatal(err)
				}
				if painted := bytes.HasPrefix(p.Pix, painted); painted != (decoder != nil) {
					t.Errorf("picture %d painted: %t, decoder %v", i, painted, decoder)
				}
			}
			if got := s.Stats().Hits; got != hits {
				t.Errorf("%v: %d hits, want %d", decoder, got, hits)
			}
			folders[s.Stats().Folder] = true
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(folders) != 3 {
		t.Errorf("stores %v", folders)
	}
}
