package bench

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Prices are what an hour of a device costs, in whatever currency, by "cpu" and
// "cuda"; a device that is not named has no price.
type Prices map[string]float64

// ParsePrices reads one number for all devices, or a list such as
// cpu=0.4,cuda=3.5. "" is no price.
func ParsePrices(text string) (Prices, error) {
	if text == "" {
		return nil, nil
	}
	prices := Prices{}
	for _, part := range strings.Split(text, ",") {
		device, amount, named := strings.Cut(strings.TrimSpace(part), "=")
		if !named {
			amount = device
		}
		value, err := strconv.ParseFloat(amount, 64)
		if err != nil || !(value > 0) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("price-per-hour is %q; a price must be a number above 0, such as 0.4 or cpu=0.4,cuda=3.5", part)
		}
		switch {
		case !named && strings.Contains(text, ","):
			return nil, fmt.Errorf("price-per-hour is %q; give one number for all devices, or name each: cpu=0.4,cuda=3.5", text)
		case !named:
			return Prices{"cpu": value, "cuda": value}, nil
		case device != "cpu" && device != "cuda":
			return nil, fmt.Errorf("price-per-hour names the device %q; it must be cpu or cuda", device)
		}
		if _, twice := prices[device]; twice {
			return nil, fmt.Errorf("price-per-hour names %s twice", device)
		}
		prices[device] = value
	}
	return prices, nil
}

// of is the price of an hour of a row's device.
func (p Prices) of(device string) (price float64, known bool) {
	price, known = p[kindOf(device)]
	return price, known
}

// kindOf is cpu or cuda.
func kindOf(device string) string {
	kind, _, _ := strings.Cut(device, ":")
	return kind
}

// A Cost is what pictures cost at a device's price an hour.
type Cost struct {
	Per1000Images float64 `json:"per_1000_images"`
	// PerEpoch is that of the training half of an epoch; 0 without a set.
	PerEpoch float64 `json:"per_epoch,omitempty"`
}

// costOf is the cost at a price an hour and a rate in images/s; epoch is its number of pictures, 0 without a set.
func costOf(price, rate float64, epoch int) *Cost {
	second := price / 3600
	return &Cost{Per1000Images: second * 1000 / rate, PerEpoch: second * float64(epoch) / rate}
}

// A Comparison holds a GPU against the CPU at the same work.
type Comparison struct {
	Work      string  `json:"work"`
	Input     string  `json:"input"`
	Pixels    string  `json:"pixels"`
	Model     string  `json:"model"`
	BatchSize int     `json:"batch_size"`
	CPU       float64 `json:"cpu_images_per_second"`
	CUDA      float64 `json:"cuda_images_per_second"`
	Device    string  `json:"device"` // the GPU
	// Ratio is CUDA over CPU: for one picture the GPU is the cheaper one as long as
	// its hour costs less than Ratio hours of the CPU.
	Ratio float64 `json:"ratio"`
	// BreakEven is the price of an hour of the GPU at which both cost the same; 0
	// where the CPU has no price.
	BreakEven float64 `json:"break_even_price_per_hour,omitempty"`
	// Cheaper is cpu or cuda; "" where a price is missing.
	Cheaper string `json:"cheaper,omitempty"`
}

// compare pairs the rows of CPU and GPUs that did the same.
func compare(rows []Row, prices Prices) []Comparison {
	var list []Comparison
	for _, gpu := range rows {
		if kindOf(gpu.Device) != "cuda" || gpu.Error != "" {
			continue
		}
		for _, cpu := range rows {
			if cpu.Device != "cpu" || cpu.Error != "" || cpu.key() != gpu.key() {
				continue
			}
			c := Comparison{
				Work: gpu.Work, Input: gpu.Input, Pixels: gpu.Pixels, Model: gpu.Model, BatchSize: gpu.BatchSize,
				CPU: cpu.ImagesPerSecond, CUDA: gpu.ImagesPerSecond, Device: gpu.Device, Ratio: gpu.ImagesPerSecond / cpu.ImagesPerSecond,
			}
			cpuPrice, haveCPU := prices.of("cpu")
			gpuPrice, haveGPU := prices.of("cuda")
			if haveCPU {
				c.BreakEven = c.Ratio * cpuPrice
			}
			if haveCPU && haveGPU {
				c.Cheaper = "cpu"
				if gpuPrice < c.BreakEven {
					c.Cheaper = "cuda"
				}
			}
			list = append(list, c)
		}
	}
	return list
}

// rowKey is what a row measures, wherever it does.
type rowKey struct {
	work, input, pixels, model string
	batch                      int
}

func (r *Row) key() rowKey { return rowKey{r.Work, r.Input, r.Pixels, r.Model, r.BatchSize} }
