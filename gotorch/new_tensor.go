package gotorch

import (
	"fmt"
	"reflect"
	"runtime"
	"unsafe"

	"github.com/wangkuiyi/gotorch/variadic"
)

// dtypeOfKind maps Go's element kinds to dtypes. uint16 carries the bits of Half; the option dtype
// may say BFloat16.
var dtypeOfKind = map[reflect.Kind]Dtype{
	reflect.Bool: Bool, reflect.Uint8: Byte, reflect.Int8: Char, reflect.Int16: Short,
	reflect.Int32: Int, reflect.Int64: Long, reflect.Int: Long, reflect.Uint16: Half,
	reflect.Float32: Float, reflect.Float64: Double,
	reflect.Complex64: ComplexFloat, reflect.Complex128: ComplexDouble,
}

// NewTensor copies a Go slice, or slices nested to any depth, into a tensor of that shape. The
// element type gives the dtype: bool Bool, uint8 Byte, int8 Char, int16 Short, int32 Int, int and
// int64 Long, uint16 Half (its bits), float32 Float, float64 Double, complex64 ComplexFloat,
// complex128 ComplexDouble.
//
// Options: "dtype" (a [Dtype] of the element's size) reads the bits as that dtype; "requires_grad"
// (bool).
//
// It panics with an *[Error] when data is no slice, is ragged, or has elements of another type.
func NewTensor(data interface{}, options ...map[string]interface{}) Tensor {
	t, err := newTensor(data, options)
	if err != nil {
		refuse("NewTensor", err.Error())
	}
	return t
}

func newTensor(data interface{}, options []map[string]interface{}) (Tensor, error) {
	v := reflect.ValueOf(data)
	if !v.IsValid() || v.Kind() != reflect.Slice && v.Kind() != reflect.Array {
		return Tensor{}, fmt.Errorf("expected a slice, found %T", data)
	}
	elem := v.Type()
	depth := 0
	for elem.Kind() == reflect.Slice || elem.Kind() == reflect.Array {
		elem = elem.Elem()
		depth++
	}
	dtype, ok := dtypeOfKind[elem.Kind()]
	if !ok {
		return Tensor{}, fmt.Errorf("expected elements of a number type or bool, found %s", elem)
	}
	if d, ok := variadic.Lookup(options, "dtype"); ok {
		given, ok := d.(Dtype)
		if !ok || DtypeSize(given) != int64(elem.Size()) {
			return Tensor{}, fmt.Errorf("the option dtype must be a Dtype of %d bytes for %s, it is %v", elem.Size(), elem, d)
		}
		dtype = given
	}
	shape, err := shapeOf(v, depth)
	if err != nil {
		return Tensor{}, err
	}
	flat := flatten(v, depth, elem, shape)
	t := FromBlob(flat.UnsafePointer(), dtype, shape)
	runtime.KeepAlive(data)
	runtime.KeepAlive(flat)
	if on, _ := variadic.Get(options, "requires_grad").(bool); on {
		t.SetRequiresGrad(true)
	}
	return t, nil
}

// shapeOf returns the sizes of nested slices and refuses ragged ones.
func shapeOf(v reflect.Value, depth int) ([]int64, error) {
	n := v.Len()
	shape := make([]int64, 1, depth)
	shape[0] = int64(n)
	if depth == 1 {
		return shape, nil
	}
	if n == 0 {
		return append(shape, make([]int64, depth-1)...), nil
	}
	first, err := shapeOf(v.Index(0), depth-1)
	if err != nil {
		return nil, err
	}
	for i := 1; i < n; i++ {
		next, err := shapeOf(v.Index(i), depth-1)
		if err != nil {
			return nil, err
		}
		for d := range first {
			if first[d] != next[d] {
				return nil, fmt.Errorf("expected slices of one length, found %d and %d values in dimension %d", first[d], next[d], depth-len(first)+d+len(shape)-1)
			}
		}
	}
	return append(shape, first...), nil
}

// flatten returns one slice of all elements; the innermost slices are copied whole.
func flatten(v reflect.Value, depth int, elem reflect.Type, shape []int64) reflect.Value {
	if depth == 1 && v.Kind() == reflect.Slice {
		return v
	}
	n := 1
	for _, s := range shape {
		n *= int(s)
	}
	flat := reflect.MakeSlice(reflect.SliceOf(elem), n, n)
	at := 0
	var walk func(v reflect.Value, depth int)
	walk = func(v reflect.Value, depth int) {
		if depth == 1 {
			at += reflect.Copy(flat.Slice(at, n), v)
			return
		}
		for i := 0; i < v.Len(); i++ {
			walk(v.Index(i), depth-1)
		}
	}
	walk(v, depth)
	return flat
}

// Element lists the Go types that tensors can be read as and written from.
type Element interface {
	~bool | ~uint8 | ~int8 | ~int16 | ~int32 | ~int64 | ~uint16 | ~float32 | ~float64 | ~complex64 | ~complex128
}

// TensorOf copies a slice into a tensor of the given shape, or of one dimension when none is given.
// The sizes must multiply to the slice's length.
func TensorOf[E Element](data []E, shape ...int64) Tensor {
	if len(shape) == 0 {
		shape = []int64{int64(len(data))}
	}
	n := int64(1)
	for _, s := range shape {
		n *= s
	}
	if n != int64(len(data)) {
		refuse("TensorOf", fmt.Sprintf("the shape %v holds %d values, the slice %d", shape, n, len(data)))
	}
	t := FromBlob(unsafe.Pointer(unsafe.SliceData(data)), dtypeOf[E](), shape)
	runtime.KeepAlive(data)
	return t
}

func dtypeOf[E Element]() Dtype {
	return dtypeOfKind[reflect.TypeFor[E]().Kind()]
}
