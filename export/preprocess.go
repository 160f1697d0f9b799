package export

import (
	"context"
	"errors"
	"fmt"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
	onnx "github.com/wangkuiyi/orrery/export/internal/onnxpb"
	"github.com/wangkuiyi/orrery/trainer"
)

// PreprocessTolerance is how far a logit of a model with its preprocessing inside
// may lie from the run's. As Tolerance it grows with logits beyond 1. ONNX resizes
// in float32; the run, as Pillow does, rounds to 8 bits after each direction.
const PreprocessTolerance = 0.05

// onnxBytes is the input of a model with its preprocessing inside: uint8
// [batch, side, side, 3], the central squares of pictures.
const onnxBytes = "bytes"

// A preparation is what validation does to a square of pixels, in ONNX's terms.
type preparation struct {
	item         int // side the square is resized to
	bicubic      bool
	rounds       bool        // to 8 bits, after the resize
	axis         [][]float32 // the sampling along one axis, see augment.Pipeline.Axis
	scale, shift []float32   // of a value in 0..255, per channel
}

// prepared takes a pipeline apart, or says what of it has no form in ONNX.
func prepared(pipeline *augment.Pipeline) (*preparation, error) {
	if pixels := pipeline.Config().Pixels; pixels != augment.Exact {
		return nil, fmt.Errorf("the preprocessing of %s pixels has no form in ONNX; only that of exact ones goes inside the model", pixels)
	}
	p := &preparation{axis: pipeline.Axis(), scale: []float32{1. / 255, 1. / 255, 1. / 255}, shift: make([]float32, 3)}
	for _, t := range pipeline.List() {
		switch t := t.(type) {
		case augment.Resize:
			if p.item > 0 || t.Method != "" && t.Method != augment.MethodCrop {
				return nil, errors.New("only a single resize of the method crop has a form in ONNX here; leave the preprocessing outside the model")
			}
			p.item, p.bicubic = t.Size, t.Filter == augment.Bicubic
		case augment.CenterCrop, augment.RandomResizedCrop:
			return nil, fmt.Errorf("%s has no form in ONNX here; leave the preprocessing outside the model", t.Name())
		case augment.Normalize:
			for c := range p.scale {
				p.scale[c], p.shift[c] = 1/(255*t.Std[c]), -t.Mean[c]/t.Std[c]
			}
		}
	}
	// Of bilinear weights, the run makes one filter of the resize and the step by area, without rounding between.
	p.rounds = p.bicubic || !pipeline.AreaStep([]augment.Params{augment.Neutral()})
	return p, nil
}

// prepare writes the preparation before the network.
func (c *converter) prepare(p *preparation) {
	x := c.emit("Cast", "", []string{onnxBytes}, attrInt("to", int64(onnx.TensorProto_FLOAT)))
	x = c.emit("Transpose", "", []string{x}, attrInts("perm", 0, 3, 1, 2))
	how := []*onnx.AttributeProto{attrInt("antialias", 1), attrInts("axes", 2, 3), attrString("coordinate_transformation_mode", "half_pixel")}
	if p.bicubic {
		how = append(how, attrString("mode", "cubic"), attrFloat("cubic_coeff_a", -0.5), attrInt("exclude_outside", 1))
	} else {
		how = append(how, attrString("mode", "linear"))
	}
	x = c.emit("Resize", "", []string{x, "", "", c.integers(int64(p.item), int64(p.item))}, how...)
	if p.rounds {
		x = c.emit("Clip", "", []string{c.emit("Round", "", []string{x}), c.scalar(0), c.scalar(255)})
	}
	if !identity(p.axis) {
		x = c.emit("MatMul", "", []string{c.matrix(p.axis), x})
		x = c.emit("MatMul", "", []string{x, c.matrix(transposed(p.axis))})
	}
	x = c.emit("Mul", "", []string{x, c.channels(p.scale)})
	c.emit("Add", onnxInput, []string{x, c.channels(p.shift)})
}

// channels adds a constant with a value for each channel of [N, 3, H, W].
func (c *converter) channels(values []float32) string {
	name := c.fresh()
	c.initializer(name, []int64{1, int64(len(values)), 1, 1}, values)
	return name
}

func identity(rows [][]float32) bool {
	for i, row := range rows {
		if len(row) != len(rows) || row[i] != 1 {
			return false
		}
	}
	return true
}

func transposed(rows [][]float32) [][]float32 {
	out := make([][]float32, len(rows[0]))
	for i := range out {
		for _, row := range rows {
			out[i] = append(out[i], row[i])
		}
	}
	return out
}

// centralSquare is what a model with its preprocessing inside is given of a
// picture: uint8 [1, side, side, 3]. The memory is Go's.
func centralSquare(pipeline *augment.Pipeline, picture *data.Picture) (rgb []uint8, side int64) {
	r := pipeline.Square(picture.Width, picture.Height)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := picture.Pix[4*(y*picture.Width+r.Min.X) : 4*(y*picture.Width+r.Max.X)]
		for x := 0; x < len(row); x += 4 {
			rgb = append(rgb, row[x:x+3]...)
		}
	}
	return rgb, int64(r.Dx())
}

// comparePrepared is compare for a model with its preprocessing inside, which is
// given the pixels as they are decoded.
func (e *expectation) comparePrepared(ctx context.Context, saved *trainer.Saved, o Options, model exported) (most float64, err error) {
	for i := range o.Images {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		picture, err := o.Check(i)
		if err != nil {
			return 0, err
		}
		rgb, side := centralSquare(saved.Pipeline(), picture)
		var found []float32
		err = torch.Try(func() {
			torch.Scoped(func(*torch.Scope) {
				torch.NoGrad(func() {
					found = torch.Values[float32](model.Forward(torch.NewTensor(rgb).View(1, side, side, 3)))
				})
			})
		})
		if err != nil {
			return 0, fmt.Errorf("the export does not run: %w", err)
		}
		d, err := differ(found, e.logits[i*e.classes:(i+1)*e.classes], PreprocessTolerance)
		if err != nil {
			return 0, fmt.Errorf("picture %d: %w; nothing was written", i, err)
		}
		most = max(most, d)
	}
	return most, nil
}
