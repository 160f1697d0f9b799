package trainer

import (
	"path"
	"slices"
)

// Reached tells how far the run has come that has these files, which are named
// within its folder with slashes: how many steps its newest checkpoint has done,
// -1 without one, and whether it is finished.
func Reached(files []string) (step int, finished bool) {
	step = -1
	for _, name := range files {
		if n, ok := stepOf(path.Base(name)); ok && path.Dir(name) == checkpointsDir {
			step = max(step, n)
		}
	}
	return step, slices.Contains(files, resultFile)
}
