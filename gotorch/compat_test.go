package gotorch_test

import (
	"archive/tar"
	"io"
	"reflect"
	"testing"
	"unsafe"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"
	F "github.com/wangkuiyi/gotorch/nn/functional"
	"github.com/wangkuiyi/gotorch/nn/initializer"
	"github.com/wangkuiyi/gotorch/tool/tgz"
	"github.com/wangkuiyi/gotorch/variadic"
	"github.com/wangkuiyi/gotorch/vision/models"
)

type (
	options = map[string]interface{}
	T       = torch.Tensor
)

type oneToOne interface{ Forward(T) T }

type upstreamModule interface {
	Train(bool)
	IsTraining() bool
	To(torch.Device, ...int8)
	StateDict() map[string]T
	SetStateDict(map[string]T) error
	Apply(func(nn.IModule))
	Name() string
}

// These assignments compile only while the signatures of the gotorch of 2020 are kept.
var (
	_ func(T, T, float32) T                                          = torch.Add
	_ func(T, T, float32) T                                          = torch.Sub
	_ func(T, T) T                                                   = torch.Mul
	_ func(T, T) T                                                   = torch.Div
	_ func(T, T) T                                                   = torch.Eq
	_ func(T, T) bool                                                = torch.Equal
	_ func(T, T) bool                                                = torch.AllClose
	_ func(T, T) T                                                   = torch.ExpandAs
	_ func(T, int64, int64) T                                        = torch.Flatten
	_ func(T, int64, T) T                                            = torch.IndexSelect
	_ func(T, float64) T                                             = torch.LeakyRelu
	_ func(T, int64) T                                               = torch.LogSoftmax
	_ func(T) T                                                      = torch.Mean
	_ func(T, T) T                                                   = torch.MM
	_ func(T) T                                                      = torch.Relu
	_ func(T) T                                                      = torch.Sigmoid
	_ func(T) T                                                      = torch.Tanh
	_ func([]T, int64) T                                             = torch.Stack
	_ func(T, ...int64) T                                            = torch.Squeeze
	_ func(T, ...options) T                                          = torch.Sum
	_ func(T, int64, int64, bool, bool) (T, T)                       = torch.TopK
	_ func(T, int64, int64) T                                        = torch.Transpose
	_ func(T, ...int64) T                                            = torch.View
	_ func(T, torch.Device, int8) T                                  = torch.To
	_ func([]int64, bool) T                                          = torch.RandN
	_ func([]int64, bool) T                                          = torch.Rand
	_ func([]int64, bool) T                                          = torch.Empty
	_ func([]int64, bool) T                                          = torch.Ones
	_ func(int64, int64, bool) T                                     = torch.Eye
	_ func([]int64, float32, bool) T                                 = torch.Full
	_ func(float32, float32, float32, bool) T                        = torch.Arange
	_ func(float32, float32, int64, bool) T                          = torch.Linspace
	_ func(float32, float32, int64, float64, bool) T                 = torch.Logspace
	_ func(interface{}, ...options) T                                = torch.NewTensor
	_ func(unsafe.Pointer, int8, []int64) T                          = torch.FromBlob
	_ func(string) T                                                 = torch.Load
	_ func(unsafe.Pointer)                                           = torch.MustNil
	_ func(*unsafe.Pointer)                                          = torch.SetTensorFinalizer
	_ func(string) torch.Device                                      = torch.NewDevice
	_ func() bool                                                    = torch.IsCUDAAvailable
	_ func() bool                                                    = torch.IsCUDNNAvailable
	_ func(int32)                                                    = torch.SetNumThreads
	_ func(torch.Device) torch.CUDAStream                            = torch.GetCurrentCUDAStream
	_ func(torch.Device) torch.CUDAStream                            = torch.NewCUDAStream
	_ func(torch.CUDAStream)                                         = torch.SetCurrentCUDAStream
	_ func(float64, float64, float64, float64, bool) torch.Optimizer = torch.SGD
	_ func(float64, float64, float64, float64) torch.Optimizer       = torch.Adam
	_ func()                                                         = torch.GC
	_ func()                                                         = torch.FinishGC

	_ = T{T: (*unsafe.Pointer)(nil)}
	_ = torch.Device{}.T
	_ = torch.CUDAStream{}.P
	_ = torch.Optimizer{}.Opt
	_ interface {
		Add(T, float32) T
		AddI(T, float32) T
		Sub(T, float32) T
		SubI(T, float32) T
		Mul(T) T
		MulI(T) T
		Div(T) T
		DivI(T) T
		Permute([]int64) T
		Eq(T) T
		ExpandAs(T) T
		IndexSelect(int64, T) T
		Item() interface{}
		LeakyRelu(float64) T
		LogSoftmax(int64) T
		Mean() T
		Relu() T
		Sigmoid() T
		Squeeze(...int64) T
		Sum(...options) T
		Tanh() T
		Transpose(int64, int64) T
		View(...int64) T
		Argmin(...interface{}) T
		Argmax(...interface{}) T
		Detach() T
		String() string
		Print()
		Save(string)
		Dim() int64
		Shape() []int64
		Dtype() int8
		Backward()
		Grad() T
		To(torch.Device, ...int8) T
		CUDA(torch.Device, bool) T
		CastTo(int8) T
		CopyTo(torch.Device) T
		PinMemory() T
		SetData(T)
		Index(...int64) T
		GobEncode() ([]byte, error)
	} = T{}
	_ interface{ GobDecode([]byte) error } = (*T)(nil)
	_ interface {
		Query() bool
		Synchronize()
	} = torch.CUDAStream{}
	_ interface {
		AddParameters([]T)
		ZeroGrad()
		Step()
		SetLR(float64)
		Close()
	} = torch.Optimizer{}

	// Upstream's interface and ours have the same methods: each is assigned to the other.
	_ nn.IModule     = upstreamModule(nil)
	_ upstreamModule = nn.IModule(nil)
	_ interface {
		upstreamModule
		Init(nn.IModule)
		Outer() nn.IModule
		NamedParameters() map[string]T
		NamedBuffers() map[string]T
		Parameters() []T
		Buffers() []T
	} = (*nn.Module)(nil)
	_ nn.Visitor = func(reflect.StructField, reflect.Value, string, bool) error { return nil }

	_ func(int64, int64, int64, int64, int64, int64, int64, bool, string) *nn.Conv2dModule                 = nn.Conv2d
	_ func(int64, int64, int64, int64, int64, int64, int64, bool, int64, string) *nn.ConvTranspose2dModule = nn.ConvTranspose2d
	_ func(int64, float64, float64, bool, bool) *nn.BatchNorm2dModule                                      = nn.BatchNorm2d
	_ func(int64, int64, bool) *nn.LinearModule                                                            = nn.Linear
	_ func(...nn.IModule) *nn.SequentialModule                                                             = nn.Sequential
	_ func(func(T) T) *nn.FunctionalModule                                                                 = nn.Functional
	_ func(T, T, T, T, T, bool, float64, float64) T                                                        = F.BatchNorm
	_ func(T, T, T, []int64, []int64, []int64, int64) T                                                    = F.Conv2d
	_ func(T, T, T, []int64, []int64, []int64, int64, []int64) T                                           = F.ConvTranspose2d
	_ func(T, T, T, int64, string) T                                                                       = F.CrossEntropy
	_ func(T, T, T, int64, string) T                                                                       = F.NllLoss
	_ func(T, T, T, string) T                                                                              = F.BinaryCrossEntropy
	_ func(T, bool) T                                                                                      = F.Relu
	_ func(T, float64, bool) T                                                                             = F.LeakyRelu
	_ func(T, T, T) T                                                                                      = F.Linear
	_ func(T, []int64, []int64, []int64, []int64, bool) T                                                  = F.MaxPool2d
	_ func(T, []int64) T                                                                                   = F.AdaptiveAvgPool2d
	_ func(int64)                                                                                          = initializer.ManualSeed
	_ func(*T)                                                                                             = initializer.Zeros
	_ func(*T)                                                                                             = initializer.Ones
	_ func(*T, float64, float64)                                                                           = initializer.Uniform
	_ func(*T, float64, float64)                                                                           = initializer.Normal
	_ func(*T, float64, string, string)                                                                    = initializer.KaimingUniform
	_ func(T) (int64, int64)                                                                               = initializer.CalculateFanInAndFanOut
	_ oneToOne                                                                                             = &nn.Conv2dModule{Weight: T{}, Bias: T{}}
	_ oneToOne                                                                                             = &nn.ConvTranspose2dModule{OutPadding: 0}
	_ oneToOne                                                                                             = &nn.BatchNorm2dModule{RunningMean: T{}, RunningVar: T{}}
	_ oneToOne                                                                                             = &nn.LinearModule{InFeatures: 0, OutFeatures: 0}
	_ oneToOne                                                                                             = &nn.FunctionalModule{}
	_ oneToOne                                                                                             = &models.MLPModule{FC1: nil, FC2: nil, FC3: nil}
	_ oneToOne                                                                                             = &models.BasicBlockModule{C1: nil, BN2: nil, Downsample: nil}
	_ oneToOne                                                                                             = &models.BottleneckModule{C3: nil, BN3: nil, Downsample: nil}
	_ oneToOne                                                                                             = &models.ResnetModule{L1: nil, L4: nil, FC: nil, Block: nil, Inplanes: 0}
	_ interface {
		Forward(...interface{}) interface{}
	} = &nn.SequentialModule{Modules: nil}
	_ func(reflect.Type, []int64, int64, bool, int64, int64) *models.ResnetModule                   = models.Resnet
	_ func() *models.MLPModule                                                                      = models.MLP
	_ func() *models.ResnetModule                                                                   = models.Resnet18
	_ func() *models.ResnetModule                                                                   = models.Resnet50
	_ func(int64, int64, int64, *nn.SequentialModule, int64, int64, int64) *models.BasicBlockModule = models.BasicBlock
	_ func(int64, int64, int64, *nn.SequentialModule, int64, int64, int64) *models.BottleneckModule = models.Bottleneck
	_ func(string) (string, error)                                                                  = tgz.SynthesizeTarball
	_ func(*tgz.Writer) error                                                                       = tgz.Synthesize
	_ func(string) (*tgz.Reader, error)                                                             = tgz.OpenFile
	_ func(io.Reader) (*tgz.Reader, error)                                                          = tgz.NewReader
	_ func(string) (*tgz.Writer, error)                                                             = tgz.CreateFile
	_ func(io.Writer) *tgz.Writer                                                                   = tgz.NewWriter
	_ func(string) ([]*tar.Header, error)                                                           = tgz.ListFile
	_ *tar.Reader                                                                                   = tgz.Reader{}.Reader
	_ *tar.Writer                                                                                   = tgz.Writer{}.Writer
	_ func([]options, string) bool                                                                  = variadic.Has
	_ func([]options, string, ...interface{}) interface{}                                           = variadic.Get
	_ func([]options, string) (interface{}, bool)                                                   = variadic.Lookup
)

// A program in the older gotorch's manner: GC in the loop, options in maps, crossEntropy with five
// arguments.
func TestOlderProgramsRun(t *testing.T) {
	initializer.ManualSeed(1)
	net := models.MLP()
	defer func() {
		for _, p := range net.Parameters() {
			p.Close()
		}
	}()
	opt := torch.SGD(0.1, 0.5, 0, 0, false)
	defer opt.Close()
	opt.AddParameters(net.Parameters())
	x, y := torch.RandN([]int64{4, 784}, false), torch.NewTensor([]int64{1, 2, 3, 4})
	defer x.Close()
	defer y.Close()
	defer torch.FinishGC()
	var first, last float32
	for i := 0; i < 5; i++ {
		torch.GC()
		opt.ZeroGrad()
		loss := F.NllLoss(net.Forward(x.To(torch.NewDevice("cpu"), x.Dtype())), y, torch.Tensor{}, -100, "mean")
		loss.Backward()
		opt.Step()
		last = loss.Item().(float32)
		if i == 0 {
			first = last
		}
	}
	if last >= first {
		t.Errorf("the loss went from %v to %v", first, last)
	}
	_ = F.CrossEntropy(torch.Ones([]int64{1, 2}, false), torch.NewTensor([]int64{0}), torch.Tensor{}, -100, "mean")
}

func TestDtypesHaveUpstreamsNumbers(t *testing.T) {
	for want, d := range []int8{torch.Byte, torch.Char, torch.Short, torch.Int, torch.Long, torch.Half, torch.Float, torch.Double,
		torch.ComplexHalf, torch.ComplexFloat, torch.ComplexDouble, torch.Bool, torch.QInt8, torch.QUInt8, torch.QInt32, torch.BFloat16} {
		if int(d) != want {
			t.Errorf("%s is %d, want %d", torch.DtypeName(d), d, want)
		}
	}
	if torch.Invalid != -1 {
		t.Errorf("Invalid is %d", torch.Invalid)
	}
}
