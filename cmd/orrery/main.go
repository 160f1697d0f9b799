// Command orrery trains image classifiers from a folder of photos.
package main

import (
	"os"
	"time"
)

// started is when the process began, for the time to the first step.
var started = time.Now()

// commit is the revision the binary was built from; the linker sets it.
var commit = "unknown"

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }
