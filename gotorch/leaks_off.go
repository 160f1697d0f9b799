//go:build !leaks

package gotorch

func track(*handle)       {}
func untrack(*handle)     {}
func untrackImpl(uintptr) {}
