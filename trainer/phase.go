package trainer

import (
	"cmp"
	"runtime"
	"slices"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/models"
)

// loadPretrained starts from the recipe's file of weights and says what became of it.
func (f *fit) loadPretrained() error {
	match, err := models.LoadPretrained(f.recipe.Pretrained, f.recipe.Model, f.model)
	if err != nil {
		return err
	}
	f.Log.Info("pretrained weights", "file", f.recipe.Pretrained, "layout", match.Layout, "prefix", match.Prefix, "matched", len(match.Matched),
		"missing", match.Missing, "resized", match.Resized, "ignored", match.Ignored)
	f.Log.Info("pretrained head", "fresh", len(match.Resized) > 0 || len(match.Missing) > 0)
	return nil
}

// beginPhase freezes the stages that the epoch has frozen. Where the epoch before
// had others, the optimiser starts afresh, as in fastai.
func (f *fit) beginPhase() error {
	p, stages := &f.progress, len(f.model.Stages())
	frozen := f.recipe.frozenAt(p.Epoch, stages)
	f.model.Freeze(frozen)
	if p.Epoch > 0 && p.Batch == 0 && frozen != f.recipe.frozenAt(p.Epoch-1, stages) {
		f.Log.Info("stages", "frozen", frozen, "of", stages)
		f.recording.close()
		f.recording = nil
		f.optimizer.forget()
	}
	return f.averageGradients()
}

// trainLoader makes the training batches of an epoch.
func (f *fit) trainLoader(epoch int) (*augment.Loader, error) {
	r := f.recipe
	r.Size = r.sizeAt(epoch)
	return f.loaderOf(r, f.training, true)
}

// loaderOf makes the batches of this process's share of the indices.
func (f *fit) loaderOf(r Recipe, indices []int, train bool) (*augment.Loader, error) {
	if r.Workers == 0 && f.World.LocalSize() > 1 { // processes share a machine's cores
		r.Workers = max(1, runtime.GOMAXPROCS(0)/f.World.LocalSize())
	}
	o := suited(r, f.device, augment.LoaderOptions{
		BatchSize: r.BatchSize, Train: train, OnSkip: f.skip, Shard: f.World.Rank(), Shards: f.World.Size(),
	})
	if f.late > 0 {
		o.Prefetch = 2 + f.late
	}
	if f.late > 0 && f.device.IsCUDA() {
		o.Alloc = pinned
	}
	if f.pictureBlock != nil {
		o.Dtype, o.Block = augment.Shots, f.pictureBlock
	}
	return loader(r, f.set, f.Pictures, indices, o)
}

// resize changes to the loader of another epoch's size, if it has another.
// No batch of the old one may be in use.
func (f *fit) resize(from, to int) error {
	if f.recipe.sizeAt(from) == f.recipe.sizeAt(to) {
		return nil
	}
	fresh, err := f.trainLoader(to)
	if err != nil {
		return err
	}
	fresh.SetUnreadable(f.train.Unreadable())
	f.train.Close()
	f.train = fresh
	return nil
}

// A metric is what the best epoch may be chosen by.
type metric struct {
	name  string
	value func(Epoch, *Evaluation) float64 // the larger the better
}

var metrics = []metric{
	{"accuracy", func(e Epoch, _ *Evaluation) float64 { return e.Accuracy }},
	{"valid_loss", func(e Epoch, _ *Evaluation) float64 { return -e.ValidLoss }},
	{"top5", func(_ Epoch, e *Evaluation) float64 { return e.Top5 }},
	{"macro_f1", func(_ Epoch, e *Evaluation) float64 { return macroF1(e.Confusion) }},
	{"balanced_accuracy", func(_ Epoch, e *Evaluation) float64 { return balancedAccuracy(e.Confusion) }},
}

// MetricNames lists the words of a recipe's best_by.
func MetricNames() []string {
	var names []string
	for _, m := range metrics {
		names = append(names, m.name)
	}
	return names
}

// better notes the epoch's metric and tells whether it is the best so far.
func (f *fit) better(line Epoch, evaluation *Evaluation) bool {
	p := &f.progress
	at := slices.IndexFunc(metrics, func(m metric) bool { return m.name == f.recipe.BestBy })
	value := metrics[at].value(line, evaluation)
	if len(p.History) > 0 && cmp.Compare(value, p.Best) <= 0 {
		p.SinceBest++
		return false
	}
	p.Best, p.SinceBest = value, 0
	return true
}

// patienceEnded tells whether the epochs without a better one are enough.
func (f *fit) patienceEnded() bool {
	return f.recipe.Patience > 0 && f.progress.SinceBest >= f.recipe.Patience
}

// perClass gives each class's true positives, pictures and predictions.
func perClass(confusion [][]int, each func(hits, actual, predicted int)) {
	for i, row := range confusion {
		actual, predicted := 0, 0
		for j := range row {
			actual += row[j]
			predicted += confusion[j][i]
		}
		each(row[i], actual, predicted)
	}
}

// macroF1 is the mean over classes of 2*hits/(actual+predicted); 0 for a class that is neither.
func macroF1(confusion [][]int) float64 {
	sum := 0.0
	perClass(confusion, func(hits, actual, predicted int) {
		if actual+predicted > 0 {
			sum += 2 * float64(hits) / float64(actual+predicted)
		}
	})
	return sum / float64(len(confusion))
}

// balancedAccuracy is the mean recall of the classes that occur.
func balancedAccuracy(confusion [][]int) float64 {
	sum, classes := 0.0, 0
	perClass(confusion, func(hits, actual, _ int) {
		if actual > 0 {
			sum, classes = sum+float64(hits)/float64(actual), classes+1
		}
	})
	return sum / float64(max(1, classes))
}
