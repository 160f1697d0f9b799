package data

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

func cacheSet(t testing.TB, n int) *Dataset {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("%c/%03d.jpg", 'a'+i%2, i)] = "@jpeg-exif-6"
	}
	d, err := Open(context.Background(), tree(t, files), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestCacheDecodesOnce(t *testing.T) {
	d := cacheSet(t, 40)
	c := NewCache(d, 1<<30)
	want, err := d.Picture(0)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := range d.Samples {
				p, err := c.Picture(i)
				if err != nil {
					t.Error(err)
					return
				}
				if p.Width != want.Width || p.Height != want.Height || string(p.Pix) != string(want.Pix) {
					t.Errorf("picture %d differs", i)
				}
				_ = p.Pix[: len(p.Pix)+Padding : cap(p.Pix)]
			}
		})
	}
	wg.Wait()
	if s := c.Stats(); s.Misses != 40 || s.Hits != 15*40 {
		t.Errorf("%+v", s)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if p, err := c.Picture(0); err != nil || string(p.Pix) != string(want.Pix) {
		t.Errorf("after Close: %v, %v", p, err)
	}
}

func TestCacheKeepsItsBudget(t *testing.T) {
	d := cacheSet(t, 40)
	one := int64(bytesOf(d.Headers[0].Width, d.Headers[0].Height))
	c := NewCache(d, 10*one+one/2)
	defer c.Close()
	for range 3 {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				scratch := &Picture{}
				for k := range d.Samples {
					i := (k + 5*w) % len(d.Samples)
					if _, err := c.Borrow(i, scratch); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	s := c.Stats()
	if s.Used != 10*one {
		t.Errorf("%d bytes used of %d, want %d", s.Used, s.Budget, 10*one)
	}
	if want := int64(10 + 3*8*30); s.Misses != want {
		t.Errorf("%d decodes, want %d", s.Misses, want)
	}
	none := NewCache(d, -1)
	if _, err := none.Picture(3); err != nil || none.Stats().Used != 0 {
		t.Errorf("a cache of nothing: %v, %+v", err, none.Stats())
	}
	if _, err := none.Picture(40); err == nil {
		t.Error("picture 40 of 40 is no error")
	}
}

func TestAvailableMemory(t *testing.T) {
	if m := AvailableMemory(); m < 1<<20 || m > 1<<50 {
		t.Errorf("%d bytes", m)
	}
}
