package trainer

import (
	"fmt"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/models"
)

// What the optimiser muon-sgd does, from Jordan's airbench94_muon (2024): convolutions take Muon's step on weights of a
// fixed norm; all else takes SGD's, at rates for the sum of a batch's losses, which are the same for every batch size.
const (
	sphereMomentum = 0.6
	sphereSGD      = 0.85
	// Rates of SGD over Muon's, for a picture of the batch.
	sphereHead = 0.67 / 0.24
	sphereBias = 0.053 / 0.24
	// stemPart is on which part of the training the whitening's bias is trained.
	stemPart = 3. / 8
)

// sphereRules are the rules of muon-sgd.
func (o *optimizer) sphereRules() {
	r := o.recipe
	filters := o.start(torch.MuonSphere(r.LearningRate, sphereMomentum), sphereMomentum)
	rest := o.start(torch.SGD(r.LearningRate, sphereSGD, 0, r.WeightDecay, true), sphereSGD)
	stages := o.model.Stages()
	for i, s := range stages {
		var convolutions, matrices, vectors []torch.Tensor
		for _, p := range s.Parameters() {
			switch {
			case p.Dim() > 2:
				convolutions = append(convolutions, p)
			case p.Dim() == 2:
				matrices = append(matrices, p)
			default:
				vectors = append(vectors, p)
			}
		}
		share := r.stageShare(i, len(stages))
		o.group(filters, convolutions, share, o.rules[filters].Defaults())
		for _, g := range []struct {
			params []torch.Tensor
			ratio  float64
		}{{matrices, sphereHead}, {vectors, sphereBias}} {
			options := o.rules[rest].Defaults()
			// The decay of a step, rate times decay, is to be the same for both, as the batch's pictures say.
			options.WeightDecay /= r.LearningRate * g.ratio
			o.group(rest, g.params, share*g.ratio*float64(r.BatchSize*r.Accumulate), options)
			o.stem = append(o.stem, stemGroup(rest, o.rules[rest].Groups()-1, s)...)
		}
	}
}

// A ruleGroup is a group of parameters by the number of its rule and its own.
type ruleGroup struct{ rule, group int }

// stemGroup is the group, where the stage is a whitening.
func stemGroup(rule, group int, s models.Stage) []ruleGroup {
	if _, ok := s.Modules[0].(*models.Whitening); ok {
		return []ruleGroup{{rule, group}}
	}
	return nil
}

// stemShare is the rate of a whitening's bias over that of other vectors when a part of the training is done: under a
// linear schedule it falls to 0 at stemPart.
func stemShare(done float64) float64 { return max(0, 1-done/stemPart) / (1 - done) }

// speedOnly refuses muon-sgd for networks that its rates are not made for.
func (m Method) speedOnly(model string) error {
	if m.Optimizer == MuonSGD && model != "speednet" {
		return fmt.Errorf("optimizer is %s, whose rates are speednet's; model is %s: use %s or %s", MuonSGD, model, Muon, SGD)
	}
	return nil
}
