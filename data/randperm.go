package data

// Randperm returns the permutation of 0..n-1 that PyTorch's
// torch.manual_seed(seed); torch.randperm(n) gives on the CPU: for i from 0
// to n-2 the elements i and i + u mod (n-i) are swapped, u being 32 bits of
// the Mersenne Twister. It holds for n below 2^32/20, where PyTorch changes to
// 64 bits.
func Randperm(n int, seed int64) []int {
	r := make([]int, n)
	for i := range r {
		r[i] = i
	}
	g := newTwister(uint32(uint64(seed)))
	for i := range n - 1 {
		z := int(g.next() % uint32(n-i))
		r[i], r[i+z] = r[i+z], r[i]
	}
	return r
}

// twister is MT19937 of Matsumoto and Nishimura (1998), with the
// initialisation of 2002.
type twister struct {
	s [624]uint32
	i int
}

func newTwister(seed uint32) *twister {
	t := &twister{i: 624}
	t.s[0] = seed
	for i := 1; i < 624; i++ {
		t.s[i] = 1812433253*(t.s[i-1]^t.s[i-1]>>30) + uint32(i)
	}
	return t
}

func (t *twister) next() uint32 {
	if t.i == 624 {
		for k := range 624 {
			y := t.s[k]&0x80000000 | t.s[(k+1)%624]&0x7fffffff
			v := t.s[(k+397)%624] ^ y>>1
			if y&1 != 0 {
				v ^= 0x9908b0df
			}
			t.s[k] = v
		}
		t.i = 0
	}
	y := t.s[t.i]
	t.i++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	y ^= y >> 18
	return y
}
