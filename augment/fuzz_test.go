package augment

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// FuzzList reads any text as a pipeline: it is refused, or it reads back the same and makes a
// pipeline or an error, and never a panic.
func FuzzList(f *testing.F) {
	f.Add(articleYAML)
	f.Add("- flipp")
	f.Add("- resize: {size: 3}\n- mixup: {alpha: 1e308}")
	f.Add("- normalize: {mean: [1, 2, .inf]}")
	f.Fuzz(func(t *testing.T, text string) {
		var l List
		if yaml.Unmarshal([]byte(text), &l) != nil {
			return
		}
		out, err := yaml.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		var again List
		if err := yaml.Unmarshal(out, &again); err != nil || (len(l) > 0 && !cmp.Equal(l, again)) {
			t.Fatalf("%s reads back as %v (%v)", out, again, err)
		}
		p, err := NewFromList(l, Exact)
		if err == nil && p.Elements() < 3 {
			t.Fatalf("%v: %d elements", l, p.Elements())
		}
	})
}
