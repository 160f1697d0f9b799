// Command mnist trains a small convolutional network on Fashion-MNIST: 0.90 and more of the test
// pictures are right within a minute on two cores.
//
//	go run ./examples/mnist -epochs 3
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/examples/fashion"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

func main() {
	data := flag.String("data", "", "folder of Fashion-MNIST")
	epochs := flag.Int("epochs", 3, "passes over the training set")
	batch := flag.Int("batch-size", 128, "pictures a step")
	lr := flag.Float64("lr", 0.003, "highest learning rate")
	flag.Parse()
	if _, err := run(*data, *epochs, *batch, *lr, 60_000); err != nil {
		fmt.Fprintln(os.Stderr, "mnist:", err)
		os.Exit(1)
	}
}

func network() *nn.SequentialModule {
	return nn.Sequential(
		nn.Conv2d(1, 24, 3, 1, 1, 1, 1, true, "zeros"), nn.BatchNorm2d(24, 1e-5, 0.1, true, true), nn.ReLU(), nn.MaxPool2d(2, 2, 0, 1, false),
		nn.Conv2d(24, 48, 3, 1, 1, 1, 1, true, "zeros"), nn.BatchNorm2d(48, 1e-5, 0.1, true, true), nn.ReLU(), nn.MaxPool2d(2, 2, 0, 1, false),
		nn.Flatten(), nn.Linear(48*7*7, 10, true))
}

// run trains on the first pictures of the training set and returns the share of the test set that is right.
func run(data string, epochs, batch int, lr float64, pictures int) (right float64, err error) {
	if err := torch.LoadLibrary(); err != nil {
		return 0, err
	}
	train, err := fashion.Load(data, "train")
	if err != nil {
		return 0, err
	}
	test, err := fashion.Load(data, "t10k")
	if err != nil {
		return 0, err
	}
	pictures = min(pictures, train.Len())
	s := torch.NewScope()
	defer s.Close()
	torch.ManualSeed(1)
	net := network()
	net.ToChannelsLast()
	opt := torch.AdamW(lr, 0.9, 0.99, 1e-5, 0.01)
	defer opt.Close()
	opt.AddParameters(net.Parameters())
	steps := pictures / batch
	order := rand.New(rand.NewPCG(1, 2))
	pixels, labels := make([]float32, batch*784), make([]int64, batch)
	for epoch := range epochs {
		start, sum := time.Now(), 0.0
		at := order.Perm(pictures)
		for step := range steps {
			for i, j := range at[step*batch : (step+1)*batch] {
				copy(pixels[i*784:], train.Pixels[j*784:(j+1)*784])
				labels[i] = train.Labels[j]
			}
			// The learning rate falls to zero in a straight line.
			opt.SetLR(lr * (1 - float64(epoch*steps+step)/float64(epochs*steps)))
			torch.Scoped(func(*torch.Scope) {
				x := torch.TensorOf(pixels, int64(batch), 1, 28, 28).ChannelsLast()
				loss := F.CrossEntropy(net.Forward(x).(torch.Tensor), torch.TensorOf(labels), torch.Tensor{}, -100, "mean")
				opt.ZeroGrad()
				loss.Backward()
				opt.Step()
				sum += loss.ItemFloat64()
			})
		}
		d := time.Since(start).Seconds()
		right = accuracy(net, test)
		fmt.Printf("epoch %d: loss %.4f, accuracy %.4f, %.0f pictures a second\n", epoch+1, sum/float64(steps), right, float64(steps*batch)/d)
	}
	return right, nil
}

func accuracy(net *nn.SequentialModule, test *fashion.Set) float64 {
	net.Eval()
	defer net.Train(true)
	const batch = 500
	right := int64(0)
	for i := 0; i+batch <= test.Len(); i += batch {
		torch.Scoped(func(*torch.Scope) {
			torch.NoGrad(func() {
				x := torch.TensorOf(test.Pixels[i*784:(i+batch)*784], batch, 1, 28, 28).ChannelsLast()
				y := torch.TensorOf(test.Labels[i : i+batch])
				right += net.Forward(x).(torch.Tensor).Argmax(1).Eq(y).Sum().Item().(int64)
			})
		})
	}
	return float64(right) / float64(test.Len())
}
