package gotorch

// #include "stubs.h"
import "C"

import "runtime"

// ManualSeed seeds every random generator, as torch.manual_seed does.
func ManualSeed(seed int64) {
	need()
	check(C.cgt_manual_seed(C.int64_t(seed), -1, -1), "ManualSeed")
}

// ManualSeedOn seeds the generator of one device.
func ManualSeedOn(d Device, seed int64) {
	need()
	check(C.cgt_manual_seed(C.int64_t(seed), C.int8_t(d.T.kind), C.int16_t(d.T.index)), "ManualSeedOn")
}

// RNGState returns the state of a device's generator (the CPU's when none is given), a Byte tensor
// as torch.get_rng_state returns it.
func RNGState(d ...Device) Tensor {
	need()
	id := oneDevice("RNGState", d)
	return born(C.cgt_rng_state(C.int8_t(id.kind), C.int16_t(id.index)), "RNGState")
}

// SetRNGState restores a state that RNGState returned. It panics when state is none of that device.
func SetRNGState(state Tensor, d ...Device) {
	id := oneDevice("SetRNGState", d)
	check(C.cgt_set_rng_state(C.int8_t(id.kind), C.int16_t(id.index), state.c("SetRNGState")), "SetRNGState")
	runtime.KeepAlive(state.T)
}

func oneDevice(op string, d []Device) deviceID {
	switch len(d) {
	case 0:
		return CPU.T
	case 1:
		return d[0].T
	default:
		refuse(op, "at most one device can be given")
		return deviceID{}
	}
}
