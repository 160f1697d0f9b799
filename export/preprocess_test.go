package export

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/data"
)

// TestPreprocessInside gives squares of real photos, as decoded, to models with
// their preprocessing inside: in onnxruntime and here they make of them what the
// pipeline and the network do.
func TestPreprocessInside(t *testing.T) {
	photos, dir := photoPaths(t), t.TempDir()
	lists := map[string]augment.List{
		// fastai resizes by area between these two.
		"bilinear by area": {augment.Resize{Size: 46}, augment.Sample{Size: 20}},
		"bilinear":         {augment.Resize{Size: 24}, augment.Flip{P: 0.5}, augment.Sample{Size: 20}, augment.Normalize{Mean: []float32{0.4, 0.5, 0.6}, Std: []float32{0.2, 0.3, 0.4}}},
		"bicubic":          {augment.Resize{Size: 24, Filter: augment.Bicubic}, augment.Sample{Size: 20}, augment.Normalize{Mean: []float32{0.5, 0.5, 0.5}, Std: []float32{0.5, 0.5, 0.5}}},
		"no sampling":      {augment.Resize{Size: 20, Filter: augment.Bicubic}},
	}
	wanted, here := map[string][]float32{}, map[string][]float32{}
	torch.Scoped(func(*torch.Scope) {
		for name, list := range lists {
			wanted[name], here[name] = exportPrepared(t, list, photos, filepath.Join(dir, name))
		}
	})
	runONNX(t, dir)
	for name, want := range wanted {
		got := readFloats(t, filepath.Join(dir, name, "output.f32"))
		for what, logits := range map[string][]float32{"in onnxruntime": got, "read here": here[name]} {
			// Values of these logits are about 1; the rounding to 8 bits is 0.004 of a pixel's range.
			d := difference(t, name, logits, want)
			t.Logf("%s %s: differs by %.2g from the pipeline and the network", name, what, d)
			if d > 0.01 {
				t.Errorf("%s %s: differs by %.2g", name, what, d)
			}
		}
	}
}

// exportPrepared writes model.onnx beside squares of photos, and gives what the
// pipeline with the network makes of them, and the model as it is read here.
func exportPrepared(t *testing.T, list augment.List, photos []string, folder string) (wanted, here []float32) {
	t.Helper()
	pipeline, err := augment.NewFromList(list, augment.Exact)
	if err != nil {
		t.Fatal(err)
	}
	worker, err := pipeline.NewWorker()
	if err != nil {
		t.Fatal(err)
	}
	defer worker.Close()
	torch.ManualSeed(1)
	model := newSmall(func(s *small, x torch.Tensor) torch.Tensor {
		return torch.MeanDims(s.part(0, x), []int64{-1, -2}, false)
	},
		nn.Sequential(conv(3, 5, 3, 2, 1, 1)))
	n, err := record(model, 20)
	if err == nil {
		n.preparation, err = prepared(pipeline)
	}
	if err == nil {
		err = os.Mkdir(folder, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	writeModel(t, n, 5, filepath.Join(folder, "model.onnx"))
	read, err := loadONNX(filepath.Join(folder, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	area := pipeline.AreaStep([]augment.Params{augment.Neutral()})
	var all []uint8
	var side int64
	pixels := make([]float32, pipeline.Elements())
	for i := range 6 {
		content, err := os.ReadFile(photos[i*len(photos)/6])
		if err != nil {
			t.Fatal(err)
		}
		picture, err := data.Decode(content, data.DecodeOptions{})
		if err == nil {
			err = worker.Apply(pixels, picture, augment.Neutral(), area, augment.NHWC)
		}
		if err != nil {
			t.Fatal(err)
		}
		var rgb []uint8
		rgb, side = centralSquare(pipeline, picture) // trashnet's are all of one size
		all = append(all, rgb...)
		torch.NoGrad(func() {
			x := torch.NewTensor(pixels).View(1, 20, 20, 3).Permute([]int64{0, 3, 1, 2}).Contiguous()
			wanted = append(wanted, torch.Values[float32](model.Logits(x))...)
			here = append(here, torch.Values[float32](read.Forward(torch.NewTensor(rgb).View(1, side, side, 3)))...)
		})
	}
	for name, content := range map[string][]byte{"input.u8": all, "side": []byte(strconv.FormatInt(side, 10))} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return wanted, here
}

func TestPreprocessRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		list   augment.List
		pixels augment.Pixels
	}{
		"fast":                {augment.List{augment.Resize{Size: 24}}, augment.Fast},
		"center_crop":         {augment.List{augment.CenterCrop{Size: 24}}, augment.Exact},
		"random_resized_crop": {augment.List{augment.RandomResizedCrop{Size: 24, MinScale: 0.1, MaxScale: 1, MinRatio: 1, MaxRatio: 1}}, augment.Exact},
		"method crop":         {augment.List{augment.Resize{Size: 24, Method: augment.MethodPad}}, augment.Exact},
	} {
		pipeline, err := augment.NewFromList(c.list, c.pixels)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := prepared(pipeline); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
