// Package collecttest serves stand-ins for the picture search services, over real HTTP, with the faults real ones have.
package collecttest

import (
	"bytes"
	"hash/fnv"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
)

// Pixels draws a picture that differs clearly from that of any other name: coloured discs and bars on a shaded ground.
func Pixels(name string, width, height int) *image.RGBA {
	sum := fnv.New64a()
	sum.Write([]byte(name))
	random := rand.New(rand.NewPCG(sum.Sum64(), 1))
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	colour := func() color.RGBA {
		return color.RGBA{uint8(random.IntN(256)), uint8(random.IntN(256)), uint8(random.IntN(256)), 255}
	}
	ground := colour()
	for y := range height {
		for x := range width {
			shade := uint8((x*3 + y*2) * 40 / (width*3 + height*2))
			picture.SetRGBA(x, y, color.RGBA{ground.R/2 + shade, ground.G/2 + shade, ground.B/2 + shade, 255})
		}
	}
	for range 8 {
		c, left, top := colour(), random.IntN(width), random.IntN(height)
		radius := height/16 + random.IntN(height/4+1)
		disc := random.IntN(2) == 0
		for y := max(0, top-radius); y < min(height, top+radius); y++ {
			for x := max(0, left-radius); x < min(width, left+radius); x++ {
				if dx, dy := x-left, y-top; !disc || dx*dx+dy*dy < radius*radius {
					picture.SetRGBA(x, y, c)
				}
			}
		}
	}
	return picture
}

// JPEG encodes a picture.
func JPEG(picture image.Image, quality int) []byte {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, &jpeg.Options{Quality: quality}); err != nil {
		panic(err) // writing to memory does not fail
	}
	return out.Bytes()
}
