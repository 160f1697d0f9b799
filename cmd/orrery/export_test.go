package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/wangkuiyi/orrery/export"
)

func TestExport(t *testing.T) {
	set, dir := photos(t, 20, "blue", "green", "red"), t.TempDir()
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "2", "-o", "run"))
	for format, file := range map[string]string{"onnx": "run/export/model.onnx", "torchscript": "run/export/model.pt", "safetensors": "run/export/safetensors/model.safetensors"} {
		r := decode[export.Result](t, mustSucceed(t, orrery(t, dir, "export", "run", "--format", format, "--json")).stdout)
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if r.Format != format || r.Images != 60 || !(r.MaxDifference <= export.Tolerance) || r.Bytes < info.Size() || info.Size() < 1e6 {
			t.Errorf("%s: %+v, a file of %d bytes", format, r, info.Size())
		}
	}
	r := decode[export.Result](t, mustSucceed(t, orrery(t, dir, "export", "run", "--preprocess", "--json")).stdout)
	if _, err := os.Stat(filepath.Join(dir, "run/export/model-preprocess.onnx")); err != nil || !r.Preprocess || r.Images != 60 || !(r.MaxDifference <= export.PreprocessTolerance) {
		t.Errorf("with the preprocessing inside: %+v, %v", r, err)
	}
	var config export.Description
	text, err := os.ReadFile(filepath.Join(dir, "run/export/safetensors/config.json"))
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil || len(config.Classes) != 3 || config.Classes[2] != "red" || config.Model != "cnn8" || len(config.Preprocessing) != 2 {
		t.Errorf("config.json: %+v, %v", config, err)
	}
	o := mustSucceed(t, orrery(t, dir, "export", "run", "-o", "elsewhere/m.onnx", "--pictures", filepath.Join(set, "red", "000.png"), "--check", "1"))
	if _, err := os.Stat(filepath.Join(dir, "elsewhere/m.onnx")); err != nil {
		t.Errorf("%v after\n%s", err, o.stdout)
	}
	fails(t, orrery(t, dir, "export", "run", "--format", "keras"), exitUsage, "keras", "onnx, torchscript, safetensors")
	fails(t, orrery(t, dir, "export", "run", "--preprocess", "--format", "torchscript"), exitUsage, "--format onnx")
	fails(t, orrery(t, dir, "export", "run", "--check", "0"), exitUsage, "check is 0")
	fails(t, orrery(t, dir, "export", "run", "--pictures", "nowhere"), exitFailed, "nowhere", "--pictures")
	fails(t, orrery(t, dir, "export", "nowhere"), exitFailed, "nowhere is not a finished run")
	fails(t, orrery(t, dir, "export"), exitUsage, "RUN")
}
