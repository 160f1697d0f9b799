package augment

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/wangkuiyi/orrery/internal/kernel"
	"go.yaml.in/yaml/v3"
)

const articleYAML = `
- resize: {size: 460}
- flip
- rotate: {max: 20}
- zoom: {max: 1.2}
- warp
- sample:
- brightness
- contrast
`

func TestArticleAsYAML(t *testing.T) {
	var l List
	if err := yaml.Unmarshal([]byte(articleYAML), &l); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(ArticleConfig().List(), l); d != "" {
		t.Errorf("the article's list read from YAML: %s", d)
	}
}

func TestEveryTransformGoesThroughYAML(t *testing.T) {
	for _, tr := range defaults {
		want := List{tr}
		text, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got List
		if err := yaml.Unmarshal(text, &got); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", text, d)
		}
		var bare List
		if err := yaml.Unmarshal([]byte("- "+tr.Name()), &bare); err != nil || !cmp.Equal(bare, want) {
			t.Errorf("- %s: %v, %v", tr.Name(), bare, err)
		}
		if tr.Name() == "normalize" { // shares no memory with the defaults
			bare[0].(Normalize).Mean[0] = 7
			if defaults[indexOf(t, "normalize")].(Normalize).Mean[0] == 7 {
				t.Error("reading normalize lends out its defaults")
			}
		}
	}
}

func indexOf(t *testing.T, name string) int {
	for i, tr := range defaults {
		if tr.Name() == name {
			return i
		}
	}
	t.Fatalf("no %s", name)
	return -1
}

func TestBadYAMLSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"- flipp":                      `line 1: unknown transform "flipp": did you mean "flip"?`,
		"- flip\n- rotate: {maxx: 3}":  `line 2: rotate: unknown key maxx`,
		"- rotate: {max: -1}":          "max -1: want 0 to 360",
		"- rotate: {max: much}":        "rotate: cannot unmarshal",
		"- [flip]":                     "a transform is a name",
		"flip: {p: 1}":                 "want a list",
		"- resize: {method: crops}":    `method "crops": want one of`,
		"- normalize: {mean: [1, 2]}":  "2 means and 3 standard deviations",
		"- mixup: {alpha: 0}":          "alpha 0: want above 0",
		"- blur: {kernel: 4}":          "kernel 4: want an odd number",
		"- random_erasing: {count: 0}": "count 0: want at least 1",
		"- rand_augment: {bins: 1}":    "bins >= 2",
		"- zoom: {min: 3}":             "zoom 3 to 1.1",
		"- shift: {max: -1}":           "max -1: want 0 to 16384 pixels",
		"- alternating_flip: {p: 1}":   "alternating_flip: unknown key p",
	} {
		var l List
		err := yaml.Unmarshal([]byte(text), &l)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %q, want %q in one line", text, err, want)
		}
	}
}

func TestListsOutOfOrder(t *testing.T) {
	for want, l := range map[string]List{
		"begins with resize":           {Flip{P: 1}},
		"flip comes after contrast":    {Resize{Size: 9}, Contrast{Max: .1, P: 1}, Flip{P: 1}},
		"(flip) twice":                 {Resize{Size: 9}, Flip{P: 1}, Flip{P: 1}},
		"augment: (flip) twice":        {Resize{Size: 9}, Flip{P: 1}, AlternatingFlip{}},
		"(mixup, cutmix) twice":        {Resize{Size: 9}, MixUp{1}, CutMix{1}},
		"rotate: p 2":                  {Resize{Size: 9}, Rotate{Max: 1, P: 2}},
		"trivial_augment comes after":  {Resize{Size: 9}, Flip{P: 1}, TrivialAugment{Bins: 3}},
		"normalize comes after random": {Resize{Size: 9}, RandomErasing{P: 1, MaxArea: 1, MinAspect: 1, Count: 1}, Normalize{[]float32{0, 0, 0}, []float32{1, 1, 1}}},
	} {
		if _, err := NewFromList(l, Exact); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", l, err, want)
		}
	}
	if _, err := NewFromList(nil, Exact); err == nil {
		t.Error("an empty list makes a pipeline")
	}
}

// TestTwoSizes runs what torchvision does in validation: resize, then a smaller centre.
func TestTwoSizes(t *testing.T) {
	pic := newNoise(3).pics[2]
	p := mustList(t, List{Resize{Size: 40, Method: MethodSquish}, CenterCrop{Size: 30}})
	got := apply(t, p, kernel.Best(), pic, Neutral(), NHWC)
	whole := apply(t, mustList(t, List{Resize{Size: 40, Method: MethodSquish}}), kernel.Best(), pic, Neutral(), NHWC)
	for y := range 30 {
		for x := range 30 {
			for c := range 3 {
				a, b := got[3*(30*y+x)+c], whole[3*(40*(y+5)+x+5)+c]
				if a-b > 1e-4 || b-a > 1e-4 {
					t.Fatalf("pixel (%d,%d): %g, want %g", x, y, a, b)
				}
			}
		}
	}
}
