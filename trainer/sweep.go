package trainer

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxSweep keeps a slip of the finger from planning a year of training.
const maxSweep = 10000

// A Variant is a recipe of a sweep, with the settings that make it.
type Variant struct {
	Name   string // such as "lr=0.001 seed=2"
	Recipe Recipe
}

// Sweep gives base with every combination of the axes, each a "key=values":
// values are separated by commas, whole numbers may be a range such as 1..5. The
// last axis changes fastest.
func Sweep(base Recipe, axes []string) ([]Variant, error) {
	variants := []Variant{{Recipe: base}}
	seen := map[string]bool{}
	for _, axis := range axes {
		key, list, ok := strings.Cut(axis, "=")
		if !ok || key == "" || list == "" {
			return nil, fmt.Errorf("%q is no setting of a sweep; write key=value,value or key=1..5", axis)
		}
		if seen[key] {
			return nil, fmt.Errorf("%s is given twice; write its values in one list", key)
		}
		seen[key] = true
		values, err := sweepValues(list)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", axis, err)
		}
		if len(variants)*len(values) > maxSweep {
			return nil, fmt.Errorf("the sweep has more than %d runs", maxSweep)
		}
		var next []Variant
		for _, v := range variants {
			for _, value := range values {
				recipe, err := v.Recipe.with(key, value)
				if err != nil {
					return nil, fmt.Errorf("%s=%s: %w", key, value, err)
				}
				next = append(next, Variant{strings.TrimSpace(v.Name + " " + key + "=" + value), recipe})
			}
		}
		variants = next
	}
	for i, v := range variants {
		settled, err := v.Recipe.Settle()
		if err == nil {
			err = settled.Validate()
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Name, err)
		}
		variants[i].Recipe = settled
	}
	return variants, nil
}

// sweepValues reads the values of one axis.
func sweepValues(list string) ([]string, error) {
	var values []string
	for _, value := range strings.Split(list, ",") {
		from, to, isRange := strings.Cut(value, "..")
		if !isRange {
			if value == "" {
				return nil, fmt.Errorf("a value is empty")
			}
			values = append(values, value)
			continue
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || first > last || last-first >= maxSweep {
			return nil, fmt.Errorf("%q is no range; write two whole numbers, the smaller first, such as 1..5", value)
		}
		for n := first; n <= last; n++ {
			values = append(values, strconv.Itoa(n))
		}
	}
	return values, nil
}

// with is the recipe with one key, as the recipe file calls it, changed.
func (r Recipe) with(key, value string) (Recipe, error) {
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(key + ": " + value + "\n")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&r); err != nil {
		return r, fmt.Errorf("%s", explainYAML(err))
	}
	return r, nil
}
