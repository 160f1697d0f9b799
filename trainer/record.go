package trainer

// A Step is one optimiser step, as steps.csv keeps it.
type Step struct {
	Step            int     // counted from 0 over the whole run
	Epoch           int     // counted from 0
	LearningRate    float64 //
	Momentum        float64 // Adam's first beta
	Loss            float64 // of this batch
	SmoothedLoss    float64 // fastai's debiased exponential mean, beta 0.98
	ImagesPerSecond float64 // of this step, waiting included
	Seconds         float64 // of this step, waiting included; of late steps, the mean of those settled together
	DataWaitSeconds float64 // time the step stood still for its batch
	MemoryMiB       float64 // that the process held after the step; NaN where that is not known
	Way
}

// A Way is how a step was taken.
type Way struct {
	Late     bool `json:"late"`     // nobody waited for it by itself
	Graph    bool `json:"graph"`    // as a recorded graph
	Resident bool `json:"resident"` // on pictures that lie on the device
}

// An Epoch is a line of fastai's table, as history.csv keeps it.
type Epoch struct {
	Epoch     int     `json:"epoch"` // counted from 0
	TrainLoss float64 `json:"train_loss"`
	ValidLoss float64 `json:"valid_loss"`
	Accuracy  float64 `json:"accuracy"` // of the validation split, in [0, 1]
	Seconds   float64 `json:"seconds"`  // training and validation
}

// Result is what a finished run says of itself: result.json.
type Result struct {
	Accuracy         float64   `json:"accuracy"`
	ValidLoss        float64   `json:"valid_loss"`
	TestTime         *TestTime `json:"test_time,omitempty"` // with test-time augmentation, where the recipe asks for it
	TrainImages      int       `json:"train_images"`
	ValidImages      int       `json:"valid_images"`
	SkippedImages    int       `json:"skipped_images"`
	Epochs           int       `json:"epochs"`
	Seconds          float64   `json:"seconds"`
	ImagesPerSecond  float64   `json:"images_per_second"`  // over the training half of every epoch
	DataWaitFraction float64   `json:"data_wait_fraction"` // of the same time
	FirstStepSeconds float64   `json:"first_step_seconds"` // from the start of the process
	PeakRSSBytes     int64     `json:"peak_rss_bytes"`
	Device           string    `json:"device"`
	Threads          int       `json:"threads"`
	Libtorch         string    `json:"libtorch"`
	Commit           string    `json:"commit"`
	Command          []string  `json:"command"`
	Classes          []string  `json:"classes"`
	Recipe           Recipe    `json:"recipe"`
}

// A Watcher follows a run while it trains. Its methods are called from the
// training goroutine and must return at once.
type Watcher interface {
	EpochStarts(epoch, epochs, steps int)
	StepEnds(Step)
	EpochEnds(Epoch)
}
