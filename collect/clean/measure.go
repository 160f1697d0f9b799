package clean

import (
	"bytes"
	"context"
	"image"
	"runtime"
	"slices"
	"sync"

	"github.com/wangkuiyi/orrery/collect/picture"
)

// Measure reads every picture that was not read before and notes size, sharpness and hash. report is called now and then
// with how many are done.
func (c *Catalogue) Measure(ctx context.Context, workers int, report func(done, all int)) error {
	c.recallMeasures()
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0))
	}
	c.mu.RLock()
	var todo []*Item
	for _, item := range c.items {
		if !item.measured {
			todo = append(todo, item)
		}
	}
	all := len(c.items)
	c.mu.RUnlock()
	next := make(chan *Item)
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for item := range next {
				c.measureItem(ctx, item)
				c.mu.RLock()
				done := c.measured
				c.mu.RUnlock()
				report(done, all)
			}
		})
	}
	for _, item := range todo {
		select {
		case next <- item:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(next)
	working.Wait()
	report(all, all)
	return ctx.Err()
}

// measureItem reads one picture, makes its thumbnail on the way, and remembers what it measured for the next time.
func (c *Catalogue) measureItem(ctx context.Context, item *Item) {
	c.mu.RLock()
	file := item.File
	c.mu.RUnlock()
	m := measures{Key: item.key}
	pixels, header, err := c.decode(ctx, file)
	if ctx.Err() != nil {
		return
	}
	m.Width, m.Height = header.Width, header.Height
	if err == nil {
		m.Width, m.Height = pixels.Bounds().Dx(), pixels.Bounds().Dy() // turned as its EXIF asks
		_, err = c.thumbs.make(item.key, pixels)
	}
	if err == nil {
		m.Sharpness, err = picture.Sharpness(pixels)
	}
	if err == nil {
		var mini *picture.Mini
		if mini, err = picture.NewMini(pixels); err == nil {
			m.Hash = mini.Hash().String()
		}
	}
	if err != nil {
		m.Bad = err.Error()
	}
	c.thumbs.remember(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(item, m)
}

func (c *Catalogue) note(item *Item, m measures) {
	if !item.measured {
		c.measured++
	}
	item.measured = true
	item.Width, item.Height, item.Sharpness, item.Bad, item.hash = m.Width, m.Height, m.Sharpness, m.Bad, m.Hash
}

// recallMeasures takes over what an earlier run measured.
func (c *Catalogue) recallMeasures() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, item := range c.items {
		if m, known := c.thumbs.measures(item.key); known && !item.measured {
			c.note(item, m)
		}
	}
}

// decode reads a picture of the set within the limit of pixels.
func (c *Catalogue) decode(ctx context.Context, name string) (image.Image, picture.Header, error) {
	data, err := c.set.Root().ReadFile(name)
	if err != nil {
		return nil, picture.Header{}, err
	}
	header, err := picture.ReadHeader(bytes.NewReader(data), 0)
	if err != nil {
		return nil, header, err
	}
	if err := c.thumbs.memory.Acquire(ctx, min(header.Cost(), thumbMemory)); err != nil {
		return nil, header, err
	}
	defer c.thumbs.memory.Release(min(header.Cost(), thumbMemory))
	pixels, err := picture.Decode(bytes.NewReader(data))
	return pixels, header, err
}

// findPairs finds near duplicates among the pictures measured so far. All pairs of hashes are looked at: 20,000 pictures make
// 200 million pairs, half a second. Pairs with near hashes are compared by their cells.
func (c *Catalogue) findPairs() {
	c.pairing.Lock()
	defer c.pairing.Unlock()
	c.mu.RLock()
	var items []Item
	var hashes []picture.Hash
	for _, item := range c.items {
		if hash, err := picture.ParseHash(item.hash); err == nil && item.File != "" {
			items, hashes = append(items, *item), append(hashes, hash)
		}
	}
	measured := c.measured
	c.mu.RUnlock()
	if measured == c.paired {
		return
	}
	minis := map[int]*picture.Mini{}
	mini := func(i int) *picture.Mini {
		if _, read := minis[i]; !read {
			minis[i] = c.mini(items[i])
		}
		return minis[i]
	}
	var pairs [][2]int
	for i := range items {
		for j := range i {
			if hashes[i].Distance(hashes[j]) > picture.NearDistance {
				continue
			}
			if a, b := mini(i), mini(j); a != nil && b != nil && picture.Near(a, b) {
				pairs = append(pairs, [2]int{items[j].ID, items[i].ID})
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paired, c.pairs = measured, pairs
}

// groups numbers, from 1, the sets of pictures that near duplicates join among those that lie in the trash, or outside it.
// The result is by picture number. The caller holds the lock.
func (c *Catalogue) groups(trash bool) map[int]int {
	first := map[int]int{}
	var root func(id int) int
	root = func(id int) int {
		if next, joined := first[id]; joined && next != id {
			first[id] = root(next)
			return first[id]
		}
		return id
	}
	here := func(id int) bool { return c.items[id].File != "" && c.items[id].Trashed == trash }
	var members []int
	for _, pair := range c.pairs {
		if here(pair[0]) && here(pair[1]) {
			a, b := root(pair[0]), root(pair[1])
			first[max(a, b)] = min(a, b)
			members = append(members, pair[0], pair[1])
		}
	}
	slices.Sort(members)
	numbers, groups := map[int]int{}, map[int]int{}
	for _, id := range members {
		r := root(id)
		if numbers[r] == 0 {
			numbers[r] = len(numbers) + 1
		}
		groups[id] = numbers[r]
	}
	return groups
}

// mini reads a picture's cells from its thumbnail, which holds as much as they do.
func (c *Catalogue) mini(item Item) *picture.Mini {
	data, err := c.thumbs.read(item.key)
	var pixels image.Image
	if err == nil {
		pixels, err = picture.Decode(bytes.NewReader(data))
	} else {
		pixels, _, err = c.decode(context.Background(), item.File)
	}
	if err != nil {
		return nil
	}
	mini, err := picture.NewMini(pixels)
	if err != nil {
		return nil
	}
	return mini
}
