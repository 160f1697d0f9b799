package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/wangkuiyi/orrery/data/internal/turbojpeg"
)

// DecodeOptions says how a picture file becomes a Picture.
type DecodeOptions struct {
	MaxPixels         int  // refuse larger pictures before decoding; 0 means DefaultMaxPixels
	IgnoreOrientation bool // leave the pixels as stored, as fastai does

	// ShortSide, if not 0, is the number of pixels to which the short side of
	// larger pictures is scaled. A large JPEG is then decoded at 1/2, 1/4 or 1/8
	// of its size, which is several times faster and not what fastai computes.
	ShortSide int

	// Quick transforms the blocks of a JPEG with fewer bits, scales it before its colours
	// are converted, and, where it is not scaled and has fewer samples of colour than
	// pixels, repeats those, which other decoders interpolate.
	Quick bool

	// JPEG, if not nil, decodes JPEG files whole where it can, in place of TurboJPEG, which gets the others.
	JPEG JPEGDecoder
}

// A JPEGDecoder decodes JPEG files of colour, as a GPU's does. Its methods may be called by many goroutines.
type JPEGDecoder interface {
	// Version names the decoder and its version: stores of decoded pictures are kept apart by it.
	Version() string
	// DecodeJPEG decodes a file into pix, [height, width, 4] bytes: R, G, B, 255. An error leaves the file to TurboJPEG.
	DecodeJPEG(pix, file []byte, width, height int) error
}

// decoderVersion changes whenever the same file may decode to other pixels,
// so that a store of decoded pictures knows what it holds.
const decoderVersion = 3

// Decode decodes a picture file: JPEG, PNG, GIF (first frame), WebP (first
// frame), BMP or TIFF, told by its content. Alpha is dropped, 16 bits become
// 8, the EXIF orientation is applied. Damage is an error, also where other
// decoders would guess the rest of the picture.
func Decode(b []byte, o DecodeOptions) (*Picture, error) {
	p := &Picture{}
	if err := DecodeInto(p, b, o); err != nil {
		return nil, err
	}
	return p, nil
}

// DecodeInto is Decode into the memory of p, which grows when it is too
// small. After an error the contents of p are undefined.
func DecodeInto(p *Picture, b []byte, o DecodeOptions) error {
	h, err := ReadHeader(bytes.NewReader(b), int64(len(b)), o.MaxPixels)
	if err != nil {
		return err
	}
	if done, err := decodePlanar(p, b, h, o); done || err != nil {
		return err
	}
	return scaledTo(p, o.ShortSide, func(p *Picture) error { return decodeAs(p, b, h, o) })
}

// decodedSize returns the size of the picture as decoded, turned upright and scaled.
func (h Header) decodedSize(o DecodeOptions) (w, ht int) {
	d := h.shrink(o)
	w, ht = (h.Width+d-1)/d, (h.Height+d-1)/d
	if h.Orientation >= 5 && !o.IgnoreOrientation {
		w, ht = ht, w
	}
	return shortSide(w, ht, o.ShortSide)
}

// shrink returns by how much a JPEG is decoded smaller: 1, 2, 4 or 8.
func (h Header) shrink(o DecodeOptions) int {
	if h.Format != "jpeg" || o.ShortSide <= 0 || o.JPEG != nil {
		return 1
	}
	d := 8
	for d > 1 && min(h.Width, h.Height)/d < o.ShortSide {
		d /= 2
	}
	return d
}

// turn returns the orientation to apply, 1 for none.
func (h Header) turn(o DecodeOptions) int {
	if o.IgnoreOrientation || h.Orientation < 2 || h.Orientation > 8 {
		return 1
	}
	return h.Orientation
}

func decodeAs(p *Picture, b []byte, h Header, o DecodeOptions) error {
	turn := h.turn(o)
	if turn == 1 {
		return decodeStored(p, b, h, o)
	}
	var stored Picture
	if err := decodeStored(&stored, b, h, o); err != nil {
		return err
	}
	orient(p, &stored, turn)
	return nil
}

// decodeStored decodes without regard to the orientation. Decoders written in
// Go get their panics turned into errors: a picture is data, not code.
func decodeStored(p *Picture, b []byte, h Header, o DecodeOptions) (err error) {
	if h.Format == "jpeg" {
		if o.JPEG != nil && !h.ink && !h.rgb && ends(b) {
			p.reset(h.Width, h.Height)
			if o.JPEG.DecodeJPEG(p.Pix, b, h.Width, h.Height) == nil {
				return nil
			}
		}
		return decodeJPEG(p, b, h, h.shrink(o), o.Quick)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("damaged %s: its decoder gave up (%v)", h.Format, r)
		}
	}()
	if h.Format == "webp" {
		return decodeWebP(p, b, h, o)
	}
	var m image.Image
	switch h.Format {
	case "png":
		m, err = png.Decode(bytes.NewReader(b))
	case "gif":
		m, err = gif.Decode(bytes.NewReader(opaqueGIF(b)))
	case "bmp":
		m, err = bmp.Decode(bytes.NewReader(b))
	case "tiff":
		m, err = tiff.Decode(bytes.NewReader(b))
	default:
		err = fmt.Errorf("format %q is not read here", h.Format)
	}
	if err != nil {
		return goDecoderError(h.Format, err)
	}
	// The first frame of a GIF may cover only a part of its screen.
	p.reset(h.Width, h.Height)
	r := image.Rect(0, 0, h.Width, h.Height)
	if h.Format != "gif" {
		m = atOrigin{m}
	} else if !r.In(m.Bounds()) {
		fill(p.Pix)
	}
	return toRGBX(p, m)
}

// goDecoderError puts the decoder's words into the form of Orrery's lists.
func goDecoderError(format string, err error) error {
	switch s := err.Error(); {
	case errors.Is(err, errEOF), errors.Is(err, errUnexpectedEOF), s == "gif: not enough image data":
		return fmt.Errorf("truncated %s: the file ends before its picture does", format)
	default:
		return fmt.Errorf("%s: %w", format, err)
	}
}

func decodeJPEG(p *Picture, b []byte, h Header, shrink int, quick bool) error {
	p.reset((h.Width+shrink-1)/shrink, (h.Height+shrink-1)/shrink)
	if err := turbojpeg.Decode(p.Pix, b, p.Width, p.Height, h.ink, quick); err != nil {
		return err
	}
	if h.ink {
		inkToRGBX(p.Pix, h.adobe)
	}
	return nil
}

// ends tells whether a JPEG file has its end, past zeros that some cameras add. TurboJPEG says of files without what is
// wrong with them; other decoders may guess the rest.
func ends(b []byte) bool { return bytes.HasSuffix(bytes.TrimRight(b, "\x00"), []byte{0xff, 0xd9}) }

// inkToRGBX turns C, M, Y, K into R, G, B, 255 the plain way, without a
// colour profile: light = (1-ink)(1-black). Adobe stores 255 - ink.
func inkToRGBX(pix []uint8, inverted bool) {
	for i := 0; i+4 <= len(pix); i += 4 {
		c, m, y, k := pix[i], pix[i+1], pix[i+2], pix[i+3]
		if inverted {
			c, m, y, k = 255-c, 255-m, 255-y, 255-k
		}
		light := uint32(255 - k)
		pix[i] = uint8(light - mul255(uint32(c), light))
		pix[i+1] = uint8(light - mul255(uint32(m), light))
		pix[i+2] = uint8(light - mul255(uint32(y), light))
		pix[i+3] = 255
	}
}

// mul255 returns a*b/255 rounded, for a, b in 0..255.
func mul255(a, b uint32) uint32 {
	t := a*b + 128
	return (t>>8 + t) >> 8
}

// fill makes the pixels black.
func fill(pix []uint8) {
	for i := 0; i+4 <= len(pix); i += 4 {
		pix[i], pix[i+1], pix[i+2], pix[i+3] = 0, 0, 0, 255
	}
}

// opaqueGIF returns b with the transparency of the first frame switched off:
// alpha is dropped everywhere here, and Go's decoder would drop the colour of
// transparent pixels with it. b itself stays as it is.
func opaqueGIF(b []byte) []byte {
	if len(b) < 13 {
		return b
	}
	at := 13
	if b[10]&0x80 != 0 {
		at += 3 << (b[10]&7 + 1)
	}
	for at+4 < len(b) && b[at] == 0x21 { // an extension
		if b[at+1] == 0xf9 && b[at+2] == 4 && b[at+3]&1 != 0 {
			b = bytes.Clone(b)
			b[at+3] &^= 1
		}
		at += 2
		for at < len(b) && b[at] != 0 {
			at += 1 + int(b[at])
		}
		at++
	}
	return b
}
