// Package serve answers over HTTP what a run makes of pictures.
//
// A request's pictures pass through three stages:
//
//	handler    its own goroutine reads the body, within the caps of Options;
//	eye        one for each core that the brain leaves: decode and preprocess, to the bit as validation does;
//	brain      one goroutine, locked to its thread, owns every tensor: it takes what has gathered,
//	           up to Options.MaxBatch pictures, through the network at once.
//
// No batch waits to be filled: it holds what came while the one before was
// computed, so a lone request is answered at once and a flood in large batches.
// How many pictures may be on their way is bounded; one more is refused with 429
// before anything is done for it.
package serve
