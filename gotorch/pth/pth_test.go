package pth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/leaktest"
	"github.com/wangkuiyi/gotorch/pth"
	"github.com/wangkuiyi/gotorch/safetensors"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }

// The files come from torch.save: scripts/golden/gotorch_pth.py.
func TestReadsWhatTorchSaveWrote(t *testing.T) {
	for name, golden := range map[string]string{
		"state.pth": "state.pth", "checkpoint.pth": "checkpoint.pth", "protocol4.pth": "checkpoint.pth", "legacy.pth": "checkpoint.pth",
	} {
		t.Run(name, func(t *testing.T) {
			s := torch.NewScope()
			defer s.Close()
			want, err := safetensors.Load(filepath.Join("../testdata", golden+".safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := pth.Load(filepath.Join("../testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			for k, w := range want {
				if g := got[k]; !g.Defined() || g.Dtype() != w.Dtype() || !torch.Equal(g, w) {
					t.Errorf("%s is %v, want %v", k, g, w)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d tensors, want %d", len(got), len(want))
			}
		})
	}
}

func TestRunsNoCode(t *testing.T) {
	_, err := pth.Load("../testdata/evil.pth")
	if err == nil || !strings.Contains(err.Error(), "system") {
		t.Errorf("a file that calls os.system gave %v", err)
	}
	if _, err := os.Stat("EXECUTED"); err == nil {
		t.Error("the file's code was run")
	}
}

func TestCutFilesAreRefused(t *testing.T) {
	s := torch.NewScope()
	defer s.Close()
	for _, name := range []string{"checkpoint.pth", "legacy.pth"} {
		b, err := os.ReadFile(filepath.Join("../testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(b)-1; n += 61 {
			if _, err := pth.Decode(b[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes were accepted", name, n, len(b))
			}
		}
	}
}

// FuzzDecode feeds changed files: they give tensors or an error.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"state.pth", "legacy.pth", "evil.pth", "protocol4.pth"} {
		b, err := os.ReadFile(filepath.Join("../testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := torch.NewScope()
		defer s.Close()
		tensors, err := pth.Decode(b)
		if err == nil && len(tensors) == 0 {
			t.Error("no tensors and no error")
		}
	})
}
