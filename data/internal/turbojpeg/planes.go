package turbojpeg

/*
#include "outcome.h"

// The sampling of a file in YCbCr that tjDecompressToYUVPlanes writes as three planes; -1 for others.
static int orrery_tj_sampling(tjhandle h, const unsigned char *src, unsigned long n) {
  int width, height, sampling, space;
  if (tjDecompressHeader3(h, src, n, &width, &height, &sampling, &space) != 0 || space != TJCS_YCbCr)
    return -1;
  return sampling == TJSAMP_444 || sampling == TJSAMP_422 || sampling == TJSAMP_420 ||
                 sampling == TJSAMP_440 || sampling == TJSAMP_411
             ? sampling
             : -1;
}

// How many pixels of a row, and of a column, share a sample of colour.
static int orrery_tj_per_x(int sampling) { return tjMCUWidth[sampling] / 8; }
static int orrery_tj_per_y(int sampling) { return tjMCUHeight[sampling] / 8; }

// The planes follow each other in dst, rows of tjPlaneWidth bytes.
static int orrery_tj_planes(tjhandle h, const unsigned char *src, unsigned long n, unsigned char *dst,
                            int width, int height, int sampling, int flags, char *msg, int msglen) {
  unsigned char *planes[3];
  for (int c = 0; c < 3; c++) {
    planes[c] = dst;
    dst += (size_t)tjPlaneWidth(c, width, sampling) * (size_t)tjPlaneHeight(c, height, sampling);
  }
  int rc = tjDecompressToYUVPlanes(h, src, n, planes, width, NULL, height, flags | TJFLAG_LIMITSCANS);
  return orrery_tj_outcome(h, rc, msg, msglen);
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Plane says where the samples of one component lie: rows of Pitch bytes from Start on, of which the first Width
// belong to the picture, and how many pixels share a sample.
type Plane struct {
	Start, Width, Height, Pitch int
	PerX, PerY                  int
}

// Sampling says how many of a file's pixels share a sample of colour.
type Sampling int

// Planar returns the sampling of a file whose Y, Cb and Cr DecodePlanes gives; ok is false where they are not what
// the file holds (grey, RGB, ink), are laid out in an unusual way, or cannot be read.
func Planar(src []byte) (s Sampling, ok bool) {
	if len(src) == 0 {
		return 0, false
	}
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	if d.handle == nil {
		return 0, false
	}
	s = Sampling(C.orrery_tj_sampling(d.handle, (*C.uchar)(unsafe.Pointer(&src[0])), C.ulong(len(src))))
	return s, s >= 0
}

// Planes returns where DecodePlanes puts Y, Cb and Cr of a picture of that size, and how many bytes they take.
func (s Sampling) Planes(width, height int) (planes [3]Plane, bytes int) {
	for c := range planes {
		pitch, rows := int(C.tjPlaneWidth(C.int(c), C.int(width), C.int(s))), int(C.tjPlaneHeight(C.int(c), C.int(height), C.int(s)))
		planes[c] = Plane{bytes, pitch, rows, pitch, int(C.orrery_tj_per_x(C.int(s))), int(C.orrery_tj_per_y(C.int(s)))}
		bytes += pitch * rows
	}
	// The planes of Y are padded to whole samples of colour.
	planes[0].Width, planes[0].Height, planes[0].PerX, planes[0].PerY = width, height, 1, 1
	return planes, bytes
}

// DecodePlanes decodes src into dst as Planes says. width and height are as for Decode; full says that they are the
// file's own, and then the transform has fewer bits, as Decode's when quick.
func DecodePlanes(dst, src []byte, width, height int, full bool, s Sampling) error {
	if _, n := s.Planes(width, height); n <= 0 || len(dst) < n {
		return fmt.Errorf("the planes of a %dx%d picture do not fit in %d bytes", width, height, len(dst))
	}
	always := C.int(0)
	if full {
		// Of a smaller picture with 4:2:0 the library would transform colour with the other transform's tables.
		always = C.TJFLAG_FASTDCT
	}
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	return d.strictly(src, func(flags C.int) C.int {
		return C.orrery_tj_planes(d.handle, (*C.uchar)(unsafe.Pointer(&src[0])), C.ulong(len(src)),
			(*C.uchar)(unsafe.Pointer(&dst[0])), C.int(width), C.int(height), C.int(s), flags|always,
			&d.msg[0], C.int(len(d.msg)))
	})
}
