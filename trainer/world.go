package trainer

import (
	torch "github.com/wangkuiyi/gotorch"
)

// A World is the processes that train one model together. A nil World is this
// process alone.
type World struct {
	rank, size int
}

// Rank is this process's number, from 0 on.
func (w *World) Rank() int {
	if w == nil {
		return 0
	}
	return w.rank
}

// Size is the number of processes.
func (w *World) Size() int {
	if w == nil {
		return 1
	}
	return w.size
}

// gatherGenerators gives the states of every process's random generators, by
// rank and device.
func (w *World) gatherGenerators(device torch.Device) (map[string]torch.Tensor, error) {
	states := map[string]torch.Tensor{"0.cpu": torch.RNGState()}
	if device.IsCUDA() {
		states["0.cuda"] = torch.RNGState(device)
	}
	return states, nil
}

// restoreGenerators is its inverse.
func (w *World) restoreGenerators(device torch.Device, states map[string]torch.Tensor) {
	if state, ok := states["0.cpu"]; ok {
		torch.SetRNGState(state)
	}
	if state, ok := states["0.cuda"]; ok && device.IsCUDA() {
		torch.SetRNGState(state, device)
	}
}
