package picture

import (
	"image"

	"github.com/disintegration/imaging"
)

// sharpSide is the length a picture's longer side is brought to before its sharpness is measured, so that
// pictures of different sizes compare.
const sharpSide = 256

// Sharpness is the variance of the Laplacian of the picture's luma (0 to 255) at a longer side of 256 pixels: a few units for a
// blurred picture, hundreds for a crisp one. (Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, 2000.)
func Sharpness(picture image.Image) (sharpness float64, err error) {
	defer recovered(&err)
	size := picture.Bounds().Size()
	var small *image.NRGBA
	if size.X >= size.Y {
		small = imaging.Resize(picture, sharpSide, 0, imaging.Linear)
	} else {
		small = imaging.Resize(picture, 0, sharpSide, imaging.Linear)
	}
	width, height := small.Rect.Dx(), small.Rect.Dy()
	luma := make([]float64, width*height)
	for i := range luma {
		p := small.Pix[i/width*small.Stride+i%width*4:]
		luma[i] = 0.299*float64(p[0]) + 0.587*float64(p[1]) + 0.114*float64(p[2])
	}
	var sum, squares, n float64
	for y := 1; y < height-1; y++ {
		for x := 1; x < width-1; x++ {
			i := y*width + x
			laplacian := luma[i-1] + luma[i+1] + luma[i-width] + luma[i+width] - 4*luma[i]
			sum, squares, n = sum+laplacian, squares+laplacian*laplacian, n+1
		}
	}
	if n == 0 {
		return 0, nil
	}
	mean := sum / n
	return squares/n - mean*mean, nil
}
