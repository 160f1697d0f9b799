// Package leaktest runs a package's tests and fails when tensors outlive them.
package leaktest

import (
	"fmt"
	"os"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// Main is the body of a TestMain: it runs the tests on one thread, which small tensors want, and
// returns the exit code. In a build with the tag leaks it lists the tensors still alive afterwards
// and makes the code 1.
//
//	func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }
func Main(m *testing.M) int {
	if err := torch.LoadLibrary(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	torch.SetNumThreads(1)
	code := m.Run()
	if leaks := torch.Leaks(); len(leaks) > 0 {
		for _, l := range leaks {
			fmt.Fprintln(os.Stderr, l)
		}
		fmt.Fprintf(os.Stderr, "%d tensors outlived the tests\n", len(leaks))
		return 1
	}
	return code
}
