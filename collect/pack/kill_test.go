package pack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wangkuiyi/orrery/collect/collecttest"
)

func TestMain(m *testing.M) {
	collecttest.Child(map[string]func([]string){"unpack": func(arguments []string) {
		if _, err := Unpack(context.Background(), arguments[0], arguments[1], UnpackOptions{}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}})
	os.Exit(m.Run())
}

// TestKilled kills unpacking again and again. The set is there in full or not at all, and the next run clears what the last one left.
func TestKilled(t *testing.T) {
	dir := collected(t, 60, "earth", "mars")
	archive := filepath.Join(t.TempDir(), "a.zip")
	if _, err := Pack(context.Background(), dir, archive, Options{}); err != nil {
		t.Fatal(err)
	}
	want := files(t, dir)
	parent := t.TempDir()
	target := filepath.Join(parent, "set")
	begun := time.Now()
	if _, err := Unpack(context.Background(), archive, filepath.Join(t.TempDir(), "whole"), UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	killed, through := 0, 0
	for killed < collecttest.Kills(8) {
		if collecttest.Kill(t, took, "unpack", archive, target) {
			killed++
		} else {
			through++
		}
		if _, err := os.Stat(target); err == nil {
			if diff := cmp.Diff(want, files(t, target)); diff != "" {
				t.Fatalf("half a set: %s", diff)
			}
			if err := os.RemoveAll(target); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("killed %d times at work, %d times too late; unpacking takes %v", killed, through, took)
	if _, err := Unpack(context.Background(), archive, target, UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(parent)
	if len(entries) != 1 {
		t.Errorf("beside the set: %v", entries)
	}
}
