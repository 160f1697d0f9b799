package gotorch

// #include "stubs.h"
import "C"

import (
	"errors"
	"unsafe"
)

// Error is what libtorch refused: the panic value of this package's operations.
type Error struct {
	Op      string // the operation, as in "Conv2d"
	Message string // libtorch's message
}

// Error returns the operation and libtorch's message.
func (e *Error) Error() string { return e.Op + ": " + e.Message }

// Try runs f and returns the *Error that an operation in it panicked with, or nil. Any other panic
// passes through.
func Try(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(error)
			var te *Error
			if !ok || !errors.As(e, &te) {
				panic(r)
			}
			err = te
		}
	}()
	f()
	return nil
}

// MustNil panics with the C string at err, which it frees, unless err is nil. It is here for
// programs written for the older gotorch.
func MustNil(err unsafe.Pointer) { check((*C.char)(err), "MustNil") }

// SetTensorFinalizer does nothing: every handle sees to its own tensor. It is here for programs
// written for the older gotorch.
func SetTensorFinalizer(*unsafe.Pointer) {}

// takeString copies a C string and frees it.
func takeString(s *C.char) string {
	g := C.GoString(s)
	C.cgt_free(unsafe.Pointer(s))
	return g
}

// check panics with the message of a failed call.
func check(err *C.char, op string) {
	if err != nil {
		fail(err, op)
	}
}

func fail(err *C.char, op string) { panic(&Error{Op: op, Message: takeString(err)}) }

func refuse(op, message string) { panic(&Error{Op: op, Message: message}) }
