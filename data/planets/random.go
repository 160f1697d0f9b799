package planets

import "math/rand/v2"

// random is the stream of random numbers of one picture.
type random struct{ *rand.Rand }

func newRandom(seed int64, stream uint64) random {
	return random{rand.New(rand.NewPCG(uint64(seed), stream))}
}

// between returns a number in [low, high).
func (r random) between(low, high float32) float32 { return low + (high-low)*r.Float32() }

func (r random) chance(p float64) bool { return r.Float64() < p }

// normal returns a normal number of mean 0 and deviation 1.
func (r random) normal() float32 { return float32(r.NormFloat64()) }

// weighted returns an index, each with a probability in proportion to its weight.
func (r random) weighted(weights ...float64) int {
	var sum float64
	for _, w := range weights {
		sum += w
	}
	x := r.Float64() * sum
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func pick[T any](r random, of ...T) T { return of[r.IntN(len(of))] }
