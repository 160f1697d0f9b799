package gotorch

import (
	"fmt"
	"reflect"

	"github.com/wangkuiyi/gotorch/variadic"
)

// Sum returns the sum of the elements. The options "dim" (an int) and "keepDim" (a bool) sum along
// one dimension:
//
//	torch.Sum(a, map[string]interface{}{"dim": 1, "keepDim": true})
func Sum(a Tensor, opt ...map[string]interface{}) Tensor {
	d, ok := variadic.Lookup(opt, "dim")
	if !ok {
		return sumAll(a)
	}
	dim, ok := integer(d)
	if !ok {
		refuse("Sum", fmt.Sprintf("the option dim must be an integer, it is %v", d))
	}
	keep, ok := variadic.Get(opt, "keepDim", false).(bool)
	if !ok {
		refuse("Sum", "the option keepDim must be a bool")
	}
	return SumDims(a, []int64{dim}, keep)
}

// Sum is [Sum] of the receiver.
func (a Tensor) Sum(opt ...map[string]interface{}) Tensor { return Sum(a, opt...) }

// Squeeze removes the dimensions of size 1: all of them, or the one given if its size is 1.
func Squeeze(t Tensor, dim ...int64) Tensor {
	switch len(dim) {
	case 0:
		return squeezeAll(t)
	case 1:
		return squeezeDim(t, dim[0])
	default:
		refuse("Squeeze", "at most one dimension can be given")
		return Tensor{}
	}
}

// Squeeze is [Squeeze] of the receiver.
func (a Tensor) Squeeze(dim ...int64) Tensor { return Squeeze(a, dim...) }

// View returns a tensor of another shape over the same memory; one size may be -1.
func View(a Tensor, shape ...int64) Tensor { return view(a, shape) }

// View is [View] of the receiver.
func (a Tensor) View(shape ...int64) Tensor { return view(a, shape) }

// Argmin returns the index (Long) of the smallest element. The options are the dimension (an
// integer) along which to look, and whether to keep that dimension (a bool).
func (a Tensor) Argmin(opts ...interface{}) Tensor {
	dim, keep := argOptions("Argmin", opts)
	return argmin(a, dim, keep)
}

// Argmax returns the index (Long) of the largest element. The options are the dimension (an
// integer) along which to look, and whether to keep that dimension (a bool).
func (a Tensor) Argmax(opts ...interface{}) Tensor {
	dim, keep := argOptions("Argmax", opts)
	return argmax(a, dim, keep)
}

func argOptions(op string, opts []interface{}) (dim []int64, keep bool) {
	if len(opts) > 0 {
		d, ok := integer(opts[0])
		if !ok {
			refuse(op, fmt.Sprintf("the dimension must be an integer, it is %v", opts[0]))
		}
		dim = []int64{d}
	}
	if len(opts) > 1 {
		k, ok := opts[1].(bool)
		if !ok {
			refuse(op, fmt.Sprintf("keepDim must be a bool, it is %v", opts[1]))
		}
		keep = k
	}
	return dim, keep
}

func integer(v interface{}) (int64, bool) {
	r := reflect.ValueOf(v)
	if !r.IsValid() || !r.CanInt() {
		return 0, false
	}
	return r.Int(), true
}

// Index returns the element at the given index, one number per dimension, as a 0-dim tensor.
func (a Tensor) Index(index ...int64) Tensor { return element(a, index) }
