package main

import (
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/trainer"
)

func TestRecipes(t *testing.T) {
	dir := t.TempDir()
	list := decode[[]trainer.Shipped](t, mustSucceed(t, orrery(t, dir, "recipes", "--json")).stdout)
	names := map[string]bool{}
	for _, r := range list {
		names[r.Name] = true
		if r.About == "" || !strings.Contains(r.Command, "orrery train") || !strings.Contains(r.Command, "--recipe "+r.Name) || r.Measured == "" {
			t.Errorf("%s lacks its description, command or measurement: %+v", r.Name, r)
		}
		if printed := mustSucceed(t, orrery(t, dir, "recipes", r.Name)).stdout; printed != r.YAML {
			t.Errorf("recipes %s prints:\n%s", r.Name, printed)
		}
		// Every recipe that ships can be trained, and is in force when it is named.
		args := []string{"train", "pictures", "--recipe", r.Name, "--print-recipe"}
		printed := mustSucceed(t, orrery(t, dir, args...)).stdout
		for _, line := range strings.Split(r.YAML, "\n") {
			if line != "" && !strings.HasPrefix(line, "#") && !strings.Contains(printed, line+"\n") {
				t.Errorf("train --recipe %s --print-recipe lacks %q", r.Name, line)
			}
		}
	}
	for _, name := range []string{"article", "scratch", "transfer", "cifar", "cifar10-speed", "imagenet"} {
		if !names[name] {
			t.Errorf("no recipe %s ships", name)
		}
	}
	table := mustSucceed(t, orrery(t, dir, "recipes")).stdout
	if !strings.Contains(table, "transfer") || !strings.Contains(table, "MEASURED") && !strings.Contains(table, "measured") {
		t.Errorf("the table:\n%s", table)
	}
	fails(t, orrery(t, dir, "recipes", "transferr"), exitUsage, "transferr")
	fails(t, orrery(t, dir, "train", "pictures", "--recipe", "transferr"), exitUsage, "transferr", "transfer")
}

// TestContradictions gives recipes and flags that contradict themselves: each is refused with one line.
func TestContradictions(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ args, words string }{
		{"--fine-tune 3 --epochs 5", "--fine-tune --epochs"},
		{"--fine-tune 3 --schedule cosine", "--fine-tune --schedule"},
		{"--schedule fine-tune", "freeze-epochs"},
		{"--schedule fine-tune --freeze-epochs 5", "freeze-epochs 5"},
		{"--loss focal --label-smoothing 0.1", "label-smoothing focal"},
		{"--schedule one-cycle --warmup-epochs 1", "warmup-epochs one-cycle"},
		{"--schedule cosine --warmup-epochs 5", "warmup-epochs 5"},
		{"--mixup 0.4 --cutmix 1", "mixup cutmix"},
		{"--size 64 --item-size 32", "item-size size"},
		{"--start-size 300", "start-size"},
		{"--model resnet18 --width 2", "width"},
		{"--model resnet18 --depth 5", "depth"},
		{"--model resnet18 --activation gelu", "activation"},
		{"--interpolation bicubic --pixels fast", "bicubic exact"},
		{"--interpolation nearest", "nearest bilinear"},
		{"--tta 101", "tta 101"},
		{"--tta 4 --tta-views mirror-shift", "tta 4 mirror-shift 6"},
		{"--tta-views mirrored", "tta-views mirrored mirror-shift"},
		{"--optimizer adamm", "adamm"},
		{"--optimizer muon-sgd --model resnet18", "muon-sgd speednet resnet18"},
		{"--schedule cosinus", "cosinus cosine"},
	} {
		o := orrery(t, dir, append([]string{"train", "pictures", "--print-recipe"}, strings.Fields(c.args)...)...)
		fails(t, o, exitUsage, strings.Fields(c.words)...)
		if lines := strings.Count(strings.TrimSpace(o.stderr), "\n"); lines > 0 || o.stdout != "" {
			t.Errorf("%s: more than a line:\n%s%s", c.args, o.stderr, o.stdout)
		}
	}
}
