package trainer

// RehearseGPU has a training on the CPU go a GPU's way, with a stand-in for its recorder, and tells how often that did
// a recording again.
func RehearseGPU() (change func(*Options), replayed func() int) {
	fake := &fakeRecorder{}
	return func(o *Options) { o.lateOnCPU, o.residentOnCPU, o.recorder = 3, true, fake }, func() int { return fake.replayed }
}
