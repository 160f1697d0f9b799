package main

import (
	"os"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }

func TestSteps(t *testing.T) {
	if err := torch.Try(func() { run(18, 2, 64, 1, "cpu") }); err != nil {
		t.Error(err)
	}
	if err := torch.Try(func() { run(18, 2, 64, 1, "abacus") }); err == nil {
		t.Error("a device that does not exist was accepted")
	}
}
