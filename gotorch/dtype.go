package gotorch

import "fmt"

// Dtype is the type of a tensor's elements, numbered as libtorch numbers it. It is an alias, as the
// functions of the older gotorch take and return int8.
type Dtype = int8

// The element types.
const (
	Byte          Dtype = iota // uint8
	Char                       // int8
	Short                      // int16
	Int                        // int32
	Long                       // int64
	Half                       // IEEE float16
	Float                      // float32
	Double                     // float64
	ComplexHalf                // two float16
	ComplexFloat               // complex64
	ComplexDouble              // complex128
	Bool                       // one byte, 0 or 1
	QInt8                      // quantised int8
	QUInt8                     // quantised uint8
	QInt32                     // quantised int32
	BFloat16                   // the upper half of a float32
	// Invalid is no dtype.
	Invalid = -1
)

var dtypeNames = [...]string{"Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double",
	"ComplexHalf", "ComplexFloat", "ComplexDouble", "Bool", "QInt8", "QUInt8", "QInt32", "BFloat16"}

// DtypeName returns the name of a dtype's constant, as in "Float".
func DtypeName(d Dtype) string {
	if d < 0 || int(d) >= len(dtypeNames) {
		return fmt.Sprintf("Dtype(%d)", d)
	}
	return dtypeNames[d]
}

var dtypeSizes = [...]int64{1, 1, 2, 4, 8, 2, 4, 8, 4, 8, 16, 1, 1, 1, 4, 2}

// DtypeSize returns the bytes of one element, 0 for what is no dtype.
func DtypeSize(d Dtype) int64 {
	if d < 0 || int(d) >= len(dtypeSizes) {
		return 0
	}
	return dtypeSizes[d]
}
