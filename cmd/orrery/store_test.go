package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/data"
)

// TestTrainWithStore: whatever keeps the decoded pictures, the weights are the same; a second run finds what
// the first one stored.
func TestTrainWithStore(t *testing.T) {
	set, dir := photos(t, 20, "blue", "red"), t.TempDir()
	for _, pixels := range []string{"exact", "fast"} {
		store := "store-" + pixels
		var models [][]byte
		for i, flags := range [][]string{{"--store", store}, {"--store", store}, {"--store", "off"}} {
			run := filepath.Join(dir, pixels, "run"+string(rune('0'+i)))
			o := mustSucceed(t, trainSmall(t, dir, append([]string{set, "--epochs", "2", "--pixels", pixels, "-o", run}, flags...)...))
			if announced := strings.Contains(o.stderr, "decoded pictures will be stored"); announced != (i == 0) {
				t.Errorf("%s, run %d announced the store: %v\n%s", pixels, i, announced, o.stderr)
			}
			model, err := os.ReadFile(filepath.Join(run, "model.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			models = append(models, model)
		}
		if !bytes.Equal(models[0], models[1]) || !bytes.Equal(models[0], models[2]) {
			t.Errorf("%s: the weights depend on what keeps the pictures", pixels)
		}
		stores := decode[[]data.StoreSummary](t, mustSucceed(t, orrery(t, dir, "data", "store", "--dir", store, "--json")).stdout)
		if len(stores) != 1 || stores[0].Pictures != 40 || stores[0].Source != set || stores[0].InUse {
			t.Errorf("%s: stores %+v", pixels, stores)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	fails(t, trainSmall(t, dir, set, "--store", file), exitFailed, "--store")
}
