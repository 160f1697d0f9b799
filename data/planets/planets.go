// Package planets renders the default set: pictures of earth, jupiter, neptune
// and saturn, as varied as what an image search for those words returns.
//
// Every picture is drawn from noise and geometry, so the set needs no download
// and carries nobody's licence. It is written to be hard the way photos from the
// web are hard: phases and tilts, rings seen edge-on, crops that show a part of
// a disc, false colours, drawings, captions, poor JPEG files and 3 % wrong
// labels. Shape and texture carry the class; mean colour does not.
//
// The same seed gives the same bytes, whatever the number of workers, on one
// processor architecture and with one release of Go, whose JPEG encoder is used.
package planets

import "fmt"

// Classes are the names of the class folders, sorted.
var Classes = []string{"earth", "jupiter", "neptune", "saturn"}

// Version names the renderer. It changes whenever the same seed would give
// other pictures, so that a set kept by Ensure is rendered anew.
const Version = "3"

const (
	// DefaultCount is the number of pictures in the set.
	DefaultCount = 2817
	// DefaultSeed is the seed of the set that Ensure renders.
	DefaultSeed = 1
	// MaxCount bounds Options.Count.
	MaxCount = 1_000_000
	// WrongShare is the share of pictures that lie in another class's folder.
	WrongShare = 0.03
)

// shares are the pictures of each class in a set of DefaultCount, as uneven as
// a scraped set is.
var shares = [...]int{704, 731, 658, 724}

const (
	earth = iota
	jupiter
	neptune
	saturn
)

// Options says what Render draws. The zero value of a field means its default.
type Options struct {
	// Count is the number of pictures, 4..MaxCount; 0 means DefaultCount.
	Count int
	// Seed chooses the set; every value is a set of its own, 0 too.
	Seed int64
	// Workers is the number of pictures drawn at once; 0 means one per processor.
	Workers int
	// Progress, if set, is told after each picture. Its calls do not overlap.
	Progress func(done, total int)
}

// counts divides count pictures between the classes in the proportions of
// shares, by largest remainders, each class having at least one.
func counts(count int) ([]int, error) {
	if count < len(Classes) || count > MaxCount {
		return nil, fmt.Errorf("count %d: a set of planets has %d to %d pictures", count, len(Classes), MaxCount)
	}
	out, rest, left := make([]int, len(shares)), make([]int, len(shares)), count
	for i, s := range shares {
		out[i] = max(1, count*s/DefaultCount)
		rest[i] = count * s % DefaultCount
		left -= out[i]
	}
	for ; left > 0; left-- {
		best := 0
		for i := range rest {
			if rest[i] > rest[best] {
				best = i
			}
		}
		out[best]++
		rest[best] = -1
	}
	for ; left < 0; left++ { // tiny sets, where the minimum of one took too much
		most := 0
		for i := range out {
			if out[i] > out[most] {
				most = i
			}
		}
		out[most]--
	}
	return out, nil
}
