package models

import (
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// Every named network takes pictures in bytes, and makes of them what it makes of the same in floats from 0 to 1.
func TestPicturesInBytes(t *testing.T) {
	for _, name := range Names() {
		o := Options{Classes: 3, ReLU: true, BatchNorm: true}
		torch.Scoped(func(*torch.Scope) {
			torch.ManualSeed(2)
			m, err := New(name, o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			m.ToChannelsLast()
			m.Train(false)
			x := torch.RandInt(0, 256, []int64{2, 64, 64, 3}).CastTo(torch.Byte).Permute([]int64{0, 3, 1, 2})
			torch.NoGrad(func() {
				got, want := m.Logits(x), m.Logits(x.CastTo(torch.Float).DivScalar(255))
				largest := want.Abs().Max().Item().(float32)
				if d := got.Sub(want, 1).Abs().Max().Item().(float32); !(d <= 1e-4*largest) {
					t.Errorf("%s: logits of bytes are %g off, the largest is %g", name, d, largest)
				}
			})
		})
	}
}
