// Command orrery trains image classifiers from a folder of photos.
package main

import (
	"os"
	"time"

	_ "golang.org/x/crypto/x509roots/fallback" // a small container has no certificates; where there are any, those count
)

// started is when the process began, for the time to the first step.
var started = time.Now()

// commit is the revision the binary was built from; the linker sets it.
var commit = "unknown"

func main() {
	waitBriefly()
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// waitBriefly has libtorch's OpenMP threads spin for some 30 microseconds after a
// loop and then sleep, unless the user decided. Threads that never sleep take
// the core that a loader needs, and on a busy machine training then runs at a
// third; to wake one that sleeps takes so long that predicting one picture, in
// many short loops, takes half as long again.
func waitBriefly() {
	for _, name := range []string{"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} {
		if _, decided := os.LookupEnv(name); decided {
			return
		}
	}
	os.Setenv("OMP_WAIT_POLICY", "passive") // what counts where it is not GNU's
	os.Setenv("GOMP_SPINCOUNT", "3000")
}
