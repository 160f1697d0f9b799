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
	waitPassively()
	os.Exit(run(os.Args, os.Stdout, os.Stderr))
}

// waitPassively has libtorch's OpenMP threads sleep between two loops instead
// of spinning, unless the user decided: a spinning thread takes the core that
// a loader needs, and on a busy machine training then runs at a third.
func waitPassively() {
	for _, name := range []string{"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} {
		if _, decided := os.LookupEnv(name); decided {
			return
		}
	}
	os.Setenv("OMP_WAIT_POLICY", "passive")
}
