// Package gotorch is libtorch, the C++ library under PyTorch, for Go programs.
//
// A [Tensor] is a handle on libtorch's memory, which Go's collector does not see. A [Scope] owns the
// tensors born while it is open:
//
//	s := torch.NewScope()
//	defer s.Close()
//	y := torch.Relu(torch.RandN([]int64{2, 3}, false))
//
// All of them are freed by Close, except those handed out by [Scope.Keep]. A tensor born where no
// scope is open belongs to whoever made it, who calls [Tensor.Close]; one that is forgotten is freed
// some time after the collector finds it unreachable, which is a safety net and no plan.
//
// Operations panic with an [*Error] that carries libtorch's message when libtorch refuses the
// operands (shapes, dtypes, devices), and so does every function and method here that is given a
// closed tensor, or the zero Tensor where one is needed; [Try] turns that panic into an error. All operations on one
// set of tensors belong on one goroutine: an open scope locks it to its thread, because gradient
// mode, autocast and the current stream belong to the thread.
//
// The native library libcgotorch.so is found and opened at the first use, or by [LoadLibrary], which
// returns the reason when that fails.
package gotorch
