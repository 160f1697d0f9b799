package report

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// recipeFacts reads the keys and values of recipe.yaml in their order; nil when it is not a YAML mapping.
func recipeFacts(text string) []fact {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil || len(document.Content) == 0 {
		return nil
	}
	mapping := document.Content[0]
	if mapping.Kind != yaml.MappingNode {
		return nil
	}
	var facts []fact
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		value := mapping.Content[i+1]
		shown := value.Value
		if value.Kind != yaml.ScalarNode {
			flow, err := yaml.Marshal(value)
			if err != nil {
				return nil
			}
			shown = strings.TrimSpace(string(flow))
		}
		facts = append(facts, fact{mapping.Content[i].Value, shown})
	}
	return facts
}

func valueOf(facts []fact, name string) string {
	i := slices.IndexFunc(facts, func(f fact) bool { return f.Name == name })
	if i < 0 {
		return ""
	}
	return facts[i].Value
}

// Lead is the line under the heading: what was trained on what, and how.
func (r *Run) Lead() string {
	recipe := recipeFacts(r.Recipe)
	get := func(name string) string { return valueOf(recipe, name) }
	var parts []string
	if model, data := get("model"), get("data"); model != "" && data != "" {
		parts = append(parts, model+" on "+data)
	}
	if n := get("epochs"); n == "1" {
		parts = append(parts, "1 epoch")
	} else if n != "" {
		parts = append(parts, n+" epochs")
	}
	if b := get("batch_size"); b != "" {
		parts = append(parts, "batch "+b)
	}
	if lr := get("lr"); lr != "" {
		parts = append(parts, strings.TrimSpace(get("schedule")+" lr "+lr))
	}
	if seed := get("seed"); seed != "" {
		parts = append(parts, "seed "+seed)
	}
	return strings.Join(parts, " · ")
}

// RecipeValue is the value of one of the recipe's keys, as text; "" without it.
func (r *Run) RecipeValue(key string) string { return valueOf(recipeFacts(r.Recipe), key) }

// A Tile is a headline number.
type Tile struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Value string `json:"value"`
	Small string `json:"small,omitempty"` // its unit, or an addition
}

// Tiles are the headline numbers: of result.json, and of history.csv while there is none.
func (r *Run) Tiles() []Tile {
	if r.Result == nil {
		if len(r.History) == 0 {
			return nil
		}
		last := r.History[len(r.History)-1]
		seconds := 0.0
		for _, e := range r.History {
			seconds += e.Seconds
		}
		return []Tile{
			{"number-accuracy", "accuracy so far", decimals(last.Accuracy, 4), ""},
			{"number-loss", "validation loss", decimals(last.ValidLoss, 4), ""},
			{"number-epochs", "epochs done", strconv.Itoa(len(r.History)), ""},
			{"number-time", "time", clock(seconds), ""},
		}
	}
	x := r.Result
	tiles := []Tile{
		{"number-accuracy", "accuracy", decimals(x.Accuracy, 4), ""},
		{"number-loss", "validation loss", decimals(x.ValidLoss, 4), ""},
		{"number-speed", "speed", decimals(x.ImagesPerSecond, 1), "img/s"},
		{"number-wait", "waiting for data", percent(x.DataWaitFraction), ""},
		{"number-time", "time", clock(x.Seconds), fmt.Sprintf("%d epochs", x.Epochs)},
		{"number-images", "pictures", strconv.Itoa(x.TrainImages), fmt.Sprintf("+ %d valid", x.ValidImages)},
	}
	if x.SkippedImages > 0 {
		tiles = append(tiles, Tile{"number-skipped", "left out", strconv.Itoa(x.SkippedImages), "pictures"})
	}
	if x.PeakRSSBytes > 0 {
		tiles = append(tiles, Tile{"number-memory", "peak memory", bytesText(x.PeakRSSBytes), ""})
	}
	return tiles
}

func (r *Run) environment() []fact {
	x := r.Result
	if x == nil {
		return nil
	}
	facts := []fact{{"device", x.Device}, {"threads", strconv.Itoa(x.Threads)}, {"libtorch", x.LibTorch}, {"commit", x.Commit}}
	keys := make([]string, 0, len(x.Extra))
	for key := range x.Extra {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if key == "command" {
			continue
		}
		facts = append(facts, fact{strings.ReplaceAll(key, "_", " "), short(plain(x.Extra[key]))})
	}
	return facts
}

// plain is a JSON value as people read it: text without quotes, lists with commas, numbers to four digits.
func plain(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var number float64
	if json.Unmarshal(value, &number) == nil && string(value) != "null" {
		return strconv.FormatFloat(number, 'g', 4, 64)
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil && len(list) > 0 {
		parts := make([]string, len(list))
		for i, one := range list {
			parts[i] = plain(one)
		}
		return strings.Join(parts, ", ")
	}
	return string(value)
}

// command repeats the run: the words of result.json's "command", or the recipe by its file.
func (r *Run) command() string {
	if r.Result != nil {
		var words []string
		if err := json.Unmarshal(r.Result.Extra["command"], &words); err == nil && len(words) > 0 {
			return commandLine(words)
		}
	}
	words := []string{"orrery", "train"}
	if data := valueOf(recipeFacts(r.Recipe), "data"); data != "" {
		words = append(words, data)
	}
	return commandLine(append(words, "--recipe", filepath.Join(r.Dir, "recipe.yaml")))
}

// commandLine is a command that a POSIX shell takes apart into words again.
func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(printable(word))
	}
	return strings.Join(quoted, " ")
}

// quote makes one word of a text for a POSIX shell.
func quote(word string) string {
	plain := strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-", r)
	}) < 0
	if plain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// six is a number as fastai's epoch table prints it.
func six(v float64) string { return decimals(v, 6) }

func decimals(v float64, digits int) string {
	if math.IsNaN(v) {
		return "–"
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

func percent(fraction float64) string {
	if math.IsNaN(fraction) {
		return "–"
	}
	return strconv.FormatFloat(100*fraction, 'f', 1, 64) + " %"
}

// clock is a duration in seconds as m:ss or h:mm:ss.
func clock(seconds float64) string {
	if math.IsNaN(seconds) || seconds < 0 || seconds > 1e9 {
		return "–"
	}
	if seconds < 10 {
		return strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
	}
	s := int(math.Round(seconds))
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

func bytesText(n int64) string {
	const mib, gib = 1 << 20, 1 << 30
	if n >= gib {
		return fmt.Sprintf("%.1f GiB", float64(n)/gib)
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/mib)
}
