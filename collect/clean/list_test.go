package clean

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disintegration/imaging"
	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/set"
	"github.com/wangkuiyi/orrery/internal/browser"
)

func names(items []Item) (files []string) {
	for _, item := range items {
		files = append(files, item.File)
	}
	return files
}

func list(t *testing.T, dir string, o ListOptions) []Item {
	t.Helper()
	items, err := List(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

// variety makes a set with a small, a blurred, a wide, an unreadable and a doubled picture.
func variety(t *testing.T) string {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	save := func(file string, p image.Image, quality int) {
		write(t, filepath.Join(dir, file), collecttest.JPEG(p, quality))
	}
	plain := collecttest.Pixels("plain", 300, 240)
	save("earth/plain.jpg", plain, 90)
	save("earth/blurred.jpg", imaging.Blur(collecttest.Pixels("blurred", 300, 240), 6), 90)
	save("earth/small.jpg", collecttest.Pixels("small", 60, 50), 90)
	save("mars/wide.jpg", collecttest.Pixels("wide", 600, 120), 90)
	save("mars/copy.jpg", imaging.Resize(plain, 150, 0, imaging.Lanczos), 80)
	write(t, filepath.Join(dir, "mars/broken.jpg"), []byte("<html>not a picture</html>"))
	write(t, filepath.Join(dir, "mars/notes.txt"), []byte("not a picture"))
	return dir
}

func TestList(t *testing.T) {
	dir := variety(t)
	predictions := &Predictions{Classes: []string{"earth", "mars"}, Pictures: []Prediction{{"earth/plain.jpg", []float64{0.1, 0.9}}, {"mars/wide.jpg", []float64{0.4, 0.6}},
		{"gone.jpg", []float64{1, 0}}}}
	var shown []string
	predictions.More = func(_ context.Context, files []string, found func(string, []float64)) error {
		shown = files
		found("earth/small.jpg", []float64{0.95, 0.05})
		return nil
	}
	for name, one := range map[string]struct {
		view View
		want []string // the first
		all  int
	}{
		"all":                 {View{}, []string{"earth/blurred.jpg", "earth/plain.jpg", "earth/small.jpg", "mars/broken.jpg"}, 6},
		"one class":           {View{Class: "mars"}, []string{"mars/broken.jpg", "mars/copy.jpg", "mars/wide.jpg"}, 3},
		"near duplicates":     {View{Sort: "near-duplicates"}, []string{"earth/plain.jpg", "mars/copy.jpg"}, 6},
		"only duplicates":     {View{Filter: "near-duplicates"}, []string{"earth/plain.jpg", "mars/copy.jpg"}, 2},
		"smallest":            {View{Sort: "smallest"}, []string{"earth/small.jpg", "mars/copy.jpg"}, 6},
		"blurriest":           {View{Sort: "blurriest"}, []string{"earth/blurred.jpg"}, 6},
		"odd aspect":          {View{Sort: "odd-aspect"}, []string{"mars/wide.jpg"}, 6},
		"unreadable":          {View{Filter: "unreadable"}, []string{"mars/broken.jpg"}, 1},
		"highest loss":        {View{Sort: "highest-loss"}, []string{"earth/plain.jpg", "mars/wide.jpg", "earth/small.jpg"}, 6},
		"lowest confidence":   {View{Sort: "lowest-confidence"}, []string{"mars/wide.jpg", "earth/plain.jpg", "earth/small.jpg"}, 6},
		"predicted otherwise": {View{Filter: "predicted-otherwise"}, []string{"earth/plain.jpg"}, 1},
		"trash":               {View{Trash: true}, nil, 0},
	} {
		got := names(list(t, dir, ListOptions{View: one.view, Predictions: predictions}))
		if len(got) != one.all || len(got) < len(one.want) || !cmp.Equal(got[:len(one.want)], one.want) {
			t.Errorf("%s: %v, want %v first of %d", name, got, one.want, one.all)
		}
	}
	if want := []string{"earth/blurred.jpg", "earth/small.jpg", "mars/broken.jpg", "mars/copy.jpg"}; !cmp.Equal(shown, want) {
		t.Errorf("the network was shown %v, want what nothing was known of: %v", shown, want)
	}
	for _, view := range []View{{Sort: "size"}, {Filter: "none"}} {
		if _, err := List(context.Background(), dir, ListOptions{View: view}); err == nil || !strings.Contains(err.Error(), "choose one of") {
			t.Errorf("%+v: %v", view, err)
		}
	}
}

// TestLossFollowsTheClass moves a picture to where the network saw it: the loss is of the class it is in, and a class that the network
// does not know has none.
func TestLossFollowsTheClass(t *testing.T) {
	dir := newSet(t, 2, "earth", "mars")
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := OpenCatalogue(s, &Predictions{Classes: []string{"earth", "mars"}, Pictures: []Prediction{{"earth/001.jpg", []float64{0.25, 0.75}}, {"earth/002.jpg", []float64{0, 1}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, one := range []struct {
		to        string
		loss      float64
		otherwise int
	}{{"earth", -math.Log(0.25), 2}, {"mars", -math.Log(0.75), 1}, {"venus", 0, 2}, {"earth", -math.Log(0.25), 2}} {
		if _, err := c.Do(Step{Do: "move", IDs: []int{0}, To: one.to}); err != nil {
			t.Fatal(err)
		}
		item, _ := c.Item(0)
		otherwise, _ := c.Items(View{Filter: "predicted-otherwise"})
		if math.Abs(item.Loss-one.loss) > 1e-6 || item.Predicted != "mars" || len(otherwise) != one.otherwise {
			t.Errorf("in %s: %+v, %d predicted otherwise, want a loss of %g and %d", one.to, item, len(otherwise), one.loss, one.otherwise)
		}
	}
	if item, _ := c.Item(1); math.IsInf(item.Loss, 0) || item.Loss < 60 {
		t.Errorf("a probability of 0 has the loss %g", item.Loss)
	}
}

func TestReadPredictions(t *testing.T) {
	run := t.TempDir()
	if got, err := ReadPredictions(run); got != nil || err != nil {
		t.Errorf("a run that was not validated: %v, %v", got, err)
	}
	write(t, filepath.Join(run, "evaluation.json"), []byte(`{"classes":["earth","mars"],"images":2}`))
	write(t, filepath.Join(run, "predictions.csv"), []byte("path,label,p0,p1\nearth/a.jpg,0,0.25,0.75\n\"mars/b, c.jpg\",1,1e-09,1\n"))
	got, err := ReadPredictions(run)
	want := []Prediction{{"earth/a.jpg", []float64{0.25, 0.75}}, {"mars/b, c.jpg", []float64{1e-9, 1}}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, text := range []string{"", "nonsense", "path,label,p0\n", "path,label,p0,p1\na,0,NaN,1\n", "path,label,p0,p1\na,0,2,1\n", "path,label,p0,p1\na,0,1\n"} {
		write(t, filepath.Join(run, "predictions.csv"), []byte(text))
		if got, err := ReadPredictions(run); err == nil || !strings.Contains(err.Error(), "predictions.csv") {
			t.Errorf("%q is taken for %v: %v", text, got, err)
		}
	}
}

func TestApply(t *testing.T) {
	dir := newSet(t, 3, "earth", "mars")
	before := tree(t, dir)
	apply := func(lines string) (Applied, error) {
		t.Helper()
		return Apply(dir, strings.NewReader(lines))
	}
	applied, err := apply("# a remark\n\ntrash earth/001.jpg\nmove\tearth/002.jpg\tnew class\nmove mars/001.jpg earth\nrename mars red\n{\"do\":\"trash\",\"files\":[\"earth/003.jpg\"]}\n")
	if err != nil || applied.Steps != 1 {
		t.Fatalf("%+v, %v", applied, err)
	}
	want := []string{".trash/earth/001.jpg", ".trash/earth/003.jpg", "earth/001.jpg", "new class/002.jpg", "red/002.jpg", "red/003.jpg"}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	// The name is taken in earth, so the restored picture gets another.
	if _, err := apply("restore .trash/earth/001.jpg"); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, dir); !strings.Contains(strings.Join(got, " "), "earth/001-2.jpg") {
		t.Errorf("restored beside one of its name: %v", got)
	}
	if applied, err = apply("undo\nundo\n"); err != nil || applied.Steps != 2 {
		t.Fatalf("%+v, %v", applied, err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	for lines, words := range map[string]string{
		"trash earth/001.jpg\ntrash earth/404.jpg": "line 2", "explode earth/001.jpg": "line 1", "trash": "takes 1", "move earth/001.jpg": "takes 2", "trash ../x/a.jpg": "inside the set",
		"move earth/001.jpg ../x": "class name", "rename earth mars": "exists already", "rename venus x": "no class", "trash earth": "inside the set", "{\"do\":": "line 1",
		"{\"do\":\"trash\",\"ids\":[1]}": "wants files", "trash /etc/a.jpg": "inside the set", "undo": "nothing to undo",
		"trash manifest.jsonl": "inside the set",
	} {
		if _, err := apply(lines); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, want an error with %q", lines, err, words)
		}
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("wrong lists changed the set: %s", diff)
	}
}

func TestEmptyTrash(t *testing.T) {
	dir := newSet(t, 3, "earth")
	if _, err := Apply(dir, strings.NewReader("trash earth/001.jpg\ntrash earth/002.jpg\n")); err != nil {
		t.Fatal(err)
	}
	n, err := EmptyTrash(dir)
	if err != nil || n != 2 {
		t.Errorf("%d, %v, want 2 gone", n, err)
	}
	if diff := cmp.Diff([]string{"earth/003.jpg"}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	if _, err := Apply(dir, strings.NewReader("undo")); err == nil {
		t.Error("undid what is gone for good")
	}
}

// TestStepsOfOthers has files moved by hand between steps: what can be done is done, what cannot is said, and nothing is lost.
func TestStepsOfOthers(t *testing.T) {
	dir := newSet(t, 3, "earth")
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := OpenCatalogue(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Do(Step{Do: "trash", IDs: []int{0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, ".trash/earth/001.jpg")); err != nil {
		t.Fatal(err)
	}
	stepped, err := c.Do(Step{Do: "undo"})
	if err != nil || stepped.Moved != 1 || len(stepped.Skipped) != 1 {
		t.Errorf("%+v, %v, want one back and one said to be gone", stepped, err)
	}
	if diff := cmp.Diff([]string{"earth/002.jpg", "earth/003.jpg"}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Do(Step{Do: "trash", IDs: []int{0}}); err == nil {
		t.Error("threw out a picture that is gone")
	}
	again, err := c.Do(Step{Do: "trash", IDs: []int{1, 1}})
	if err != nil && again.Moved > 1 {
		t.Errorf("twice the same: %+v, %v", again, err)
	}
}

// TestHostileNames shows classes and files whose names are HTML, lines and escapes.
func TestHostileNames(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	class, file := "<img src=x onerror=window.evil=1>", "\x1b[31m\n\"><script>window.evil=1<\u2044script>.jpg"
	write(t, filepath.Join(dir, class, file), collecttest.JPEG(collecttest.Pixels("a", 40, 30), 80))
	write(t, filepath.Join(dir, "earth", "a.jpg"), collecttest.JPEG(collecttest.Pixels("b", 40, 30), 80))
	var out bytes.Buffer
	if err := Print(&out, list(t, dir, ListOptions{})); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("the terminal gets %q", out.String())
	}
	b := browser.Open(t)
	address, token := serve(t, dir, ServeOptions{})
	p := open(t, b, address+"/?token="+token, 1440, 900)
	p.until(`tiles.size === 2`)
	p.choose("class", "class:"+class)
	p.until(`items.length === 1`)
	value[bool](p, `(showLarge(), true)`)
	p.until(`byId('large-picture').naturalWidth === 40`)
	value[bool](p, `(byId('large').close(), true)`)
	p.click("#trash")
	p.until(`state.trashed === 1`)
	p.is(`window.evil`, "undefined")
	p.is(`document.querySelectorAll('main script, main img[onerror], select img').length`, 0)
}

func TestListJSON(t *testing.T) {
	dir := newSet(t, 1, "earth")
	data, err := json.Marshal(list(t, dir, ListOptions{}))
	if err != nil || !strings.Contains(string(data), `"file":"earth/001.jpg","class":"earth"`) || !strings.Contains(string(data), `"width":160`) {
		t.Errorf("%s, %v", data, err)
	}
}
