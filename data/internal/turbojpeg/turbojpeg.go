// Package turbojpeg decodes JPEG files with the TurboJPEG library.
//
// It is a thin shim: the caller has read the frame header already and says
// how large the picture is and whether it holds ink (CMYK, YCCK) or light
// (grey, RGB, YCbCr). Warnings of the library that mean damaged data are
// errors here, where most decoders paint the rest of the picture grey.
package turbojpeg

/*
#include "outcome.h"

static int orrery_tj_decode(tjhandle h, const unsigned char *src, unsigned long n, unsigned char *dst,
                            int width, int height, int format, int flags, char *msg, int msglen) {
  int rc = tjDecompress2(h, src, n, dst, width, 4 * width, height, format, flags | TJFLAG_LIMITSCANS);
  return orrery_tj_outcome(h, rc, msg, msglen);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// decoder is one TurboJPEG handle with room for its messages. It is used by
// one goroutine at a time.
type decoder struct {
	handle C.tjhandle
	msg    [256]C.char
}

// decoders keeps handles between calls. A handle dropped by the pool is freed
// by its finalizer.
var decoders = sync.Pool{New: func() any {
	d := &decoder{handle: C.tjInitDecompress()}
	if d.handle != nil {
		runtime.SetFinalizer(d, func(d *decoder) { C.tjDestroy(d.handle) })
	}
	return d
}}

// Decode decodes src into dst as 4 bytes a pixel, rows of 4*width bytes
// without gaps. With ink false these are R, G, B, 255; with ink true they are
// C, M, Y, K as the file stores them. width and height must be those of the
// file's frame header, or both of them divided by 2, 4 or 8 and rounded up.
// quick repeats colour samples where others are interpolated, and transforms with fewer bits.
func Decode(dst, src []byte, width, height int, ink, quick bool) error {
	if width <= 0 || height <= 0 || len(dst) < 4*width*height {
		return fmt.Errorf("a %dx%d picture does not fit in %d bytes", width, height, len(dst))
	}
	if len(src) == 0 {
		return errors.New("the file is empty")
	}
	format := C.int(C.TJPF_RGBA)
	if ink {
		format = C.TJPF_CMYK
	}
	always := C.int(0)
	if quick {
		always = C.TJFLAG_FASTUPSAMPLE | C.TJFLAG_FASTDCT
	}
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	return d.strictly(src, func(flags C.int) C.int {
		return C.orrery_tj_decode(d.handle, (*C.uchar)(unsafe.Pointer(&src[0])), C.ulong(len(src)),
			(*C.uchar)(unsafe.Pointer(&dst[0])), C.int(width), C.int(height), format, flags|always,
			&d.msg[0], C.int(len(d.msg)))
	})
}

// strictly decodes src by call, whose result is orrery_tj_outcome's: damage is an error, what leaves every pixel as
// it was is not.
func (d *decoder) strictly(src []byte, call func(flags C.int) C.int) error {
	if d.handle == nil {
		return errors.New("TurboJPEG: out of memory")
	}
	try := func(flags C.int) (C.int, string) {
		rc := call(flags)
		if rc == 0 {
			return 0, ""
		}
		return rc, C.GoString(&d.msg[0])
	}
	rc, msg := try(C.TJFLAG_STOPONWARNING)
	if rc == 1 && harmless(msg, src) {
		// The library stopped early; decode all of it and look at the last message.
		rc, msg = try(0)
		if rc == 1 && harmless(msg, src) {
			rc = 0
		}
	}
	if rc == 0 {
		return nil
	}
	return errors.New(explain(msg))
}

// harmless tells whether a libjpeg warning leaves every pixel as its author
// stored it.
func harmless(msg string, src []byte) bool {
	switch {
	case strings.Contains(msg, "JFIF revision"), strings.Contains(msg, "Adobe color transform"),
		strings.Contains(msg, "ICC"):
		return true
	case strings.Contains(msg, "extraneous bytes before marker 0xd9"):
		// Some cameras pad the end of the scan with zeros. Other bytes there
		// are what remains of a scan that lost its step.
		var n int
		if _, err := fmt.Sscanf(msg[strings.Index(msg, ":")+1:], "%d", &n); err != nil {
			return false
		}
		end := len(src) - 2
		for end >= 0 && (src[end] != 0xff || src[end+1] != 0xd9) {
			end--
		}
		if n > end {
			return false
		}
		for _, b := range src[end-n : end] {
			if b != 0 {
				return false
			}
		}
		return true
	}
	return false
}

// explain turns the library's message into the words of Orrery's lists.
func explain(msg string) string {
	switch {
	case strings.Contains(msg, "Premature end of JPEG file"):
		return "truncated JPEG: the file ends before its picture does"
	case strings.Contains(msg, "premature end of data segment"), strings.Contains(msg, "bad Huffman code"),
		strings.Contains(msg, "extraneous bytes"), strings.Contains(msg, "restart marker"):
		return "damaged JPEG: " + tidy(msg)
	}
	return "JPEG: " + tidy(msg)
}

func tidy(msg string) string {
	for _, p := range []string{"tjDecompress2(): ", "tjDecompressToYUVPlanes(): ", "Corrupt JPEG data: "} {
		msg = strings.TrimPrefix(msg, p)
	}
	return msg
}
