package data

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeep(t *testing.T) {
	d := openSet(t, storeSet(t, 4))
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	kind := func(store string) string {
		p, err := Keep(d, store, nil)
		if err != nil {
			return err.Error()
		}
		defer p.Close()
		if _, err := p.Borrow(1, &Picture{}); err != nil {
			t.Error(err)
		}
		if _, ok := p.(*Store); ok {
			return "store"
		}
		return "cache"
	}
	if k := kind(StoreOff); k != "cache" {
		t.Errorf("off gives %s", k)
	}
	if k := kind(t.TempDir()); k != "store" {
		t.Errorf("a folder gives %s", k)
	}
	if k := kind(""); k != "store" {
		t.Errorf("the default gives %s", k)
	}
	if k := kind(file); !strings.Contains(k, "name another folder with --store") {
		t.Errorf("a file gives %s", k)
	}
	t.Setenv("XDG_CACHE_HOME", file)
	if k := kind(""); k != "cache" {
		t.Errorf("a user's cache that is a file gives %s", k)
	}
}

func TestPlanetsCancelled(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if d, err := Open(ctx, "planets", Options{}); err == nil || !strings.Contains(err.Error(), "planets") {
		t.Errorf("%v, %v", d, err)
	}
}

// TestKeepRaw: a source of raw pixels is neither stored nor copied into memory.
func TestKeepRaw(t *testing.T) {
	d := mustOpen(t, cifarSet(t))
	p, err := Keep(d, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, ok := p.(*Cache)
	if !ok {
		t.Fatalf("a source of raw pixels is kept by %T", p)
	}
	if _, err := c.Picture(0); err != nil || c.Stats().Used != 0 {
		t.Errorf("%v, %d bytes are kept", err, c.Stats().Used)
	}
}
