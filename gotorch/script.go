package gotorch

// #include <stdlib.h>
// #include "stubs.h"
import "C"

import (
	"maps"
	"runtime"
	"slices"
	"unsafe"
)

// Script is a TorchScript module, torch.jit.ScriptModule: a program that libtorch interprets. Close
// frees it.
type Script struct{ p unsafe.Pointer }

// DefineScript compiles a module in evaluation mode from the source of its method forward, which
// finds the tensors as self.NAME:
//
//	def forward(self, x):
//	    return torch.relu(torch.conv2d(x, self.weight, self.bias))
func DefineScript(source string, tensors map[string]Tensor) *Script {
	names := slices.Sorted(maps.Keys(tensors))
	list := make([]C.cgt_t, len(names))
	for i, name := range names {
		list[i] = tensors[name].c("DefineScript")
	}
	need()
	text := C.CString(source)
	defer C.free(unsafe.Pointer(text))
	cnames, free := cStrings(names)
	defer free()
	r := C.cgt_script_define(text, cnames, unsafe.SliceData(list), C.int64_t(len(list)))
	runtime.KeepAlive(tensors)
	check(r.err, "DefineScript")
	return &Script{r.v}
}

// LoadScript reads a module that torch.jit.save or Save wrote, onto a device.
func LoadScript(path string, device Device) *Script {
	need()
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	r := C.cgt_script_load(text, C.int8_t(device.T.kind), C.int16_t(device.T.index))
	check(r.err, "LoadScript")
	return &Script{r.v}
}

// Save writes the module to a file that torch.jit.load reads in Python and C++, with extra files in
// it (their texts by their names; _extra_files of torch.jit.load).
func (s *Script) Save(path string, extra map[string]string) {
	names := slices.Sorted(maps.Keys(extra))
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = extra[name]
	}
	text := C.CString(path)
	defer C.free(unsafe.Pointer(text))
	cnames, free := cStrings(names)
	defer free()
	ctexts, free := cStrings(texts)
	defer free()
	check(C.cgt_script_save(s.open("Save"), text, cnames, ctexts, C.int64_t(len(names))), "Save")
}

// Forward calls the module's method forward, which returns one tensor.
func (s *Script) Forward(inputs ...Tensor) Tensor {
	list := impls(inputs, "Forward")
	r := C.cgt_script_forward(s.open("Forward"), unsafe.SliceData(list), C.int64_t(len(list)))
	runtime.KeepAlive(inputs)
	return born(r, "Forward")
}

// Close frees the module. Closing it again does nothing; using it afterwards panics.
func (s *Script) Close() {
	if s.p != nil {
		C.cgt_script_free(s.p)
		s.p = nil
	}
}

func (s *Script) open(op string) unsafe.Pointer {
	if s.p == nil {
		refuse(op, "the module was used after it was closed")
	}
	return s.p
}

// cStrings copies strings to C's memory, as an array of pointers; free frees it all.
func cStrings(list []string) (array **C.char, free func()) {
	if len(list) == 0 {
		return nil, func() {}
	}
	memory := C.malloc(C.size_t(len(list)) * C.size_t(unsafe.Sizeof(array)))
	pointers := unsafe.Slice((**C.char)(memory), len(list))
	for i, s := range list {
		pointers[i] = C.CString(s)
	}
	return &pointers[0], func() {
		for _, p := range pointers {
			C.free(unsafe.Pointer(p))
		}
		C.free(memory)
	}
}
