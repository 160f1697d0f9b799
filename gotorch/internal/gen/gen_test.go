package main

import (
	"strings"
	"testing"
)

// The generated files in the repository are those the sources make now.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	if err := run("../..", true); err != nil {
		t.Fatal(err)
	}
}

// go doc says of each operation what it does, beginning with its name, and when it panics.
func TestEveryOperationIsDocumented(t *testing.T) {
	ops, err := ParseOps("../../native/ops.def")
	if err != nil {
		t.Fatal(err)
	}
	exported := 0
	for _, o := range ops {
		if o.Name[0] >= 'a' {
			continue
		}
		exported++
		if len(o.Doc) == 0 || !strings.HasPrefix(o.Doc[0], "// "+o.Name+" ") {
			t.Errorf("line %d: the documentation of %s must begin with its name", o.Line, o.Name)
		}
		if !strings.Contains(o.Note, "It panics ") {
			t.Errorf("line %d: the documentation of %s does not say when it panics", o.Line, o.Name)
		}
	}
	if exported < 300 {
		t.Errorf("found %d operations", exported)
	}
}

func TestWrap(t *testing.T) {
	got := strings.Join(wrap("  one two three  four", 9), "|")
	if want := "one two|three|four"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if wrap("", 9) != nil {
		t.Error("no text has no lines")
	}
}

func TestSnake(t *testing.T) {
	for in, want := range map[string]string{
		"MaxPool2d": "max_pool2d", "MM": "mm", "OneHot": "one_hot", "AddI": "add_i", "BMM": "bmm",
		"KLDiv": "kl_div", "IsNaN": "is_na_n", "LPPool2d": "lp_pool2d",
	} {
		if got := snake(in); got != want {
			t.Errorf("snake(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParametersShareTheNextType(t *testing.T) {
	ps, err := params("a, b Tensor, dim int64")
	if err != nil || len(ps) != 3 || ps[0].Type != "Tensor" || ps[1].Type != "Tensor" || ps[2].Type != "int64" {
		t.Fatalf("got %v, %v", ps, err)
	}
	for _, bad := range []string{"a", "a Tensr", "a b c"} {
		if _, err := params(bad); err == nil {
			t.Errorf("params(%q) must fail", bad)
		}
	}
}
