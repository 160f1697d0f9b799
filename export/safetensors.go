package export

import (
	"fmt"
	"os"
	"path/filepath"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/models"
	"github.com/wangkuiyi/orrery/trainer"
)

// writeSafetensors writes DIR/model.safetensors, the weights under PyTorch's
// names with BatchNorm as it was trained, and DIR/config.json.
func writeSafetensors(saved *trainer.Saved, r *Result, expected *expectation) error {
	d, err := description(saved, false)
	if err != nil {
		return err
	}
	weights := filepath.Join(r.Path, "model.safetensors")
	file := &Result{Path: weights}
	err = writeChecked(file, expected.compare, func(path string) (exported, error) {
		if err := safetensors.Save(path, saved.Model().StateDict(), map[string]string{"format": "pt"}); err != nil {
			return nil, err
		}
		tensors, err := safetensors.Load(path)
		if err != nil {
			return nil, err
		}
		twin, err := saved.Twin(tensors)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return rebuilt{twin}, nil
	})
	if err != nil {
		return err
	}
	config := filepath.Join(r.Path, "config.json")
	if err := atomicfile.WriteJSON(config, d); err != nil {
		return err
	}
	info, err := os.Stat(config)
	if err == nil {
		r.Bytes, r.MaxDifference = file.Bytes+info.Size(), file.MaxDifference
	}
	return err
}

// rebuilt is the run's own network with the weights of an export; its tensors
// belong to the scope it was made in.
type rebuilt struct{ models.Model }

func (r rebuilt) Forward(pictures ...torch.Tensor) torch.Tensor { return r.Logits(pictures[0]) }

func (r rebuilt) Close() {}
