package gotorch_test

import (
	"errors"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// Whatever the bytes, GobDecode gives a tensor or libtorch's refusal.
func FuzzGobDecode(f *testing.F) {
	s := torch.NewScope()
	for _, x := range []torch.Tensor{torch.Ones([]int64{2, 3}, false), torch.TensorOf([]int64{1}), torch.Zeros([]int64{0}, false)} {
		b, err := x.GobEncode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
		for i := 0; i < len(b); i += 7 {
			flipped := append([]byte(nil), b...)
			flipped[i] ^= 0xff
			f.Add(flipped)
		}
	}
	s.Close()
	f.Fuzz(func(t *testing.T, b []byte) {
		torch.Scoped(func(*torch.Scope) {
			var x torch.Tensor
			err := x.GobDecode(b)
			if err != nil {
				var e *torch.Error
				if len(b) > 0 && !errors.As(err, &e) {
					t.Errorf("the error is a %T: %v", err, err)
				}
				return
			}
			_ = x.Shape()
		})
	})
}
