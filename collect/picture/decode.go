// Package picture reads pictures that nobody vouches for, and measures them: how large, how sharp, how alike.
package picture

import (
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"time"

	_ "image/gif" // the formats image.Decode knows

	"github.com/disintegration/imaging"
	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/tiff"
	_ "golang.org/x/image/webp"
)

// MaxPixels is how many pixels a picture may have unless a caller says otherwise: a 50-megapixel camera's.
const MaxPixels = 52_000_000

// decodeTime bounds how long one picture may take. Pictures made to be slow (thousands of progressive scans) end here.
const decodeTime = 30 * time.Second

var (
	// ErrTooManyPixels is wrapped by errors about pictures over the pixel limit, which are seen before any pixel is decoded.
	ErrTooManyPixels = errors.New("too many pixels")
	errSlow          = errors.New("takes too long to decode")
)

// extensions are the file names of the formats read, by the name image.DecodeConfig gives them.
var extensions = map[string]string{"jpeg": ".jpg", "png": ".png", "gif": ".gif", "webp": ".webp", "bmp": ".bmp", "tiff": ".tif"}

// Header is what the first bytes of a picture say.
type Header struct {
	Width, Height int
	Format        string // jpeg, png, gif, webp, bmp, tiff
}

// Extension returns the file name extension of the format, with its dot.
func (h Header) Extension() string { return extensions[h.Format] }

// Cost estimates the bytes of memory that decoding takes at its peak. Progressive JPEG keeps its coefficients, 16-bit PNG eight
// bytes a pixel; eight covers both nearly always.
func (h Header) Cost() int64 { return int64(h.Width) * int64(h.Height) * 8 }

// ReadHeader reads the size and format of a picture. maxPixels 0 stands for MaxPixels.
func ReadHeader(r io.Reader, maxPixels int) (header Header, err error) {
	defer recovered(&err)
	config, format, err := image.DecodeConfig(r)
	if err != nil {
		return header, fmt.Errorf("not a picture that can be read: %w", err)
	}
	header = Header{config.Width, config.Height, format}
	if maxPixels == 0 {
		maxPixels = MaxPixels
	}
	switch {
	case extensions[format] == "":
		return header, fmt.Errorf("format %s is not read", format)
	case config.Width <= 0 || config.Height <= 0:
		return header, fmt.Errorf("size %d x %d is not a picture's", config.Width, config.Height)
	case config.Height > maxPixels/config.Width:
		return header, fmt.Errorf("%w: %d x %d, limit %d million", ErrTooManyPixels, config.Width, config.Height, maxPixels/1_000_000)
	}
	return header, nil
}

// Decode reads a picture in full, turned the way its EXIF orientation asks. Of an animation it is the first frame.
// The caller has checked the header.
func Decode(r io.Reader) (picture image.Image, err error) {
	defer recovered(&err)
	picture, err = imaging.Decode(&deadlineReader{r, time.Now().Add(decodeTime)}, imaging.AutoOrientation(true))
	if err == nil && picture.Bounds().Empty() {
		err = errors.New("holds no pixels")
	}
	return picture, err
}

// recovered turns a panic into an error: decoders index by what a file claims, and some files lie in ways they do not expect.
func recovered(err *error) {
	if cause := recover(); cause != nil {
		*err = fmt.Errorf("damaged in a way its decoder does not expect (%v)", cause)
	}
}

// deadlineReader stops a decoder that reads for too long.
type deadlineReader struct {
	io.Reader
	until time.Time
}

func (d *deadlineReader) Read(p []byte) (int, error) {
	if time.Now().After(d.until) {
		return 0, errSlow
	}
	return d.Reader.Read(p)
}

// Shrink returns the picture no longer than maxSide on either side, and whether it had to be made smaller.
func Shrink(picture image.Image, maxSide int) (small image.Image, smaller bool, err error) {
	defer recovered(&err)
	size := picture.Bounds().Size()
	if maxSide <= 0 || (size.X <= maxSide && size.Y <= maxSide) {
		return picture, false, nil
	}
	return imaging.Fit(picture, maxSide, maxSide, imaging.Lanczos), true, nil
}

// Encode writes a picture as JPEG, or as PNG when the format it came in keeps every pixel, and returns the extension.
func Encode(w io.Writer, picture image.Image, from string) (extension string, err error) {
	defer recovered(&err)
	if from == "png" || from == "gif" {
		return ".png", png.Encode(w, picture)
	}
	return ".jpg", jpeg.Encode(w, picture, &jpeg.Options{Quality: 92})
}
