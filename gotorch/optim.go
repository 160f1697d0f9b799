package gotorch

// #include "stubs.h"
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// Options are the settings of a group of parameters. Which of them count depends on the optimiser.
type Options struct {
	LR          float64 // learning rate, >= 0
	Beta1       float64 // Adam, AdamW: decay of the average gradient (fastai's momentum), in [0, 1)
	Beta2       float64 // Adam, AdamW: decay of the average squared gradient, in [0, 1)
	Eps         float64 // Adam, AdamW: added to the denominator
	WeightDecay float64 // SGD, Adam: added to the gradient times the weight; AdamW: decoupled
	Momentum    float64 // SGD
	Dampening   float64 // SGD
	Nesterov    bool    // SGD
	Maximize    bool    // climb instead of descend
}

// Optimizer changes parameters by their gradients. Its copies share one state. Parameters without a
// gradient are left alone.
type Optimizer struct{ Opt *optimizer }

type optimizer struct {
	p        *C.cgt_optimizer
	cleanup  runtime.Cleanup
	kind     int
	defaults Options
	groups   []Options
	once     sync.Once
}

const (
	kindSGD = iota
	kindAdam
	kindAdamW
	kindRMSprop
	kindLAMB
	kindLion
	kindMuon
	kindMuonSphere
)

// stateNames are what an optimiser keeps for each parameter, by its kind.
var stateNames = map[int][]string{
	kindSGD: {"step", "momentum_buffer"}, kindAdam: {"step", "exp_avg", "exp_avg_sq"}, kindAdamW: {"step", "exp_avg", "exp_avg_sq"},
	kindRMSprop: {"step", "square_avg", "momentum_buffer"}, kindLAMB: {"step", "exp_avg", "exp_avg_sq"}, kindLion: {"step", "exp_avg"},
	kindMuon: {"step", "momentum_buffer"}, kindMuonSphere: {"step", "momentum_buffer"},
}

// SGD returns a stochastic gradient descent, torch.optim.SGD.
func SGD(lr, momentum, dampening, weightDecay float64, nesterov bool) Optimizer {
	return newOptimizer(kindSGD, Options{LR: lr, Momentum: momentum, Dampening: dampening,
		WeightDecay: weightDecay, Nesterov: nesterov})
}

// Adam returns torch.optim.Adam with eps 1e-8: the weight decay is added to the gradient.
func Adam(lr, beta1, beta2, weightDecay float64) Optimizer {
	return newOptimizer(kindAdam, Options{LR: lr, Beta1: beta1, Beta2: beta2, Eps: 1e-8,
		WeightDecay: weightDecay})
}

// AdamW returns torch.optim.AdamW: the weight decay shrinks the weights by lr*weightDecay. The bias
// corrections use the betas of the current step, so a schedule may move beta1, as fastai's does.
func AdamW(lr, beta1, beta2, eps, weightDecay float64) Optimizer {
	return newOptimizer(kindAdamW, Options{LR: lr, Beta1: beta1, Beta2: beta2, Eps: eps,
		WeightDecay: weightDecay})
}

// RMSprop returns torch.optim.RMSprop: alpha is the decay of the average squared gradient, the weight
// decay is added to the gradient.
func RMSprop(lr, alpha, eps, weightDecay, momentum float64) Optimizer {
	return newOptimizer(kindRMSprop, Options{LR: lr, Beta2: alpha, Eps: eps, WeightDecay: weightDecay, Momentum: momentum})
}

// LAMB returns the optimiser of You et al. (2020): AdamW's step, scaled for each parameter so that its
// norm is lr times the parameter's. A group without weight decay takes Adam's step.
func LAMB(lr, beta1, beta2, eps, weightDecay float64) Optimizer {
	return newOptimizer(kindLAMB, Options{LR: lr, Beta1: beta1, Beta2: beta2, Eps: eps, WeightDecay: weightDecay})
}

// Lion returns the optimiser of Chen et al. (2023), which steps by lr along the sign of an average
// gradient; the weight decay is decoupled. Its usual lr is a tenth of AdamW's.
func Lion(lr, beta1, beta2, weightDecay float64) Optimizer {
	return newOptimizer(kindLion, Options{LR: lr, Beta1: beta1, Beta2: beta2, WeightDecay: weightDecay})
}

// Muon returns torch.optim.Muon with Nesterov's momentum (Jordan et al., 2024), which steps along an
// orthogonal matrix near the average gradient; the weight decay is decoupled. It takes matrices and
// convolutions, which count as matrices of a row for each output channel; vectors need another optimiser.
func Muon(lr, momentum, weightDecay float64) Optimizer {
	return newOptimizer(kindMuon, Options{LR: lr, Momentum: momentum, WeightDecay: weightDecay})
}

// MuonSphere returns the Muon of Jordan's airbench94_muon (2024), with Nesterov's momentum: before each step a
// parameter's norm is brought to the square root of its rows, so that lr is how far a step turns it, and there is no
// weight decay. It takes what Muon takes, whose layers' outputs are normalised: their scale is lost.
func MuonSphere(lr, momentum float64) Optimizer {
	return newOptimizer(kindMuonSphere, Options{LR: lr, Momentum: momentum})
}

func newOptimizer(kind int, defaults Options) Optimizer {
	need()
	o := &optimizer{p: C.cgt_optimizer_new(C.int8_t(kind)), kind: kind, defaults: defaults}
	if o.p == nil {
		refuse("Optimizer", "out of memory")
	}
	o.cleanup = runtime.AddCleanup(o, func(p uintptr) {
		C.cgt_optimizer_free((*C.cgt_optimizer)(*(*unsafe.Pointer)(unsafe.Pointer(&p))))
	}, uintptr(unsafe.Pointer(o.p)))
	return Optimizer{o}
}

// use returns the native optimiser for a call of op.
func (opt Optimizer) use(op string) *C.cgt_optimizer {
	if opt.Opt == nil || opt.Opt.p == nil {
		refuse(op, "the optimiser is closed")
	}
	return opt.Opt.p
}

func (s Options) c() C.cgt_options {
	return C.cgt_options{lr: C.double(s.LR), beta1: C.double(s.Beta1), beta2: C.double(s.Beta2),
		eps: C.double(s.Eps), weight_decay: C.double(s.WeightDecay), momentum: C.double(s.Momentum),
		dampening: C.double(s.Dampening), nesterov: cbool(s.Nesterov), maximize: cbool(s.Maximize)}
}

// AddParameters adds a group of parameters with the settings the optimiser was made with.
func (opt Optimizer) AddParameters(tensors []Tensor) {
	opt.use("AddParameters")
	opt.AddGroup(tensors, opt.Opt.defaults)
}

// Defaults returns the settings the optimiser was made with, to start a group's from.
func (opt Optimizer) Defaults() Options {
	opt.use("Defaults")
	return opt.Opt.defaults
}

// AddGroup adds a group of parameters with settings of its own and returns its number, from 0 on.
// The parameters are leaves that require a gradient; the optimiser keeps them alive.
func (opt Optimizer) AddGroup(params []Tensor, options Options) int {
	p := opt.use("AddGroup")
	list := impls(params, "AddGroup")
	s := options.c()
	r := C.cgt_optimizer_add_group(p, unsafe.SliceData(list), C.int64_t(len(list)), &s)
	runtime.KeepAlive(params)
	check(r.err, "AddGroup")
	opt.Opt.groups = append(opt.Opt.groups, options)
	return int(r.v)
}

// Groups returns the number of groups.
func (opt Optimizer) Groups() int { return len(opt.Opt.groups) }

// GroupOptions returns the settings of a group.
func (opt Optimizer) GroupOptions(group int) Options {
	opt.use("GroupOptions")
	if group < 0 || group >= len(opt.Opt.groups) {
		refuse("GroupOptions", fmt.Sprintf("the optimiser has no group %d", group))
	}
	return opt.Opt.groups[group]
}

// SetGroupOptions replaces the settings of a group from the next step on.
func (opt Optimizer) SetGroupOptions(group int, options Options) {
	s := options.c()
	check(C.cgt_optimizer_set_options(opt.use("SetGroupOptions"), C.int64_t(group), &s), "SetGroupOptions")
	opt.Opt.groups[group] = options
	runtime.KeepAlive(opt.Opt)
}

func (opt Optimizer) each(op string, change func(*Options)) {
	opt.use(op)
	change(&opt.Opt.defaults)
	for i, s := range opt.Opt.groups {
		change(&s)
		opt.SetGroupOptions(i, s)
	}
}

// SetLR sets the learning rate of every group.
func (opt Optimizer) SetLR(lr float64) { opt.each("SetLR", func(s *Options) { s.LR = lr }) }

// SetBetas sets both decays of every group of an Adam or AdamW.
func (opt Optimizer) SetBetas(beta1, beta2 float64) {
	opt.each("SetBetas", func(s *Options) { s.Beta1, s.Beta2 = beta1, beta2 })
}

// SetMomentum sets the momentum of every group: beta1 of Adam, AdamW, LAMB and Lion, the momentum of
// the others.
func (opt Optimizer) SetMomentum(momentum float64) {
	opt.each("SetMomentum", func(s *Options) {
		switch opt.Opt.kind {
		case kindAdam, kindAdamW, kindLAMB, kindLion:
			s.Beta1 = momentum
		default:
			s.Momentum = momentum
		}
	})
}

// SetWeightDecay sets the weight decay of every group that has one.
func (opt Optimizer) SetWeightDecay(wd float64) {
	opt.each("SetWeightDecay", func(s *Options) {
		if s.WeightDecay != 0 {
			s.WeightDecay = wd
		}
	})
}

// Guard makes steps change nothing when found, a 0-dim Float on the parameters' device, is 1; nothing waits
// to know. Tensor{} ends that.
func (opt Optimizer) Guard(found Tensor) {
	check(C.cgt_optimizer_guard(opt.use("Guard"), found.orNil("Guard")), "Guard")
	runtime.KeepAlive(found)
	runtime.KeepAlive(opt.Opt)
}

// DeviceLR makes steps read the learning rate from the parameters' GPU, where SetGroupOptions
// writes it, so that a step in a CUDAGraph follows it. The momentum of a recorded step stays as it was.
func (opt Optimizer) DeviceLR(on bool) {
	C.cgt_optimizer_device_lr(opt.use("DeviceLR"), cbool(on))
	runtime.KeepAlive(opt.Opt)
}

// ZeroGrad removes the gradients of all parameters.
func (opt Optimizer) ZeroGrad() {
	check(C.cgt_optimizer_zero_grad(opt.use("ZeroGrad"), 1), "ZeroGrad")
	runtime.KeepAlive(opt.Opt)
}

// Step changes the parameters once.
func (opt Optimizer) Step() {
	check(C.cgt_optimizer_step(opt.use("Step")), "Step")
	runtime.KeepAlive(opt.Opt)
}

// State returns what the optimiser has gathered, for a checkpoint: for parameter i, counted over all
// groups, "i.step", "i.exp_avg" and "i.exp_avg_sq" (Adam, AdamW), or "i.step" and "i.momentum_buffer"
// (SGD), and so on. Parameters that took no step yet have no entries. The tensors are the optimiser's own; they
// change with the next step.
func (opt Optimizer) State() map[string]Tensor {
	p := opt.use("State")
	state := map[string]Tensor{}
	for i := int64(0); i < int64(C.cgt_optimizer_size(p)); i++ {
		t := bornSeveral(C.cgt_optimizer_state(p, C.int64_t(i)), "State")
		for j, name := range opt.stateNames() {
			if t[j].T != nil {
				state[fmt.Sprintf("%d.%s", i, name)] = t[j]
			}
		}
	}
	runtime.KeepAlive(opt.Opt)
	return state
}

func (opt Optimizer) stateNames() []string { return stateNames[opt.Opt.kind] }

// SetState restores what State returned, into an optimiser with the same groups. The tensors are
// copied. It returns an error that names the entry that does not fit.
func (opt Optimizer) SetState(state map[string]Tensor) error {
	p := opt.use("SetState")
	used := 0
	for i := int64(0); i < int64(C.cgt_optimizer_size(p)); i++ {
		var t [3]Tensor
		for j, name := range opt.stateNames() {
			if x, ok := state[fmt.Sprintf("%d.%s", i, name)]; ok {
				t[j] = x
				used++
			}
		}
		err := C.cgt_optimizer_set_state(p, C.int64_t(i), t[0].orNil("SetState"), t[1].orNil("SetState"),
			t[2].orNil("SetState"))
		runtime.KeepAlive(t)
		if err != nil {
			return fmt.Errorf("optimiser state of parameter %d: %s", i, takeString(err))
		}
	}
	runtime.KeepAlive(state)
	if used != len(state) {
		return fmt.Errorf("expected %d entries of optimiser state, found %d; the state is of another model or optimiser", used, len(state))
	}
	return nil
}

// Close frees the optimiser's state. Closing it again does nothing.
func (opt Optimizer) Close() {
	o := opt.Opt
	if o == nil {
		return
	}
	o.once.Do(func() {
		o.cleanup.Stop()
		C.cgt_optimizer_free(o.p)
		o.p = nil
	})
}
