// Command dcgan trains a generator of clothes against a discriminator on Fashion-MNIST (Radford et
// al., 2016), and writes what it draws to a .png file.
//
//	go run ./examples/dcgan -steps 300 -out drawn.png
package main

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/examples/fashion"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"
)

const (
	noiseSize = 64
	batch     = 64
)

func main() {
	data := flag.String("data", "", "folder of Fashion-MNIST")
	steps := flag.Int("steps", 300, "steps of both networks")
	out := flag.String("out", "dcgan.png", "the picture to write")
	flag.Parse()
	if err := run(*data, *steps, *out); err != nil {
		fmt.Fprintln(os.Stderr, "dcgan:", err)
		os.Exit(1)
	}
}

// generator takes noise (N, 64, 1, 1) to pictures (N, 1, 28, 28) in (-1, 1).
func generator() *nn.SequentialModule {
	relu := nn.Functional(func(x torch.Tensor) torch.Tensor { return F.Relu(x, true) })
	return nn.Sequential(
		nn.ConvTranspose2d(noiseSize, 128, 7, 1, 0, 0, 1, false, 1, "zeros"), nn.BatchNorm2d(128, 1e-5, 0.1, true, true), relu,
		nn.ConvTranspose2d(128, 64, 4, 2, 1, 0, 1, false, 1, "zeros"), nn.BatchNorm2d(64, 1e-5, 0.1, true, true), relu,
		nn.ConvTranspose2d(64, 1, 4, 2, 1, 0, 1, false, 1, "zeros"), nn.Functional(torch.Tanh))
}

// discriminator takes pictures (N, 1, 28, 28) to logits (N): real or drawn.
func discriminator() *nn.SequentialModule {
	leaky := nn.Functional(func(x torch.Tensor) torch.Tensor { return F.LeakyRelu(x, 0.2, true) })
	return nn.Sequential(
		nn.Conv2d(1, 64, 4, 2, 1, 1, 1, false, "zeros"), leaky,
		nn.Conv2d(64, 128, 4, 2, 1, 1, 1, false, "zeros"), nn.BatchNorm2d(128, 1e-5, 0.1, true, true), leaky,
		nn.Conv2d(128, 1, 7, 1, 0, 1, 1, false, "zeros"),
		nn.Functional(func(x torch.Tensor) torch.Tensor { return x.View(-1) }))
}

// weights draws the weights as the paper does.
func weights(m nn.IModule) {
	switch m := m.(*nn.Module).Outer().(type) {
	case *nn.Conv2dModule:
		initializer.Normal(&m.Weight, 0, 0.02)
	case *nn.ConvTranspose2dModule:
		initializer.Normal(&m.Weight, 0, 0.02)
	case *nn.BatchNorm2dModule:
		initializer.Normal(&m.Weight, 1, 0.02)
		initializer.Zeros(&m.Bias)
	}
}

func run(data string, steps int, out string) error {
	if err := torch.LoadLibrary(); err != nil {
		return err
	}
	train, err := fashion.Load(data, "train")
	if err != nil {
		return err
	}
	s := torch.NewScope()
	defer s.Close()
	torch.ManualSeed(999)
	g, d := generator(), discriminator()
	g.Apply(weights)
	d.Apply(weights)
	optG, optD := torch.Adam(2e-4, 0.5, 0.999, 0), torch.Adam(2e-4, 0.5, 0.999, 0)
	defer optG.Close()
	defer optD.Close()
	optG.AddParameters(g.Parameters())
	optD.AddParameters(d.Parameters())
	real, drawn := torch.Ones([]int64{batch}, false), torch.Zeros([]int64{batch}, false)
	loss := func(x, target torch.Tensor) torch.Tensor {
		return F.BinaryCrossEntropyWithLogits(d.Forward(x).(torch.Tensor), target, torch.Tensor{}, torch.Tensor{}, "mean")
	}
	order := rand.New(rand.NewPCG(1, 2))
	pixels := make([]float32, batch*784)
	start := time.Now()
	for step := range steps {
		for i := range batch {
			j := order.IntN(train.Len())
			for k, p := range train.Pixels[j*784 : (j+1)*784] {
				pixels[i*784+k] = (p*0.3530+0.2860)*2 - 1
			}
		}
		torch.Scoped(func(*torch.Scope) {
			optD.ZeroGrad()
			lossReal := loss(torch.TensorOf(pixels, batch, 1, 28, 28), real)
			lossReal.Backward()
			fake := g.Forward(torch.RandN([]int64{batch, noiseSize, 1, 1}, false)).(torch.Tensor)
			lossFake := loss(fake.Detach(), drawn)
			lossFake.Backward()
			optD.Step()

			optG.ZeroGrad()
			lossG := loss(fake, real)
			lossG.Backward()
			optG.Step()
			if step%50 == 0 || step == steps-1 {
				fmt.Printf("step %d: discriminator %.4f, generator %.4f, %.0f pictures a second\n", step,
					lossReal.ItemFloat64()+lossFake.ItemFloat64(), lossG.ItemFloat64(),
					float64((step+1)*batch)/time.Since(start).Seconds())
			}
		})
	}
	return draw(g, out)
}

// draw writes 8x8 pictures of the generator.
func draw(g *nn.SequentialModule, out string) error {
	const side = 8
	var values []float32
	torch.NoGrad(func() {
		values = torch.Values[float32](g.Forward(torch.RandN([]int64{side * side, noiseSize, 1, 1}, false)).(torch.Tensor))
	})
	picture := image.NewGray(image.Rect(0, 0, side*28, side*28))
	for i, v := range values {
		n, y, x := i/784, i%784/28, i%28
		picture.SetGray(n%side*28+x, n/side*28+y, color.Gray{Y: uint8((v + 1) / 2 * 255)})
	}
	if !strings.HasSuffix(out, ".png") {
		out += ".png"
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	if err := png.Encode(f, picture); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
