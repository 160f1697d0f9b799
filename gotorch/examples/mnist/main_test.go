package main

import (
	"os"
	"runtime"
	"testing"
	"time"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/leaktest"
)

func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }

// A fifth of one epoch is enough to see that it learns; ORRERY_LONG=1 trains the three epochs to 0.90, on
// all cores, and says how long that took.
func TestLearnsFashionMNIST(t *testing.T) {
	epochs, pictures, want := 1, 12_800, 0.78
	if os.Getenv("ORRERY_LONG") != "" {
		epochs, pictures, want = 3, 60_000, 0.90
		torch.SetNumThreads(int32(runtime.NumCPU()))
		defer torch.SetNumThreads(1)
	}
	start := time.Now()
	got, err := run("", epochs, 128, 0.003, pictures)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("accuracy %.4f after %d epochs of %d pictures in %.1f s", got, epochs, pictures, time.Since(start).Seconds())
	if got < want {
		t.Errorf("accuracy %.4f, want %.2f", got, want)
	}
}

func TestSaysWhereTheDataComesFrom(t *testing.T) {
	if _, err := run(t.TempDir(), 1, 128, 0.003, 128); err == nil {
		t.Error("a folder without the data was accepted")
	} else {
		t.Log(err)
	}
}
