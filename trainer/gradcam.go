package trainer

import (
	"errors"
	"fmt"
	"image"

	torch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"

	"github.com/wangkuiyi/orrery/data"
)

// camSide is the least side, in pixels, of a map that Grad-CAM looks at where
// the network has one: the deepest such. cnn8's last maps are of 2 and 1 pixels.
const camSide = 7

// A CAM shows which parts of a picture made the network predict its class.
type CAM struct {
	Picture image.Image // as the network saw it
	Class   string      // predicted
	// Heat is Grad-CAM's map at the picture's size, row by row, in [0, 1]; all 0
	// where nothing spoke for the class.
	Heat []float32
}

// GradCAM explains the prediction for one decoded picture: the maps of a stage,
// each weighted with the mean of the class's gradient over it, summed, negative
// parts cut, enlarged bilinearly and divided by the greatest value.
//
// Source: Selvaraju et al., Grad-CAM, 2017.
func (s *Saved) GradCAM(path string, picture *data.Picture) (cam CAM, err error) {
	pixels, err := s.pixels(path, picture)
	if err != nil {
		return cam, err
	}
	size := s.Recipe.Size
	mean, std := s.Recipe.normalization()
	cam.Picture = toImage(pixels, size, mean, std)
	caught := torch.Try(func() {
		scope := torch.NewScope()
		defer scope.Close()
		s.model.Train(false)
		side := int64(size)
		x := torch.NewTensor(pixels).View(1, side, side, 3).Permute([]int64{0, 3, 1, 2}).To(s.device, torch.Float)
		maps, stage := s.camMaps(x)
		if stage < 0 {
			err = errors.New("no stage of the network makes maps larger than a pixel; Grad-CAM has nothing to look at")
			return
		}
		maps.SetRequiresGrad(true)
		logits := s.model.Through(maps, stage, len(s.model.Stages()))
		class := argmax(torch.Values[float32](logits.Detach().To(cpu())))
		cam.Class = s.Classes[class]
		gradient := torch.Gradients([]torch.Tensor{logits.Select(1, int64(class)).Sum()}, []torch.Tensor{maps}, nil, false)[0]
		torch.NoGrad(func() {
			weights := gradient.MeanDims([]int64{2, 3}, true)
			heat := maps.Mul(weights).SumDims([]int64{1}, true).Relu()
			heat = F.Interpolate(heat, []int64{side, side}, "bilinear", false, false)
			cam.Heat = torch.Values[float32](heat.Contiguous().To(cpu()))
		})
	})
	if err = errors.Join(caught, err); err != nil {
		return cam, fmt.Errorf("%s: %w", path, err)
	}
	greatest := float32(0)
	for _, h := range cam.Heat {
		greatest = max(greatest, h)
	}
	if greatest > 0 {
		for i := range cam.Heat {
			cam.Heat[i] /= greatest
		}
	}
	return cam, nil
}

// camMaps runs x through the stages and gives the maps to look at, detached,
// with the stage that takes them; -1 when no map has more than one pixel.
func (s *Saved) camMaps(x torch.Tensor) (maps torch.Tensor, stage int) {
	stage = -1
	torch.NoGrad(func() {
		for i := range len(s.model.Stages()) - 1 {
			x = s.model.Through(x, i, i+1)
			if x.Dim() != 4 {
				return
			}
			side := min(x.Shape()[2], x.Shape()[3])
			if side >= camSide || stage < 0 && side > 1 {
				maps, stage = x, i+1
			}
		}
	})
	return maps, stage
}

// pixels is what the network sees of a picture: float32 [size, size, 3].
func (s *Saved) pixels(path string, picture *data.Picture) ([]float32, error) {
	pixels := make([]float32, s.preprocessor.Elements())
	if err := s.preprocessor.Apply(pixels, picture); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pixels, nil
}
