package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Header is what the first bytes of a picture file say about it.
type Header struct {
	Format        string // "jpeg", "png", "gif", "webp", "bmp" or "tiff", found in the content
	Width, Height int    // in pixels as stored, before the orientation is applied
	Orientation   int    // EXIF orientation 1..8, 1 where there is none
	Bytes         int64  // size of the file

	density int64 // most pixels a byte of the file can hold, 0 without bound

	ink   bool // JPEG with four components: CMYK or YCCK
	adobe bool // JPEG with Adobe's marker, which stores ink inverted
	rgb   bool // JPEG whose components are R, G and B, by Adobe's marker or by their names
}

// DefaultMaxPixels is the largest picture decoded unless an option says
// otherwise: 178,956,970 pixels, where Pillow refuses too.
const DefaultMaxPixels = 178956970

// The most pixels a byte of a file can hold, so that a larger claim can only be
// a bomb or a stump. WebP has no such bound: one colour takes no bits at all.
const (
	densest     = 10000 // deflate: 1032 bytes of 1-bit pixels; JPEG stays far below
	densestGIF  = 2048  // LZW: 4096 codes of 12 bits for 8 million pixels
	densestFlat = 8     // uncompressed 1-bit pixels
)

// ReadHeader reads the header of a picture file of size bytes. The format is
// found in the content, never in a name. It reads a few kilobytes and
// allocates nothing in proportion to what the header claims. maxPixels 0
// means DefaultMaxPixels.
func ReadHeader(r io.ReaderAt, size int64, maxPixels int) (Header, error) {
	if maxPixels <= 0 {
		maxPixels = DefaultMaxPixels
	}
	w := &window{r: r, size: size}
	h, err := readHeader(w)
	if err != nil {
		if w.err != nil {
			err = w.err
		}
		return h, err
	}
	if h.Width <= 0 || h.Height <= 0 {
		return h, fmt.Errorf("%s of %dx%d pixels: nothing to see", h.Format, h.Width, h.Height)
	}
	if int64(h.Width) > int64(maxPixels)/int64(h.Height) {
		return h, fmt.Errorf("%s claims %dx%d pixels, more than the limit of %d", h.Format, h.Width, h.Height, maxPixels)
	}
	if h.density > 0 && int64(h.Width)*int64(h.Height)/h.density > size {
		return h, fmt.Errorf("%s claims %dx%d pixels in a file of %d bytes", h.Format, h.Width, h.Height, size)
	}
	if h.Orientation < 1 || h.Orientation > 8 {
		h.Orientation = 1
	}
	h.Bytes = size
	return h, nil
}

// window reads small pieces of a file through one buffer.
type window struct {
	r    io.ReaderAt
	size int64
	buf  []byte
	off  int64
	err  error // a failure of the disk, not of the format
}

const windowBytes = 4096

// at returns up to n bytes from off: fewer, or none, at the end of the file.
func (w *window) at(off int64, n int) []byte {
	if off < 0 || off >= w.size || n <= 0 {
		return nil
	}
	if int64(n) > w.size-off {
		n = int(w.size - off)
	}
	if off < w.off || off+int64(n) > w.off+int64(len(w.buf)) {
		want := max(n, windowBytes)
		if int64(want) > w.size-off {
			want = int(w.size - off)
		}
		if cap(w.buf) < want {
			w.buf = make([]byte, want)
		}
		w.buf = w.buf[:want]
		w.off = off
		got, err := w.r.ReadAt(w.buf, off)
		w.buf = w.buf[:got]
		if err != nil && !errors.Is(err, io.EOF) && got < n {
			w.err = err
		}
	}
	b := w.buf[off-w.off:]
	if len(b) > n {
		b = b[:n]
	}
	return b
}

var errTruncatedHeader = errors.New("truncated: the file ends inside its header")

func readHeader(w *window) (Header, error) {
	b := w.at(0, 32)
	s := string(b)
	switch {
	case w.size == 0:
		return Header{}, errors.New("the file is empty")
	case len(b) >= 3 && s[:3] == "\xff\xd8\xff":
		return jpegHeader(w)
	case len(b) >= 8 && s[:8] == "\x89PNG\r\n\x1a\n":
		return pngHeader(w)
	case len(b) >= 6 && (s[:6] == "GIF87a" || s[:6] == "GIF89a"):
		if len(b) < 10 {
			return Header{Format: "gif"}, errTruncatedHeader
		}
		return Header{Format: "gif", density: densestGIF, Width: int(binary.LittleEndian.Uint16(b[6:])),
			Height: int(binary.LittleEndian.Uint16(b[8:]))}, nil
	case len(b) >= 12 && s[:4] == "RIFF" && s[8:12] == "WEBP":
		return webpHeader(w)
	case len(b) >= 18 && s[:2] == "BM" && binary.LittleEndian.Uint32(b[14:]) <= 124:
		return bmpHeader(w)
	case len(b) >= 8 && (s[:4] == "II*\x00" || s[:4] == "MM\x00*"):
		return tiffHeader(w)
	}
	return Header{}, fmt.Errorf("not a picture: %s", guess(w.at(0, 512)))
}

// guess names what a file is that is no picture, for the list of skipped
// files.
func guess(b []byte) string {
	t := detect(b)
	if t == "" {
		return "unknown content"
	}
	return "it looks like " + t
}

func jpegHeader(w *window) (Header, error) {
	h := Header{Format: "jpeg", density: densest}
	off := int64(2)
	for {
		b := w.at(off, 4)
		if len(b) < 4 {
			return h, errTruncatedHeader
		}
		if b[0] != 0xff {
			return h, fmt.Errorf("damaged JPEG header: byte 0x%02x at offset %d, where a marker belongs", b[0], off)
		}
		m := b[1]
		switch {
		case m == 0xff: // padding
			off++
			continue
		case m == 0x01 || m >= 0xd0 && m <= 0xd8: // markers without a length
			off += 2
			continue
		case m == 0xd9 || m == 0xda:
			return h, errors.New("damaged JPEG: no frame header before its data")
		}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if n < 2 {
			return h, fmt.Errorf("damaged JPEG header: segment of length %d at offset %d", n, off)
		}
		switch {
		case m >= 0xc0 && m <= 0xcf && m != 0xc4 && m != 0xc8 && m != 0xcc:
			f := w.at(off+4, 15)
			if len(f) < 6 {
				return h, errTruncatedHeader
			}
			h.Height = int(binary.BigEndian.Uint16(f[1:]))
			h.Width = int(binary.BigEndian.Uint16(f[3:]))
			switch {
			case m == 0xc3 || m == 0xc7 || m == 0xcb || m == 0xcf:
				return h, errors.New("lossless JPEG is not supported: save it as an ordinary JPEG or a PNG")
			case m == 0xc5 || m == 0xc6 || m == 0xcd || m == 0xce:
				return h, errors.New("hierarchical JPEG is not supported: save it as an ordinary JPEG or a PNG")
			case f[0] != 8:
				return h, fmt.Errorf("%d-bit JPEG is not supported: save it with 8 bits or as a PNG", f[0])
			case f[5] != 1 && f[5] != 3 && f[5] != 4:
				return h, fmt.Errorf("JPEG with %d colour components is not supported", f[5])
			}
			h.ink = f[5] == 4
			if f[5] == 3 && len(f) == 15 && !h.adobe {
				h.rgb = f[6] == 'R' && f[9] == 'G' && f[12] == 'B'
			}
			return h, nil
		case m == 0xe1 && h.Orientation == 0: // APP1: EXIF
			s := w.at(off+4, min(n-2, 6))
			if string(s) == "Exif\x00\x00" {
				h.Orientation = exifOrientation(w, off+10, int64(n)-8)
			}
		case m == 0xee: // APP14: Adobe
			if s := w.at(off+4, 12); len(s) >= 5 && string(s[:5]) == "Adobe" {
				h.adobe = true
				h.rgb = len(s) == 12 && s[11] == 0
			}
		}
		off += 2 + int64(n)
	}
}

func pngHeader(w *window) (Header, error) {
	h := Header{Format: "png", density: densest}
	b := w.at(8, 21)
	if len(b) < 21 {
		return h, errTruncatedHeader
	}
	if string(b[4:8]) != "IHDR" {
		return h, errors.New("damaged PNG: no IHDR chunk at its start")
	}
	wd, ht := binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])
	if wd > 1<<31-1 || ht > 1<<31-1 {
		return h, fmt.Errorf("png claims %dx%d pixels, more than its format allows", wd, ht)
	}
	h.Width, h.Height = int(wd), int(ht)
	// eXIf comes anywhere; pictures that have it put it before the pixels.
	for off := int64(33); ; {
		c := w.at(off, 8)
		if len(c) < 8 {
			return h, nil
		}
		n := int64(binary.BigEndian.Uint32(c))
		switch string(c[4:]) {
		case "eXIf":
			h.Orientation = exifOrientation(w, off+8, n)
			return h, nil
		case "IDAT", "IEND":
			return h, nil
		}
		off += 12 + n
	}
}

func bmpHeader(w *window) (Header, error) {
	h := Header{Format: "bmp", density: densest}
	b := w.at(14, 20)
	if len(b) >= 4 && binary.LittleEndian.Uint32(b) == 12 {
		return h, errors.New("OS/2 BMP is not supported: save it as a PNG")
	}
	if len(b) < 20 {
		return h, errTruncatedHeader
	}
	if c := binary.LittleEndian.Uint32(b[16:]); c == 0 || c == 3 { // not run-length encoded
		h.density = densestFlat
	}
	h.Width = int(int32(binary.LittleEndian.Uint32(b[4:])))
	h.Height = int(int32(binary.LittleEndian.Uint32(b[8:])))
	if h.Height < 0 { // rows from the top
		h.Height = -h.Height
	}
	return h, nil
}

func webpHeader(w *window) (Header, error) {
	h := Header{Format: "webp"}
	for off := int64(12); ; {
		c := w.at(off, 8)
		if len(c) < 8 {
			if h.Width > 0 {
				return h, nil
			}
			return h, errTruncatedHeader
		}
		n := int64(binary.LittleEndian.Uint32(c[4:]))
		b := w.at(off+8, 10)
		switch string(c[:4]) {
		case "VP8X":
			if len(b) < 10 {
				return h, errTruncatedHeader
			}
			h.Height = 1 + (int(b[7]) | int(b[8])<<8 | int(b[9])<<16)
			h.Width = 1 + (int(b[4]) | int(b[5])<<8 | int(b[6])<<16)
			if b[0]&0x08 == 0 { // no EXIF chunk to look for
				return h, nil
			}
		case "VP8 ":
			if h.Width > 0 {
				break
			}
			if len(b) < 10 {
				return h, errTruncatedHeader
			}
			if b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a {
				return h, errors.New("damaged WebP: no key frame")
			}
			h.Width = int(binary.LittleEndian.Uint16(b[6:])) & 0x3fff
			h.Height = int(binary.LittleEndian.Uint16(b[8:])) & 0x3fff
			return h, nil
		case "VP8L":
			if h.Width > 0 {
				break
			}
			if len(b) < 5 {
				return h, errTruncatedHeader
			}
			if b[0] != 0x2f {
				return h, errors.New("damaged WebP: no lossless signature")
			}
			v := binary.LittleEndian.Uint32(b[1:])
			h.Width, h.Height = int(v&0x3fff)+1, int(v>>14&0x3fff)+1
			return h, nil
		case "EXIF":
			if s := w.at(off+8, 6); string(s) == "Exif\x00\x00" {
				h.Orientation = exifOrientation(w, off+14, n-6)
			} else {
				h.Orientation = exifOrientation(w, off+8, n)
			}
			return h, nil
		}
		off += 8 + n + n&1
	}
}
