package clean

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/collect/set"
)

func TestThumbnails(t *testing.T) {
	dir := newSet(t, 2, "earth")
	s, err := set.Open(dir, set.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := OpenCatalogue(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	item, _ := c.Item(0)
	first, err := c.Thumbnail(context.Background(), item)
	if err != nil {
		t.Fatal(err)
	}
	// Kept: the picture itself is no longer needed, and a move changes nothing.
	if _, err := c.Do(Step{Do: "move", IDs: []int{0}, To: "mars"}); err != nil {
		t.Fatal(err)
	}
	item, _ = c.Item(0)
	if err := os.Remove(filepath.Join(dir, item.File)); err != nil {
		t.Fatal(err)
	}
	again, err := c.Thumbnail(context.Background(), item)
	if err != nil || string(again) != string(first) {
		t.Errorf("the thumbnail was not kept: %v", err)
	}
	old := time.Now().Add(-keepFor - time.Hour)
	if err := os.Chtimes(c.thumbs.path(item.key), old, old); err != nil {
		t.Fatal(err)
	}
	c.thumbs.prune()
	if _, err := c.Thumbnail(context.Background(), item); err == nil {
		t.Error("a thumbnail that nobody looked at for long is still there")
	}
}
