package augment

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
)

const shardPictures = 23

// shardBatches reads an epoch of every shard and checks that each step's parts make up the whole batch,
// pixel by pixel, without loss or repeat.
func shardBatches(t *testing.T, shards, batchSize int, train bool) {
	t.Helper()
	whole := newLoader(t, newNoise(shardPictures), shardPictures, LoaderOptions{BatchSize: batchSize, Train: train, Seed: 7})
	var parts []*Iterator
	for s := range shards {
		l := newLoader(t, newNoise(shardPictures), shardPictures, LoaderOptions{BatchSize: batchSize, Train: train, Seed: 7, Shard: s, Shards: shards})
		parts = append(parts, l.Epoch(context.Background(), 3))
	}
	it := whole.Epoch(context.Background(), 3)
	for {
		want, err := it.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var indices []int
		var pixels []float32
		for _, part := range parts {
			b, err := part.Next()
			if err != nil {
				t.Fatal(err)
			}
			indices, pixels = append(indices, b.Indices...), append(pixels, b.Images...)
			b.Release()
		}
		if !slices.Equal(indices, want.Indices) || !slices.Equal(pixels, want.Images) {
			t.Errorf("%d shards have the pictures %v, the whole batch %v", shards, indices, want.Indices)
		}
		want.Release()
	}
	for s, part := range parts {
		if _, err := part.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("shard %d of %d goes on after the last batch: %v", s, shards, err)
		}
	}
}

func TestShardsMakeUpTheBatch(t *testing.T) {
	for _, shards := range []int{1, 2, 3, 5} {
		shardBatches(t, shards, 6, true)
		shardBatches(t, shards, 6, false) // the last batch has fewer pictures than some have shards
	}
}

// TestShardsDropTheUnreadable: a part misses it, the parts stay in step, and all leave it out of the next epoch.
func TestShardsDropTheUnreadable(t *testing.T) {
	const shards = 2
	bad := 5
	var loaders []*Loader
	for s := range shards {
		source := newNoise(shardPictures)
		source.bad[bad] = true
		loaders = append(loaders, newLoader(t, source, shardPictures, LoaderOptions{BatchSize: 4, Seed: 7, Shard: s, Shards: shards}))
	}
	seen := func(epoch int) (indices []int, batches int) {
		for _, l := range loaders {
			it := l.Epoch(context.Background(), epoch)
			for {
				b, err := it.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				indices = append(indices, b.Indices...)
				batches++
				b.Release()
			}
		}
		slices.Sort(indices)
		return indices, batches
	}
	want, _ := upTo(shardPictures)
	want = slices.Delete(want, bad, bad+1)
	for epoch := range 2 {
		got, batches := seen(epoch)
		if !slices.Equal(got, want) || batches != 2*((shardPictures+3-epoch)/4) {
			t.Errorf("epoch %d: %d batches of the pictures %v, want all but %d once", epoch, batches, got, bad)
		}
		found := slices.Concat(loaders[0].Found(), loaders[1].Found())
		if epoch == 0 && !slices.Equal(found, []int{bad}) || epoch == 1 && len(found) > 0 {
			t.Errorf("epoch %d: found %v", epoch, found)
		}
		for _, l := range loaders {
			l.SetUnreadable(found)
		}
	}
}
