package main

import "testing"

// The generated files in the repository are those the sources make now.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	if err := run("../..", true); err != nil {
		t.Fatal(err)
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
