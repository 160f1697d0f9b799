package data

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func digest(indices []int) string {
	s := make([]string, len(indices))
	for i, v := range indices {
		s[i] = strconv.Itoa(v)
	}
	h := sha256.Sum256([]byte(strings.Join(s, ",")))
	return hex.EncodeToString(h[:])
}

// The golden comes from scripts/golden/data_split.py.
func TestSplitEqualsPyTorchAndFastai(t *testing.T) {
	b, err := os.ReadFile("testdata/split.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			N      int
			Seed   int64
			First  []int
			SHA256 string
			Splits []struct {
				ValidPct    float64 `json:"valid_pct"`
				Train       int
				Valid       int
				TrainSHA256 string `json:"train_sha256"`
				ValidSHA256 string `json:"valid_sha256"`
			}
		}
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) < 60 {
		t.Fatalf("only %d cases", len(golden.Cases))
	}
	for _, c := range golden.Cases {
		p := Randperm(c.N, c.Seed)
		if diff := cmp.Diff(c.First, p[:len(c.First)]); diff != "" || digest(p) != c.SHA256 {
			t.Errorf("Randperm(%d, %d) differs (-PyTorch +ours):\n%s", c.N, c.Seed, diff)
		}
		for _, s := range c.Splits {
			train, valid := RandomSplit(c.N, s.ValidPct, c.Seed)
			if len(train) != s.Train || len(valid) != s.Valid || digest(train) != s.TrainSHA256 || digest(valid) != s.ValidSHA256 {
				t.Errorf("RandomSplit(%d, %v, %d) = %d and %d indices, fastai's has %d and %d or another order",
					c.N, s.ValidPct, c.Seed, len(train), len(valid), s.Train, s.Valid)
			}
		}
	}
}

func TestRandomSplitPartitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 500).Draw(t, "n")
		train, valid := RandomSplit(n, rapid.Float64Range(-1, 2).Draw(t, "pct"), rapid.Int64().Draw(t, "seed"))
		all := slices.Sorted(slices.Values(append(slices.Clone(train), valid...)))
		for i, v := range all {
			if v != i {
				t.Fatalf("index %d of the union is %d", i, v)
			}
		}
		if len(all) != n {
			t.Fatalf("%d of %d indices", len(all), n)
		}
	})
}

func TestSplitOfSmallSets(t *testing.T) {
	four := &Dataset{Source: "pets", Samples: make([]Sample, 4)}
	for _, pct := range []float64{0, 1, -0.1, 1.5} {
		if _, _, err := four.Split(pct, 42); err == nil || !strings.Contains(err.Error(), "valid-pct") {
			t.Errorf("valid-pct %v: error %v", pct, err)
		}
	}
	if _, _, err := four.Split(0.2, 42); err == nil || !strings.Contains(err.Error(), "pets: the split leaves 4") {
		t.Errorf("an empty validation split gives %v", err)
	}
	train, valid, err := four.Split(0.25, 42)
	if err != nil || len(train) != 3 || len(valid) != 1 {
		t.Errorf("a quarter of four: %v, %v, %v", train, valid, err)
	}
	four.Train, four.Valid = []int{0, 1}, []int{2, 3}
	train, valid, err = four.Split(0.25, 42)
	if err != nil || !slices.Equal(train, four.Train) || !slices.Equal(valid, four.Valid) {
		t.Errorf("a set with its own split: %v, %v, %v", train, valid, err)
	}
}

func TestSplitFile(t *testing.T) {
	d := &Dataset{Source: "pets", Samples: []Sample{{"cat/a, b.jpg", 0}, {"cat/c.jpg", 0}, {"dog/d.jpg", 1}},
		Skipped: []Skipped{{"dog/bad.jpg", "empty"}}}
	for _, c := range []struct{ text, train, valid, err string }{
		{"path,split\ncat/a, b.jpg,train\n\n# so\ndog/d.jpg,valid\ndog/bad.jpg,train\n", "[0]", "[2]", ""},
		{"\uFEFFcat/c.jpg,Training\r\ncat/a, b.jpg,val\r\n", "[1]", "[0]", ""},
		{"cat/c.jpg", "", "", "line 1"},
		{"cat/c.jpg,train\ncat/x.jpg,valid", "", "", "line 2: cat/x.jpg is not in pets"},
		{"cat/c.jpg,train\ncat/c.jpg,valid", "", "", "line 2: cat/c.jpg was named in line 1"},
		{"cat/c.jpg,perhaps", "", "", `is "perhaps"`},
		{"cat/c.jpg,train", "", "", "0 to validate on"},
	} {
		name := filepath.Join(t.TempDir(), "split.csv")
		if err := os.WriteFile(name, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		train, valid, err := d.SplitFile(name)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), name) {
				t.Errorf("%q: error %v, want one with %q", c.text, err, c.err)
			}
			continue
		}
		if err != nil || cmp.Diff(c.train, sprint(train)) != "" || cmp.Diff(c.valid, sprint(valid)) != "" {
			t.Errorf("%q: %v, %v, %v; want %s, %s", c.text, train, valid, err, c.train, c.valid)
		}
	}
}

func sprint(v []int) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func FuzzSplitFile(f *testing.F) {
	f.Add("path,split\na/b,train\na/c,valid")
	f.Fuzz(func(t *testing.T, text string) {
		d := &Dataset{Samples: []Sample{{"a/b", 0}, {"a/c", 0}}}
		train, valid, err := d.readSplit(strings.NewReader(text))
		if err == nil && (len(train) == 0 || len(valid) == 0 || len(train)+len(valid) > 2) {
			t.Errorf("%q: %v, %v", text, train, valid)
		}
	})
}
