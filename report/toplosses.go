package report

import (
	"fmt"
	"image"
	"image/color"
)

// TopLossGrid lays the pictures of the highest losses out, each under
// "predicted / actual" and "loss / probability", as fastai's plot_top_losses
// does. A picture that open cannot give is a grey square; its title stays.
// Columns and cell are those of Grid.
func TopLossGrid(list []TopLoss, open func(path string) (image.Image, error), columns, cell int) image.Image {
	pictures, titles := make([]image.Image, len(list)), make([]string, len(list))
	for i, top := range list {
		picture, err := open(top.Path)
		if err != nil || picture == nil {
			blank := image.NewUniform(color.Gray{Y: 0xdd})
			picture = croppedUniform{blank, image.Rect(0, 0, cell, cell)}
		}
		pictures[i] = picture
		titles[i] = fmt.Sprintf("%s / %s\n%.2f / %.2f", printable(top.Predicted), printable(top.Actual), top.Loss, top.Probability)
	}
	return Grid(pictures, titles, columns, cell)
}

// croppedUniform is one colour with bounds.
type croppedUniform struct {
	*image.Uniform
	bounds image.Rectangle
}

func (c croppedUniform) Bounds() image.Rectangle { return c.bounds }
