package planets

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// picture is one entry of a set before it is drawn.
type picture struct {
	folder, truth int // the class folder it lies in, the class it shows
	name          string
	stream        uint64 // chooses its random numbers
}

// plan lists the pictures of a set: names, folders and wrong labels.
func plan(count int, seed int64) ([]picture, error) {
	perClass, err := counts(count)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(uint64(seed), 0x0dd5))
	pictures := make([]picture, 0, count)
	for class, n := range perClass {
		for i := range n {
			pictures = append(pictures, picture{folder: class, truth: class,
				name: fmt.Sprintf("%03d_%08x.jpg", i, r.Uint32()), stream: r.Uint64()})
		}
	}
	wrong := int(math.Round(WrongShare * float64(count)))
	for _, i := range r.Perm(count)[:wrong] {
		pictures[i].truth = (pictures[i].folder + 1 + r.IntN(len(Classes)-1)) % len(Classes)
	}
	return pictures, nil
}
