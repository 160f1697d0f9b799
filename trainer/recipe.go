package trainer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wangkuiyi/orrery/augment"
	"github.com/wangkuiyi/orrery/models"
)

// A Recipe is everything that decides what a run computes: the same recipe on
// the same pictures, device and thread count gives the same weights.
//
// The zero value is not a recipe; start from Article and change fields.
type Recipe struct {
	// Data is where the pictures come from, as the user gave it: a folder of
	// class folders, a .zip of one, or "planets".
	Data string `yaml:"data"`

	// Model names the network; see package models.
	Model string `yaml:"model"`
	// ReLU and BatchNorm switch cnn8's layers on, for the article's first rungs.
	ReLU      bool `yaml:"relu"`
	BatchNorm bool `yaml:"batchnorm"`
	Network   `yaml:",inline"`

	// SyncBatchNorm takes BatchNorm's statistics over the batches of all processes
	// that train together, as one process with the whole batch would.
	SyncBatchNorm bool `yaml:"sync_batchnorm"`

	Epochs    int `yaml:"epochs"`
	BatchSize int `yaml:"batch_size"`
	// LearningRate is the constant rate of a flat schedule, the highest of one-cycle.
	LearningRate float64 `yaml:"lr"`
	// Schedule is one of flat, one-cycle, cosine, linear, step, flat-then-cosine, fine-tune.
	Schedule    string  `yaml:"schedule"`
	WeightDecay float64 `yaml:"weight_decay"`
	Method      `yaml:",inline"`

	// ValidPct is the fraction of pictures held out, in (0, 1).
	ValidPct float64 `yaml:"valid_pct"`
	// Seed starts every random source of the run: initial weights, order, augmentation.
	Seed int64 `yaml:"seed"`
	// SplitSeed decides which pictures are held out.
	SplitSeed int64 `yaml:"split_seed"`

	// ItemSize is the side of the square crop every picture is first resized to, in pixels.
	ItemSize int `yaml:"item_size"`
	// Size is the side of the square pictures the network sees, in pixels.
	Size int `yaml:"size"`
	// Pixels is "exact" (fastai's arithmetic) or "fast": one sampling from the decoded picture, and on the CPU batches in
	// bytes where nothing normalises, erases or mixes them.
	Pixels string `yaml:"pixels"`
	// Transforms are what happens to a picture, in the order it runs: see package
	// augment for their names and settings. They decide both sizes. Empty stands
	// for the article's: resize to ItemSize, flip, rotate up to 20 degrees, zoom up
	// to 1.2, warp, sample at Size, brightness and contrast.
	Transforms augment.List `yaml:"transforms"`
	// Sampling is "shuffle" (every picture once an epoch) or "balanced" (drawn with
	// replacement, each class as often as the others).
	Sampling string `yaml:"sampling"`
	// ClassWeights multiply how often the pictures of a class are drawn, then with
	// replacement; a class that is not named has 1.
	ClassWeights map[string]float64 `yaml:"class_weights,omitempty"`
	// IgnoreOrientation leaves pictures as stored where EXIF turns them.
	IgnoreOrientation bool `yaml:"ignore_orientation"`

	// Device is "auto", "cpu", "cuda" or "cuda:N".
	Device string `yaml:"device"`
	// AMP is what a training computes in, a word of AMPNames.
	AMP string `yaml:"amp"`
	// Deterministic has a GPU give the same bits each time, at some cost, or fail where it cannot. The CPU does anyway.
	Deterministic bool `yaml:"deterministic"`
	// Graph is "auto" or "off": whether a GPU's steps are recorded once and done again as a whole.
	Graph string `yaml:"graph"`
	// Resident is "auto" or "off": whether the pictures lie on the GPU where they can; a batch's values then differ
	// from the processor's by less than 1/255.
	Resident string `yaml:"resident"`
	// Decoder is "cpu" or "nvjpeg": whether JPEG files are decoded by TurboJPEG or, in a training on a GPU, by nvJPEG there,
	// whose pixels differ a little.
	Decoder string `yaml:"decoder"`
	// Workers is how many goroutines decode and augment; 0 takes one per core.
	Workers int `yaml:"workers"`
	// Kernels says who convolves on the CPU: "own" (libtorch where ours do not
	// fit), "libtorch", or "auto", which times both once for each layer shape. Own
	// is the default since a timing may fall differently on the next machine, and
	// the last bits of the weights with it.
	Kernels string `yaml:"kernels"`
	// Threads is how many threads libtorch computes with; 0 takes one per core.
	Threads int `yaml:"threads"`
}

// Article is the last rung of the article's ladder: the eight-layer network
// with ReLU and BatchNorm, five one-cycle epochs at batch 128.
func Article() Recipe {
	return Recipe{
		Model: "cnn8", ReLU: true, BatchNorm: true, SyncBatchNorm: true, Network: defaultNetwork(), Method: defaultMethod(),
		Epochs: 5, BatchSize: 128, LearningRate: 0.003, Schedule: OneCycle, WeightDecay: 0.01,
		ValidPct: 0.2, Seed: 42, SplitSeed: 42,
		ItemSize: 460, Size: 200, Pixels: "exact", Sampling: Shuffled,
		Device: "auto", AMP: AMPAuto, Graph: GraphAuto, Resident: ResidentAuto, Decoder: DecoderCPU, Kernels: "own",
	}
}

// LoadRecipe reads a YAML recipe, a file or the name of a shipped one, over base. A key that no field has is an
// error naming the file, the line and the nearest key.
func LoadRecipe(path string, base Recipe) (Recipe, error) {
	var text []byte
	if known, ok := shipped(path); ok {
		text = []byte(known.YAML)
	} else if content, err := os.ReadFile(path); err == nil {
		text = content
	} else if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(path, "./") {
		return base, fmt.Errorf("recipe %q is no file and does not ship; those that do are %s", path, shippedNames())
	} else {
		return base, fmt.Errorf("recipe: %w", err)
	}
	recipe, err := ParseRecipe(text, base)
	if err != nil {
		return base, fmt.Errorf("recipe %s: %w", path, err)
	}
	return recipe, nil
}

// ParseRecipe is LoadRecipe for a text.
func ParseRecipe(text []byte, base Recipe) (Recipe, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	recipe := base
	err := decoder.Decode(&recipe)
	if err != nil && !errors.Is(err, io.EOF) { // an empty file changes nothing
		return base, errors.New(explainYAML(err))
	}
	if len(recipe.Layers) == 0 {
		recipe.Layers = nil
	}
	return recipe, recipe.followTransforms()
}

var unknownField = regexp.MustCompile(`line (\d+): field (\S+) not found in type \S+`)

// explainYAML turns the parser's report into one line, with the nearest key for each unknown one.
func explainYAML(err error) string {
	report := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "yaml: "), "\n", ";")
	report = strings.TrimPrefix(report, "unmarshal errors:;")
	return strings.TrimSpace(unknownField.ReplaceAllStringFunc(report, func(found string) string {
		parts := unknownField.FindStringSubmatch(found)
		advice := ""
		if key := Nearest(parts[2], recipeKeys()); key != "" {
			advice = fmt.Sprintf("; did you mean %q?", key)
		}
		return fmt.Sprintf("line %s: unknown key %q%s", parts[1], parts[2], advice)
	}))
}

// recipeKeys lists the YAML keys in the order the file shows them.
func recipeKeys() []string {
	all := Article()
	all.ClassWeights = map[string]float64{"": 1} // left out of the file when empty
	keys, _ := keysAndValues(all)
	return keys
}

// keysAndValues gives a recipe's YAML keys and values in the order of the file.
func keysAndValues(r Recipe) (keys, values []string) {
	var node yaml.Node
	if err := node.Encode(r); err != nil {
		return nil, nil // a plain struct always encodes
	}
	for i := 0; i < len(node.Content); i += 2 {
		value := node.Content[i+1].Value
		if node.Content[i+1].Kind != yaml.ScalarNode { // a list or a map, on one line
			node.Content[i+1].Style = yaml.FlowStyle
			text, err := yaml.Marshal(node.Content[i+1])
			if err != nil {
				return nil, nil
			}
			value = strings.TrimSpace(string(text))
		}
		keys, values = append(keys, node.Content[i].Value), append(values, value)
	}
	return keys, values
}

// YAML is the recipe as the file LoadRecipe reads.
func (r Recipe) YAML() ([]byte, error) { return yaml.Marshal(r) }

// Validate reports the first field that cannot be trained with, its value and
// what would be right.
func (r Recipe) Validate() error {
	positive := func(x float64) bool { return x > 0 && !math.IsInf(x, 0) }
	switch {
	case r.Epochs < 1:
		return fmt.Errorf("epochs is %d; it must be at least 1", r.Epochs)
	case r.BatchSize < 1:
		return fmt.Errorf("batch size is %d; it must be at least 1", r.BatchSize)
	case !positive(r.LearningRate):
		return fmt.Errorf("lr is %v; it must be a positive number, such as 0.003", r.LearningRate)
	case !slices.Contains(scheduleNames, r.Schedule):
		return fmt.Errorf("schedule is %q; it must be one of %s%s", r.Schedule, strings.Join(scheduleNames, ", "), suggest(r.Schedule, scheduleNames))
	case math.IsNaN(r.WeightDecay) || r.WeightDecay < 0 || r.WeightDecay >= 1:
		return fmt.Errorf("weight decay is %v; it must be in [0, 1)", r.WeightDecay)
	case !(r.ValidPct > 0 && r.ValidPct < 1):
		return fmt.Errorf("valid-pct is %v; it must be between 0 and 1, such as 0.2", r.ValidPct)
	case r.Size < 8 || r.Size > 4096:
		return fmt.Errorf("size is %d pixels; it must be between 8 and 4096", r.Size)
	case r.Model == "cnn8" && r.Depth == 0 && r.Size > models.CNN8MaxSize:
		return fmt.Errorf("size is %d pixels; cnn8 takes at most %d", r.Size, models.CNN8MaxSize)
	case len(r.Transforms) == 0 && (r.ItemSize < r.Size || r.ItemSize > 8192):
		return fmt.Errorf("item-size is %d pixels; it must be between size (%d) and 8192", r.ItemSize, r.Size)
	case r.Workers < 0:
		return fmt.Errorf("workers is %d; it must be 0 (one per core) or more", r.Workers)
	case r.Threads < 0:
		return fmt.Errorf("threads is %d; it must be 0 (one per core) or more", r.Threads)
	case r.Pixels != "exact" && r.Pixels != "fast":
		return fmt.Errorf("pixels is %q; it must be exact or fast", r.Pixels)
	case r.Kernels != "auto" && r.Kernels != "own" && r.Kernels != "libtorch":
		return fmt.Errorf("kernels is %q; it must be auto, own or libtorch", r.Kernels)
	case r.Graph != "" && r.Graph != GraphAuto && r.Graph != GraphOff: // "": of a run older than the key
		return fmt.Errorf("graph is %q; it must be auto or off", r.Graph)
	case r.Resident != "" && r.Resident != ResidentAuto && r.Resident != ResidentOff:
		return fmt.Errorf("resident is %q; it must be auto or off", r.Resident)
	case r.Decoder != "" && r.Decoder != DecoderCPU && r.Decoder != DecoderNVJPEG:
		return fmt.Errorf("decoder is %q; it must be cpu or nvjpeg", r.Decoder)
	case !slices.Contains(AMPNames(), r.AMP):
		return fmt.Errorf("amp is %q; it must be one of %s%s", r.AMP, strings.Join(AMPNames(), ", "), suggest(r.AMP, AMPNames()))
	}
	return errors.Join(r.validateInput(), r.Network.validate(r), r.Method.validate(r))
}
