package gotorch_test

import (
	"errors"
	"maps"
	"os"
	"regexp"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// withoutFailure are the functions of native/cgotorch.h that report errors and that no call through this
// package makes fail, with the reason.
var withoutFailure = map[string]string{
	"cgt_config":               "takes nothing",
	"cgt_describe":             "Go refuses undefined tensors first",
	"cgt_data_ptr":             "every dense tensor has one",
	"cgt_to_string":            "prints every dense tensor",
	"cgt_pin_memory":           "without CUDA Go returns the tensor itself",
	"cgt_grad":                 "every tensor may be asked",
	"cgt_load_cuda":            "load_test.go loads broken libraries",
	"cgt_set_flag":             "Go passes names that exist",
	"cgt_optimizer_zero_grad":  "removes what is there",
	"cgt_optimizer_state":      "Go counts the parameters first",
	"cgt_kernels_set":          "Go checks the mode first",
	"cgt_kernels_choices":      "takes nothing",
	"cgt_kernels_instructions": "takes nothing",
	"cgt_bench_add":            "takes a number only",
	"cgt_cuda_open":            "cuda_test.go loads it without a driver",
	"cgt_graph_end":            "there is no recording without a GPU",
	"cgt_graph_replay":         "there is no recording without a GPU",

	"cgt_nvjpeg_open":    "nvjpeg_test.go opens what is broken",
	"cgt_nvjpeg_version": "nvJPEG knows its own version",
	"cgt_nvjpeg_decode":  "nvjpeg_test.go has it refuse files; it fails as a whole without memory only",

	"cgt_group_barrier":           "fails as the collectives do, when a rank is lost",
	"cgt_group_sync_batch_norm":   "takes a group only",
	"cgt_reducer_before_backward": "counts",
}

// Every function that the native library declares by hand turns an exception into an *Error; those made
// from ops.def are in TestEveryOperationRefusesInWords.
func TestEveryEntryTurnsExceptionsIntoErrors(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	x := torch.Ones([]int64{2, 2}, true)
	meta := torch.Ones([]int64{2}, false).To(torch.NewDevice("meta"))
	long := torch.TensorOf([]int64{1, 2})
	withGrad := func(value, grad torch.Tensor) []torch.Tensor {
		value.SetGrad(grad)
		return []torch.Tensor{value}
	}
	opt := torch.SGD(0.1, 0.9, 0, 0, false)
	defer opt.Close()
	opt.AddParameters([]torch.Tensor{x})
	cuda := torch.NewDevice("cuda:97")
	script := torch.DefineScript("def forward(self, x):\n    return x\n", nil)
	defer script.Close()
	entries := map[string]func(){
		"cgt_from_blob":         func() { torch.FromBlob(x.DataPtr(), torch.Float, []int64{-1}) },
		"cgt_copy_in":           func() { torch.CopyIn(torch.Ones([]int64{1}, false).Expand([]int64{3}), []float32{1, 2, 3}) },
		"cgt_copy_out":          func() { torch.Values[float32](meta) },
		"cgt_item_int":          func() { long.ItemInt64() },
		"cgt_item_double":       func() { x.ItemFloat64() },
		"cgt_encode":            func() { must(meta.GobEncode()) },
		"cgt_decode":            func() { must(nil, new(torch.Tensor).GobDecode([]byte("no pickle"))) },
		"cgt_set_data":          func() { x.SetData(long) },
		"cgt_to":                func() { x.CastTo(99) },
		"cgt_backward":          func() { x.Backward() },
		"cgt_gradients":         func() { torch.Gradients([]torch.Tensor{long}, []torch.Tensor{x}, nil, false) },
		"cgt_set_grad":          func() { x.SetGrad(torch.Ones([]int64{3}, false)) },
		"cgt_set_requires_grad": func() { long.SetRequiresGrad(true) },
		"cgt_autocast_enter":    func() { torch.Autocast(torch.CPU, 99, func() {}) },
		"cgt_clip_grad_norm": func() {
			none := torch.Ones([]int64{0}, true)
			torch.ClipGradNorm(withGrad(none, torch.Ones([]int64{0}, false)), 1, -1)
		},
		"cgt_clip_grad_value": func() {
			z := torch.ZerosOf([]int64{2}, torch.ComplexFloat)
			torch.ClipGradValue(withGrad(z, z.Clone()), 1)
		},
		"cgt_manual_seed":           func() { torch.ManualSeedOn(cuda, 1) },
		"cgt_rng_state":             func() { torch.RNGState(cuda) },
		"cgt_set_rng_state":         func() { torch.SetRNGState(long) },
		"cgt_parse_device":          func() { torch.NewDevice("abacus:x") },
		"cgt_synchronize":           func() { torch.Synchronize(cuda) },
		"cgt_set_num_threads":       func() { torch.SetNumThreads(0) },
		"cgt_stream_new":            func() { torch.NewCUDAStream(cuda) },
		"cgt_stream_current":        func() { torch.GetCurrentCUDAStream(cuda) },
		"cgt_stream_set":            func() { torch.SetCurrentCUDAStream(torch.CUDAStream{}) },
		"cgt_stream_query":          func() { torch.CUDAStream{}.Query() },
		"cgt_stream_synchronize":    func() { torch.CUDAStream{}.Synchronize() },
		"cgt_optimizer_add_group":   func() { opt.AddParameters([]torch.Tensor{x.Add(x, 1)}) },
		"cgt_optimizer_set_options": func() { opt.SetLR(-1) },
		"cgt_optimizer_set_state": func() {
			must(nil, opt.SetState(map[string]torch.Tensor{"0.momentum_buffer": long, "0.step": torch.Ones(nil, false)}))
		},
		"cgt_optimizer_step": func() { // the data changes under the gradient
			p := torch.Ones([]int64{2}, true)
			o := torch.SGD(0.1, 0, 0, 0, false)
			defer o.Close()
			o.AddParameters(withGrad(p, torch.Ones([]int64{2}, false)))
			p.SetData(torch.Ones([]int64{5}, false))
			o.Step()
		},
		"cgt_cuda_memory":     func() { torch.CUDAMemory(cuda) },
		"cgt_cuda_stream":     func() { torch.CUDAStreamHandle(cuda) },
		"cgt_graph_begin":     func() { _, err := torch.RecordCUDAGraph(cuda, func() {}); must(nil, err) },
		"cgt_limit_grad_norm": func() { torch.LimitGradNorm(nil, 1, 2) },
		"cgt_unscale_grads": func() {
			torch.UnscaleGrads(withGrad(torch.Ones([]int64{2}, true), torch.Ones([]int64{2}, false)), long, long)
		},
		"cgt_scale_update":          func() { torch.UpdateScale(x, x, x, 2, 0.5, 10) },
		"cgt_optimizer_guard":       func() { opt.Guard(long) },
		"cgt_relu_norm":             func() { torch.ReLUNorm(x, torch.ConvStage{}, torch.Tensor{}) },
		"cgt_activation_statistics": func() { torch.ActivationStatistics(x, long) },
		"cgt_trace_begin": func() { // while another recording goes on
			torch.Record([]torch.Tensor{x}, func() torch.Tensor { torch.Record([]torch.Tensor{x}, x.Relu); return x.Relu() })
		},
		"cgt_trace_end":      func() { torch.Record([]torch.Tensor{x}, func() torch.Tensor { return long }) },
		"cgt_script_define":  func() { torch.DefineScript("no script", nil) },
		"cgt_script_load":    func() { torch.LoadScript("no/such/model.pt", torch.NewDevice("cpu")) },
		"cgt_script_save":    func() { script.Save("no/such/folder/model.pt", nil) },
		"cgt_script_forward": func() { script.Forward(x, x) },
		"cgt_conv_chain": func() {
			torch.ConvChain(x, []torch.ConvStage{{Weight: x, Groups: 1, Stride: [2]int64{1, 1}, Dilation: [2]int64{1, 1}}}, torch.Tensor{})
		},
	}
	maps.Copy(entries, failuresTogether(t, meta))
	header, err := os.ReadFile("native/cgotorch.h")
	if err != nil {
		t.Fatal(err)
	}
	reporting := regexp.MustCompile(`(?m)^(?:cgt_rt|cgt_rts|cgt_rp|cgt_rl|cgt_ri|cgt_rd|cgt_rs|cgt_info|cgt_device|char\*) (cgt_\w+)\(`)
	found := reporting.FindAllStringSubmatch(string(header), -1)
	if len(found) < 40 {
		t.Fatalf("found %d functions in the header", len(found))
	}
	for _, m := range found {
		call, there := entries[m[1]]
		if !there {
			if withoutFailure[m[1]] == "" {
				t.Errorf("%s is called by no case of this test", m[1])
			}
			continue
		}
		t.Run(m[1], func(t *testing.T) {
			if cudaOnly[m[1]] && torch.IsCUDAAvailable() {
				t.Skip("there is a GPU")
			}
			err := torch.Try(call)
			var e *torch.Error
			if !errors.As(err, &e) || e.Op == "" || len(e.Message) < 8 {
				t.Errorf("got %v, want an *Error with the operation's name and libtorch's message", err)
			}
			t.Log(err)
		})
	}
}

// cudaOnly are the calls that succeed where there is a GPU.
var cudaOnly = map[string]bool{"cgt_stream_set": true, "cgt_stream_query": true, "cgt_stream_synchronize": true}

// must panics with err as the operations that return none do.
func must(_ []byte, err error) {
	if e := (*torch.Error)(nil); err != nil && !errors.As(err, &e) {
		panic(&torch.Error{Op: "must", Message: err.Error()})
	}
	if err != nil {
		panic(err)
	}
}
