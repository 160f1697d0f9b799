// Package export takes a trained run to where Orrery is not: as an ONNX model,
// as TorchScript, or as weights with their description.
//
// The network is recorded as it computes (package gotorch's Record), so every
// model can leave, as long as its operations have a form in the target.
// Whatever is written is read back and held against the run on real pictures
// before it appears under its name.
package export

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/trainer"
)

// Formats are what a run can be exported as.
var Formats = []string{"onnx", "torchscript", "safetensors"}

// Options say what is exported and where to.
type Options struct {
	Format string // one of Formats
	// Output is the file to write; with safetensors the folder for the weights and
	// config.json. "" is a name beside the run's own files.
	Output string
	// Preprocess puts the run's preprocessing inside an ONNX model, which then takes
	// the pixels of central squares, uint8 [batch, side, side, 3].
	Preprocess bool
	// Check gives the pictures that the export is held against: Images of them,
	// decoded one by one by their numbers from 0.
	Images int
	Check  func(i int) (*data.Picture, error)
}

// A Result is what was written and how near it comes to the run.
type Result struct {
	Format string `json:"format"`
	// Path is the file, or the folder of a safetensors export.
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	Opset int    `json:"opset,omitempty"`
	// Preprocess tells that the preprocessing is inside.
	Preprocess bool `json:"preprocess,omitempty"`
	// Images is how many pictures the export was held against, MaxDifference the
	// largest difference of a logit from the run's over all of them.
	Images        int     `json:"images"`
	MaxDifference float64 `json:"max_difference"`
}

// Run exports the run. What it writes appears whole, and only if its logits
// differ from the run's by no more than Tolerance, or PreprocessTolerance.
func Run(ctx context.Context, saved *trainer.Saved, dir string, o Options) (*Result, error) {
	if o.Preprocess && o.Format != "onnx" {
		return nil, fmt.Errorf("format is %q; the preprocessing goes inside a model of the format onnx only", o.Format)
	}
	expected, err := expect(ctx, saved, o)
	if err != nil {
		return nil, err
	}
	r := &Result{Format: o.Format, Path: o.Output, Images: o.Images, Preprocess: o.Preprocess}
	compare := expected.compare
	scope := torch.NewScope()
	defer scope.Close()
	switch o.Format {
	case "onnx":
		name := "model.onnx"
		var inside *preparation
		if o.Preprocess {
			if inside, err = prepared(saved.Pipeline()); err != nil {
				return nil, err
			}
			name = "model-preprocess.onnx"
			compare = func(m exported) (float64, error) { return expected.comparePrepared(ctx, saved, o, m) }
		}
		r.Path, r.Opset = defaultPath(r.Path, dir, name), Opset
		err = writeChecked(r, compare, func(path string) (exported, error) { return writeONNX(saved, inside, path) })
	case "torchscript":
		r.Path = defaultPath(r.Path, dir, "model.pt")
		err = writeChecked(r, compare, func(path string) (exported, error) { return writeTorchScript(saved, path) })
	case "safetensors":
		r.Path = defaultPath(r.Path, dir, "safetensors")
		err = writeSafetensors(saved, r, expected)
	default:
		err = fmt.Errorf("format is %q; it must be one of %s", o.Format, strings.Join(Formats, ", "))
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func defaultPath(path, dir, name string) string {
	if path == "" {
		return filepath.Join(dir, "export", name)
	}
	return path
}

// An exported model, read back, takes pictures float32 [N, 3, S, S] to logits [N, classes].
type exported interface {
	Forward(pictures ...torch.Tensor) torch.Tensor
	Close()
}

// writeChecked has write make the file and read it back, and lets it appear if compare says that it computes what the run does.
func writeChecked(r *Result, compare func(exported) (float64, error), write func(path string) (exported, error)) error {
	if err := os.MkdirAll(filepath.Dir(r.Path), 0o755); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return atomicfile.Replace(r.Path, func(temporary string) error {
		model, err := write(temporary)
		if err != nil {
			return err
		}
		defer model.Close()
		if r.MaxDifference, err = compare(model); err != nil {
			return fmt.Errorf("%s: %w", r.Path, err)
		}
		info, err := os.Stat(temporary)
		if err == nil {
			r.Bytes = info.Size()
		}
		return err
	})
}

// folded is the run's network without BatchNorm.
func folded(saved *trainer.Saved) (*network, error) {
	n, err := record(saved.Model(), int64(saved.Recipe.Size))
	if err == nil {
		err = n.fold()
	}
	return n, err
}

// writeONNX puts the preprocessing inside where there is one.
func writeONNX(saved *trainer.Saved, inside *preparation, path string) (exported, error) {
	n, err := folded(saved)
	if err != nil {
		return nil, err
	}
	n.preparation = inside
	metadata, err := describe(saved, inside != nil)
	if err != nil {
		return nil, err
	}
	var content []byte
	err = torch.Try(func() {
		var m proto.Message
		if m, err = n.onnxModel(len(saved.Classes), metadata); err == nil {
			content, err = proto.MarshalOptions{Deterministic: true}.Marshal(m)
		}
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return nil, err
	}
	return loadONNX(path)
}

func writeTorchScript(saved *trainer.Saved, path string) (exported, error) {
	n, err := folded(saved)
	if err != nil {
		return nil, err
	}
	metadata, err := describe(saved, false)
	if err != nil {
		return nil, err
	}
	script, err := n.script()
	if err != nil {
		return nil, err
	}
	defer script.Close()
	var loaded *torch.Script
	err = torch.Try(func() {
		script.Save(path, metadata)
		loaded = torch.LoadScript(path, torch.NewDevice("cpu"))
	})
	return loaded, err
}
