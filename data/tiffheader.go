package data

import (
	"encoding/binary"
	"errors"
)

// TIFF tags read here; EXIF is a small TIFF file of its own.
const (
	tagWidth       = 0x100
	tagHeight      = 0x101
	tagCompression = 0x103
	tagOrientation = 0x112
)

// tiffTags reads the wanted integer tags of the first directory of the TIFF
// structure that lies in bytes [base, base+n) of w.
func tiffTags(w *window, base, n int64) (map[uint16]uint32, error) {
	b := w.at(base, 8)
	if len(b) < 8 || n < 8 {
		return nil, errTruncatedHeader
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return nil, errors.New("damaged TIFF: unknown byte order")
	}
	dir := int64(order.Uint32(b[4:]))
	if dir < 8 || dir > n-2 {
		return nil, errors.New("damaged TIFF: its directory lies outside the file")
	}
	c := w.at(base+dir, 2)
	if len(c) < 2 {
		return nil, errTruncatedHeader
	}
	entries := int64(order.Uint16(c))
	tags := map[uint16]uint32{}
	for i := range entries {
		at := dir + 2 + 12*i
		if at+12 > n {
			return tags, errTruncatedHeader
		}
		e := w.at(base+at, 12)
		if len(e) < 12 {
			return tags, errTruncatedHeader
		}
		tag := order.Uint16(e)
		if tag != tagWidth && tag != tagHeight && tag != tagCompression && tag != tagOrientation {
			continue
		}
		switch order.Uint16(e[2:]) {
		case 1: // BYTE
			tags[tag] = uint32(e[8])
		case 3: // SHORT
			tags[tag] = uint32(order.Uint16(e[8:]))
		case 4: // LONG
			tags[tag] = order.Uint32(e[8:])
		}
	}
	return tags, nil
}

// exifOrientation returns the orientation 1..8 of the EXIF block at base, or
// 1 where there is none: odd EXIF is no reason to refuse a picture.
func exifOrientation(w *window, base, n int64) int {
	tags, _ := tiffTags(w, base, n)
	if v := tags[tagOrientation]; v >= 1 && v <= 8 {
		return int(v)
	}
	return 1
}

func tiffHeader(w *window) (Header, error) {
	h := Header{Format: "tiff", density: densest}
	tags, err := tiffTags(w, 0, w.size)
	if err != nil {
		return h, err
	}
	if c := tags[tagCompression]; c <= 1 { // none
		h.density = densestFlat
	}
	const limit = 1 << 30
	wd, ht := tags[tagWidth], tags[tagHeight]
	h.Width, h.Height = int(min(wd, limit)), int(min(ht, limit))
	h.Orientation = int(min(tags[tagOrientation], 9))
	return h, nil
}
