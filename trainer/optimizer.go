package trainer

import (
	"fmt"
	"maps"
	"math"
	"slices"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nn"

	"github.com/wangkuiyi/orrery/models"
)

// The names a recipe's optimizer may have.
const (
	Adam    = "adam"     // fastai's: decoupled weight decay, betas (momentum, 0.99), eps 1e-5
	AdamW   = "adamw"    // PyTorch's: betas (momentum, 0.999), eps 1e-8
	SGD     = "sgd"      // with Nesterov's momentum; weight decay in the gradient
	RMSprop = "rmsprop"  // PyTorch's, alpha 0.99, eps 1e-8; weight decay in the gradient
	LAMB    = "lamb"     // betas (momentum, 0.999), eps 1e-6
	Lion    = "lion"     // betas (momentum, 0.99)
	Muon    = "muon"     // for matrices and convolutions; vectors go to AdamW at a tenth of the rate
	MuonSGD = "muon-sgd" // speednet's: Muon for convolutions of a fixed norm, SGD for the rest; see muonsgd.go
)

// muonVectorShare is AdamW's rate for vectors over Muon's.
const muonVectorShare = 0.1

// An optimizerKind makes optimisers of one name.
type optimizerKind struct {
	name string
	make func(r Recipe) torch.Optimizer
}

var optimizerKinds = []optimizerKind{
	{Adam, func(r Recipe) torch.Optimizer {
		return torch.AdamW(r.LearningRate, flatMomentum, adamBeta2, adamEps, r.WeightDecay)
	}},
	{AdamW, func(r Recipe) torch.Optimizer {
		return torch.AdamW(r.LearningRate, flatMomentum, 0.999, 1e-8, r.WeightDecay)
	}},
	{SGD, func(r Recipe) torch.Optimizer {
		return torch.SGD(r.LearningRate, flatMomentum, 0, r.WeightDecay, true)
	}},
	{RMSprop, func(r Recipe) torch.Optimizer {
		return torch.RMSprop(r.LearningRate, 0.99, 1e-8, r.WeightDecay, flatMomentum)
	}},
	{LAMB, func(r Recipe) torch.Optimizer {
		return torch.LAMB(r.LearningRate, flatMomentum, 0.999, 1e-6, r.WeightDecay)
	}},
	{Lion, func(r Recipe) torch.Optimizer { return torch.Lion(r.LearningRate, flatMomentum, 0.99, r.WeightDecay) }},
	{Muon, func(r Recipe) torch.Optimizer { return torch.Muon(r.LearningRate, flatMomentum, r.WeightDecay) }},
	{MuonSGD, nil}, // two rules, made together
}

// OptimizerNames lists the words a recipe may say.
func OptimizerNames() []string {
	var names []string
	for _, k := range optimizerKinds {
		names = append(names, k.name)
	}
	return names
}

// An optimizer changes a model's weights as a recipe says: by a rule, with a
// rate for each stage, once for so many batches, and keeps their average.
type optimizer struct {
	recipe    Recipe
	model     models.Model
	rules     []torch.Optimizer
	shares    [][]float64 // of the rate, by rule and group
	momenta   []float64   // of each rule; 0: the schedule's
	stem      []ruleGroup // whose rate ends before the others'
	done      float64     // part of the training that lies behind, in [0, 1)
	open      int         // batches whose gradients are summed, not yet used
	criterion criterion
	lookahead *slowWeights // nil without
	average   *average     // nil without
	scaler    *lossScale   // nil without
	deviceLR  bool         // the rules' rate is on the device
	guard     torch.Tensor // 1 where the step is to be left out, 0-dim Float on the device; none: no step is
}

// newOptimizer gives each stage its rate. Biases and the weights of
// normalisations are vectors, and those do not decay.
func newOptimizer(model models.Model, r Recipe) *optimizer {
	o := &optimizer{recipe: r, model: model, criterion: criterion{Method: r.Method}}
	o.makeRules()
	if r.Lookahead > 0 {
		o.lookahead = newSlowWeights(model, r.Lookahead)
	}
	if r.EMA > 0 {
		o.average = newAverage(model, r.EMA)
	}
	return o
}

func (o *optimizer) makeRules() {
	if o.recipe.Optimizer == MuonSGD {
		o.sphereRules()
	} else {
		o.plainRules()
	}
	for _, rule := range o.rules {
		if o.guard.T != nil {
			rule.Guard(o.guard)
		}
		rule.DeviceLR(o.deviceLR)
	}
}

// plainRules are one rule, of which vectors do not decay, or Muon's two.
func (o *optimizer) plainRules() {
	main := o.rule(o.recipe.Optimizer)
	vectors := main
	if o.recipe.Optimizer == Muon {
		vectors = o.rule(AdamW)
	}
	stages := o.model.Stages()
	for i, s := range stages {
		var matrices, rest []torch.Tensor
		for _, p := range s.Parameters() {
			if p.Dim() > 1 {
				matrices = append(matrices, p)
			} else {
				rest = append(rest, p)
			}
		}
		share := o.recipe.stageShare(i, len(stages))
		o.group(main, matrices, share, o.rules[main].Defaults())
		if vectors != main {
			share *= muonVectorShare
		}
		options := o.rules[vectors].Defaults()
		options.WeightDecay = 0
		o.group(vectors, rest, share, options)
	}
}

// stageShare is the rate of a network's stage over the head's.
func (r Recipe) stageShare(stage, stages int) float64 {
	return math.Pow(r.LRRatio, -float64(stages-1-stage)/math.Max(1, float64(stages-1)))
}

// rateOnDevice has the rules read their rate from the device, as a recorded step must.
func (o *optimizer) rateOnDevice() {
	o.deviceLR = true
	for _, rule := range o.rules {
		rule.DeviceLR(true)
	}
}

// scaleLoss begins to scale losses, for float16.
func (o *optimizer) scaleLoss(device torch.Device) {
	o.scaler = newLossScale(device)
	o.setGuard(torch.Full(nil, 0, false).To(device, torch.Float))
}

// setGuard has steps left out where the guard says so.
func (o *optimizer) setGuard(guard torch.Tensor) {
	o.guard = guard
	for _, rule := range o.rules {
		rule.Guard(guard)
	}
}

// steady tells whether no rule's momentum follows the schedule's.
func (o *optimizer) steady() bool { return !slices.Contains(o.momenta, 0) }

// rule starts an optimiser of that name; it gives its number.
func (o *optimizer) rule(name string) int {
	at := slices.IndexFunc(optimizerKinds, func(k optimizerKind) bool { return k.name == name })
	return o.start(optimizerKinds[at].make(o.recipe), 0)
}

// start adds a rule with a momentum of its own, or 0; it gives its number.
func (o *optimizer) start(rule torch.Optimizer, momentum float64) int {
	o.rules, o.shares, o.momenta = append(o.rules, rule), append(o.shares, nil), append(o.momenta, momentum)
	return len(o.rules) - 1
}

func (o *optimizer) group(rule int, params []torch.Tensor, share float64, options torch.Options) {
	o.rules[rule].AddGroup(params, options)
	o.shares[rule] = append(o.shares[rule], share)
}

// at tells that step i of n comes next.
func (o *optimizer) at(i, n int) { o.done = float64(i) / float64(n) }

// setRates sets the head's learning rate, and with it that of the others, and the momentum.
func (o *optimizer) setRates(lr, momentum float64) {
	for i, rule := range o.rules {
		if o.momenta[i] == 0 {
			rule.SetMomentum(momentum)
		}
		for g, share := range o.shares[i] {
			if slices.Contains(o.stem, ruleGroup{i, g}) {
				share *= stemShare(o.done)
			}
			options := rule.GroupOptions(g)
			options.LR = lr * share
			rule.SetGroupOptions(g, options)
		}
	}
}

// begin makes room for a batch's gradients: beside those of an open step, or anew.
func (o *optimizer) begin() {
	if o.open > 0 {
		return
	}
	o.ZeroGrad()
	if o.guard.T != nil {
		o.guard.FillI(0)
	}
}

// ZeroGrad drops all gradients and opens no step.
func (o *optimizer) ZeroGrad() {
	o.open = 0
	for _, rule := range o.rules {
		rule.ZeroGrad()
	}
}

// share is a batch's loss as it counts among those of one step.
func (o *optimizer) share(loss torch.Tensor) torch.Tensor {
	if o.recipe.Accumulate != 1 {
		loss = loss.DivScalar(float64(o.recipe.Accumulate))
	}
	return o.scaler.of(loss)
}

// end takes a step when enough batches are summed, or when the epoch's last one is.
func (o *optimizer) end(last bool) {
	o.open++
	if o.open < o.recipe.Accumulate && !last {
		return
	}
	o.open = 0
	o.scaler.unscale(o.trained(), o.guard)
	defer o.scaler.update(o.guard)
	if trained := o.trained(); o.recipe.ClipNorm > 0 && len(trained) > 0 {
		if trained[0].Device().IsCUDA() {
			torch.LimitGradNorm(trained, o.recipe.ClipNorm, 2)
		} else {
			torch.ClipGradNorm(trained, o.recipe.ClipNorm, 2)
		}
	}
	for _, rule := range o.rules {
		rule.Step()
	}
	if o.lookahead != nil {
		o.lookahead.step()
	}
	if o.average != nil {
		o.average.step()
	}
}

// trained are the parameters that have gradients.
func (o *optimizer) trained() []torch.Tensor {
	var list []torch.Tensor
	for _, p := range o.model.Parameters() {
		if p.Grad().T != nil {
			list = append(list, p)
		}
	}
	return list
}

// forget drops what the rules have gathered, as fastai does when a phase of
// training with other frozen stages begins. The average of weights goes on.
func (o *optimizer) forget() {
	o.ZeroGrad()
	o.closeRules()
	o.rules, o.shares, o.momenta, o.stem = nil, nil, nil, nil
	o.makeRules()
}

// Close frees the state.
func (o *optimizer) Close() {
	if o != nil {
		o.closeRules()
	}
}

func (o *optimizer) closeRules() {
	for _, rule := range o.rules {
		rule.Close()
	}
}

// The prefixes of an optimiser's state beside the first rule's own.
const (
	secondRule      = "vectors."
	gradientPrefix  = "gradient."
	lookaheadPrefix = "lookahead."
	averagePrefix   = "ema."
	scalerPrefix    = "scaler."
	openName        = "open"
)

// State is all that a checkpoint must hold for the training to go on as it would have.
func (o *optimizer) State() map[string]torch.Tensor {
	state := maps.Clone(o.rules[0].State())
	add := func(prefix string, more map[string]torch.Tensor) {
		for name, t := range more {
			state[prefix+name] = t
		}
	}
	if len(o.rules) > 1 {
		add(secondRule, o.rules[1].State())
	}
	if o.lookahead != nil {
		add(lookaheadPrefix, o.lookahead.state())
	}
	if o.average != nil {
		add(averagePrefix, o.average.weights)
	}
	if o.scaler != nil {
		add(scalerPrefix, o.scaler.state())
	}
	if o.open > 0 {
		state[openName] = torch.NewTensor([]int64{int64(o.open)})
		for _, n := range o.model.Named() {
			if n.Buffer {
				continue
			}
			if g := n.Tensor.Grad(); g.T != nil {
				state[gradientPrefix+n.Name] = g
			}
		}
	}
	return state
}

// SetState restores what State returned.
func (o *optimizer) SetState(state map[string]torch.Tensor) error {
	own := maps.Clone(state)
	take := func(prefix string) map[string]torch.Tensor {
		found := withPrefix(own, prefix)
		for name := range found {
			delete(own, prefix+name)
		}
		return found
	}
	second, gradients, slow, mean := take(secondRule), take(gradientPrefix), take(lookaheadPrefix), take(averagePrefix)
	scale := take(scalerPrefix)
	o.open = 0
	if t, ok := own[openName]; ok {
		o.open = int(torch.Values[int64](t)[0])
		delete(own, openName)
	}
	if err := o.rules[0].SetState(own); err != nil {
		return err
	}
	if len(o.rules) > 1 {
		if err := o.rules[1].SetState(second); err != nil {
			return err
		}
	} else if len(second) > 0 {
		return fmt.Errorf("the state is of another optimiser than %s, of two rules", o.recipe.Optimizer)
	}
	if o.lookahead != nil {
		if err := o.lookahead.setState(slow); err != nil {
			return err
		}
	}
	if o.average != nil {
		if err := copyInto(o.average.weights, mean, "average of weights"); err != nil {
			return err
		}
	}
	if o.scaler != nil && len(scale) > 0 {
		if err := copyInto(o.scaler.state(), scale, "loss scale"); err != nil {
			return err
		}
	}
	for _, n := range o.model.Named() {
		if g, ok := gradients[n.Name]; ok {
			setGrad(n, g)
		}
	}
	return nil
}

// setGrad gives a parameter a gradient of its own layout.
func setGrad(n nn.NamedTensor, g torch.Tensor) {
	torch.NoGrad(func() { n.Tensor.SetGrad(n.Tensor.Detach().ZerosLike().CopyI(g)) })
}

// copyInto overwrites tensors by those of the same names.
func copyInto(to, from map[string]torch.Tensor, what string) error {
	for name, t := range to {
		source, ok := from[name]
		if !ok || !slices.Equal(source.Shape(), t.Shape()) {
			return fmt.Errorf("the state lacks the %s of %s", what, name)
		}
		torch.NoGrad(func() { t.CopyI(source) })
	}
	return nil
}
