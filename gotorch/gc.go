package gotorch

// #include "stubs.h"
import "C"

// GC belongs at the beginning of the body of a training loop: it frees the tensors born since the
// last call on this goroutine, and starts gathering those of this round. Tensors made before the
// first call, such as parameters, stay. It is [NewScope] and [Scope.Close] in the form that
// programs written for the older gotorch use; it does not run Go's collector.
func GC() {
	need()
	endRound()
	NewScope().round = true
}

// FinishGC belongs after a training loop: it frees what the last round gathered.
func FinishGC() {
	if loaded.Load() {
		endRound()
	}
}

// endRound closes the goroutine's innermost scope if GC opened it.
func endRound() {
	slot := int64(C.gt_get_scope())
	if slot == 0 {
		return
	}
	if s := scopeAt(slot); s.round {
		s.Close()
	}
}
