// Command resnet measures training steps of a ResNet on made-up pictures.
//
//	go run ./examples/resnet -depth 18 -batch-size 8 -steps 5
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	torch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/vision/models"
)

func main() {
	depth := flag.Int("depth", 18, "18 or 50")
	batch := flag.Int64("batch-size", 8, "pictures a step")
	size := flag.Int64("size", 128, "height and width in pixels")
	steps := flag.Int("steps", 5, "steps to measure, after one to warm up")
	device := flag.String("device", "cpu", "cpu or cuda")
	flag.Parse()
	if err := torch.LoadLibrary(); err != nil {
		fmt.Fprintln(os.Stderr, "resnet:", err)
		os.Exit(1)
	}
	if err := torch.Try(func() { run(*depth, *batch, *size, *steps, *device) }); err != nil {
		fmt.Fprintln(os.Stderr, "resnet:", err)
		os.Exit(1)
	}
}

func run(depth int, batch, size int64, steps int, device string) {
	s := torch.NewScope()
	defer s.Close()
	dev := torch.NewDevice(device)
	torch.ManualSeed(1)
	build := models.Resnet18
	if depth == 50 {
		build = models.Resnet50
	}
	net := build()
	net.To(dev)
	net.ToChannelsLast()
	opt := torch.SGD(0.01, 0.9, 0, 1e-4, false)
	defer opt.Close()
	opt.AddParameters(net.Parameters())
	x := torch.RandN([]int64{batch, 3, size, size}, false).To(dev).ChannelsLast()
	y := torch.RandInt(0, 1000, []int64{batch}).To(dev)
	var start time.Time
	for step := range steps + 1 {
		torch.Scoped(func(*torch.Scope) {
			loss := F.CrossEntropy(net.Forward(x), y, torch.Tensor{}, -100, "mean")
			opt.ZeroGrad()
			loss.Backward()
			opt.Step()
			fmt.Printf("step %d: loss %.4f\n", step, loss.ItemFloat64())
		})
		if step == 0 {
			torch.Synchronize(dev)
			start = time.Now()
		}
	}
	torch.Synchronize(dev)
	fmt.Printf("%.1f pictures a second\n", float64(steps)*float64(batch)/time.Since(start).Seconds())
}
