package trainer

import (
	"math"
	"os"
	"strconv"
	"strings"
)

// residentMiB is the memory that the process holds now, in MiB; NaN where there is no /proc.
func residentMiB() float64 {
	text, err := os.ReadFile("/proc/self/statm") // pages: size resident shared ...
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return math.NaN()
	}
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return math.NaN()
	}
	return pages * float64(os.Getpagesize()) / (1 << 20)
}
