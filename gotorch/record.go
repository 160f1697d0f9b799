package gotorch

// #include <stdlib.h>
// #include "stubs.h"
import "C"

import (
	"encoding/json"
	"fmt"
	"runtime"
	"unsafe"
)

// Graph is the operations that led from some inputs to one output, as libtorch's tracer recorded
// them: plain data flow, without control flow. Values are named by strings.
type Graph struct {
	Inputs []string    `json:"inputs"` // in the order given to Record
	Nodes  []GraphNode `json:"nodes"`  // in the order they ran; some may lead nowhere
	Output string      `json:"output"`
	// Constants are tensors that took part without being inputs.
	Constants []Tensor `json:"-"`
}

// GraphNode is one operation.
type GraphNode struct {
	Op   string     `json:"op"` // libtorch's name, as in "aten::conv2d"; an underscore at its end: in place
	Args []GraphArg `json:"args"`
	Out  []string   `json:"out"`
	// Shapes are those of Out in the recorded run; nil where an output is no tensor.
	Shapes [][]int64 `json:"shapes"`
}

// GraphArg is an operand. At most one of its fields but Name is set; none is for a None.
type GraphArg struct {
	Name     string     `json:"name"`               // in libtorch's schema, as in "weight"; "" within a list
	Value    string     `json:"v,omitempty"`        // an input or what a node made
	Constant *int       `json:"t,omitempty"`        // a place in Graph.Constants
	Int      *int64     `json:"i,omitempty"`        // also a dtype, by its number
	Float    *float64   `json:"f,omitempty,string"` // may be infinite
	Bool     *bool      `json:"b,omitempty"`
	String   *string    `json:"s,omitempty"`
	List     []GraphArg `json:"l,omitempty"`
	IsList   bool       `json:"-"` // List may be empty
}

// UnmarshalJSON tells an empty list from none.
func (a *GraphArg) UnmarshalJSON(text []byte) error {
	type plain GraphArg
	var list struct {
		L *json.RawMessage `json:"l"`
	}
	if err := json.Unmarshal(text, (*plain)(a)); err != nil {
		return err
	}
	err := json.Unmarshal(text, &list)
	a.IsList = list.L != nil
	return err
}

// Record runs f on the calling goroutine and records the operations that lead from inputs to what it
// returns: torch.jit.trace. Sizes that f reads are recorded as they are in this run. ConvChain runs
// as libtorch's operations meanwhile. It panics when f does, or when libtorch cannot record.
func Record(inputs []Tensor, f func() Tensor) *Graph {
	list := impls(inputs, "Record")
	need()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	check(C.cgt_trace_begin(unsafe.SliceData(list), C.int64_t(len(list))), "Record")
	recording := true
	defer func() {
		if recording {
			C.cgt_trace_abandon()
		}
	}()
	output := f()
	var text C.cgt_rs
	out := output.c("Record")
	recording = false
	constants := bornList(C.cgt_trace_end(out, &text), "Record")
	runtime.KeepAlive(inputs)
	runtime.KeepAlive(output)
	g := &Graph{Constants: constants}
	if err := json.Unmarshal([]byte(takeString(text.v)), g); err != nil {
		refuse("Record", fmt.Sprintf("the recorded graph cannot be read: %v", err))
	}
	return g
}
