//go:build !linux

package augment

// giveWay does nothing where threads have no priorities of their own.
func giveWay() {}

// hugePages does nothing where they cannot be asked for.
func hugePages([]byte) {}
