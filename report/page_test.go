package report

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPageIsTheSameEachTime(t *testing.T) {
	dir := writeSample(t, 3, 12, sampleClasses)
	contents := func() map[string]string {
		if _, err := Write(dir); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, pattern := range []string{"report.html", "plots/*"} {
			paths, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range paths {
				text, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				all[filepath.Base(path)] = string(text)
			}
		}
		return all
	}
	first, second := contents(), contents()
	for _, name := range []string{"report.html", "loss.png", "loss.svg", "accuracy.png", "accuracy.svg", "schedule.png", "schedule.svg", "confusion.png", "confusion.svg"} {
		if first[name] == "" {
			t.Errorf("%s was not written", name)
		}
		if first[name] != second[name] {
			t.Errorf("%s differs between two writes of the same run", name)
		}
	}
}

// Nothing in the page may point outside it.
func TestPageNamesNoOutsideAddress(t *testing.T) {
	path, err := Write(writeSample(t, 2, 5, sampleClasses))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?i)(?:[\s"](?:src|href|action|srcset)\s*=|url\()\s*["']?([^"'\s>)]{1,30})`).FindAllSubmatch(text, -1) {
		if target := string(m[1]); !strings.HasPrefix(target, "data:") {
			t.Errorf("the page points at %q", target)
		}
	}
	for _, want := range []string{"The MIT License (MIT)", "Leon Sorokin", "orrery train &#39;my photos&#39; --lr 0.003</pre>", "<th>first step seconds</th><td>0.8123</td>", "<td>a, b</td>"} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestHostileNamesAreEscaped(t *testing.T) {
	dir := writeSample(t, 2, 5, []string{hostile, `"><img src=x onerror=alert(1)>`, "a\nb"})
	recipe := "data: '" + hostile + "'\nmodel: \"</script><script>1</script>\"\n"
	if err := os.WriteFile(filepath.Join(dir, "recipe.yaml"), []byte(recipe), 0o666); err != nil {
		t.Fatal(err)
	}
	path, err := Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Two scripts of our own: the data and the code.
	if n := bytes.Count(text, []byte("<script")); n != 2 {
		t.Errorf("%d script elements, want 2", n)
	}
	if bytes.Contains(text, []byte("<img src=x")) {
		t.Error("a class name became an element")
	}
}

func TestNumbersAreJSON(t *testing.T) {
	text, err := json.Marshal(Numbers{0, 123456789, 0.1234567891, math.NaN(), math.Inf(1), 1.5e-9})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("[0,123456789,0.123457,null,null,1.5e-09]", string(text)); diff != "" {
		t.Error(diff)
	}
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{"planets": "planets", "my photos": "'my photos'", "it's": `'it'\''s'`, "": "''", "a;rm": "'a;rm'"} {
		if got := quote(word); got != want {
			t.Errorf("quote(%q) = %s, want %s", word, got, want)
		}
	}
}

// The command on the page of a run and of a ladder is taken apart by a real shell into the words it was given by.
func TestCommandsSurviveTheShell(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell here")
	}
	words := []string{"orrery", "train", "my photos/it's \"new\"", "--lr", "0.003", "$HOME", "a;b&c|d", "*", "\\", "", "-o", "rüns"}
	dir := writeSample(t, 3, 10, sampleClasses)
	path := filepath.Join(dir, "result.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	as, err := json.Marshal(words)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(text, []byte(`["orrery","train","my photos","--lr","0.003"]`), as, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, command := range map[string]string{"run": r.command(), "ladder": Ladder{Command: words, Rungs: []Rung{{Name: "plain", Accuracies: []float64{0.5}}}}.view(dir).Command} {
		out, err := exec.CommandContext(t.Context(), shell, "-c", `for word in `+command+`; do printf '%s\n' "$word"; done`).Output() //nolint:gosec // Our own text.
		if err != nil {
			t.Fatalf("%s: %s: %v", name, command, err)
		}
		if diff := cmp.Diff(words, strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")); diff != "" {
			t.Errorf("%s: %s (-given +shell):\n%s", name, command, diff)
		}
	}
}

func TestClock(t *testing.T) {
	for seconds, want := range map[float64]string{3.25: "3.2 s", 61: "1:01", 3599.7: "1:00:00", 59.6: "1:00", 3725: "1:02:05", -1: "–"} {
		if got := clock(seconds); got != want {
			t.Errorf("clock(%v) = %s, want %s", seconds, got, want)
		}
	}
}

// What the page embeds is what npm served.
func TestChartLibraryIsUnchanged(t *testing.T) {
	sums, err := page.ReadFile("page/uplot/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content, err := page.ReadFile("page/uplot/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := digest(content); got != sum {
			t.Errorf("%s has SHA-256 %s, recorded is %s", name, got, sum)
		}
		checked++
	}
	if checked != 3 {
		t.Errorf("%d files recorded, want 3", checked)
	}
}
