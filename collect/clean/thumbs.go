package clean

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/disintegration/imaging"
	"golang.org/x/sync/semaphore"

	"github.com/wangkuiyi/orrery/collect/picture"
)

const (
	thumbSide   = 256      // longest side of a thumbnail, in pixels
	thumbMemory = 96 << 20 // bytes that pictures being decoded may take at once
)

// measures is what reading a picture in full told. It is kept from run to run under the content's key.
type measures struct {
	Key       string  `json:"key"`
	Width     int     `json:"width"`
	Height    int     `json:"height"`
	Sharpness float64 `json:"sharpness"`
	Hash      string  `json:"hash,omitempty"`
	Bad       string  `json:"bad,omitempty"`
}

// thumbs makes thumbnails and keeps them, with the measures, in the user's cache folder.
type thumbs struct {
	dir    string
	memory *semaphore.Weighted
	turns  chan struct{}

	mu    sync.Mutex
	known map[string]measures
	file  *os.File
}

func newThumbs() (*thumbs, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	t := &thumbs{dir: filepath.Join(cache, "orrery", "thumbnails"), memory: semaphore.NewWeighted(thumbMemory),
		turns: make(chan struct{}, runtime.GOMAXPROCS(0)), known: map[string]measures{}}
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(t.dir, "measures.jsonl")
	if data, err := os.ReadFile(name); err == nil {
		for line := range bytes.Lines(data) {
			var m measures
			if json.Unmarshal(line, &m) == nil && m.Key != "" {
				t.known[m.Key] = m
			}
		}
	}
	t.file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	return t, err
}

// keepFor is how long a thumbnail stays that nobody looks at.
const keepFor = 60 * 24 * time.Hour

// prune removes thumbnails not made or looked at for a long time.
func (t *thumbs) prune() {
	_ = filepath.WalkDir(t.dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".jpg" {
			return nil // what cannot be read is not worth a word
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > keepFor {
			os.Remove(name)
		}
		return nil
	})
}

func (t *thumbs) close() error { return t.file.Close() }

func (t *thumbs) measures(key string) (measures, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, known := t.known[key]
	return m, known
}

// remember keeps measures. Losing some only means measuring again.
func (t *thumbs) remember(m measures) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[m.Key] = m
	if line, err := json.Marshal(m); err == nil {
		_, _ = t.file.Write(append(line, '\n'))
	}
}

func (t *thumbs) path(key string) string { return filepath.Join(t.dir, key[:2], key+".jpg") }

// read returns a thumbnail made before and marks it as looked at.
func (t *thumbs) read(key string) ([]byte, error) {
	data, err := os.ReadFile(t.path(key))
	if info, statErr := os.Stat(t.path(key)); err == nil && statErr == nil && time.Since(info.ModTime()) > keepFor/4 {
		_ = os.Chtimes(t.path(key), time.Time{}, time.Now())
	}
	return data, err
}

// make renders a thumbnail and keeps it.
func (t *thumbs) make(key string, pixels image.Image) (encoded []byte, err error) {
	small, err := fit(pixels)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, small, &jpeg.Options{Quality: 82}); err != nil {
		return nil, err
	}
	name := t.path(key)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return out.Bytes(), nil // a full or read-only cache costs time, nothing else
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), "new-*")
	if err != nil {
		return out.Bytes(), nil
	}
	_, err = temporary.Write(out.Bytes())
	if closing := temporary.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		os.Remove(temporary.Name())
	}
	return out.Bytes(), nil
}

// fit scales a picture down to a thumbnail on white, for those with transparency.
func fit(pixels image.Image) (small image.Image, err error) {
	small, _, err = picture.Shrink(pixels, thumbSide)
	if err != nil {
		return nil, err
	}
	if opaque, can := small.(interface{ Opaque() bool }); can && opaque.Opaque() {
		return small, nil
	}
	ground := imaging.New(small.Bounds().Dx(), small.Bounds().Dy(), color.White)
	return imaging.Overlay(ground, small, image.Point{}, 1), nil
}

// Thumbnail returns a small JPEG of a picture.
func (c *Catalogue) Thumbnail(ctx context.Context, item Item) ([]byte, error) {
	if data, err := c.thumbs.read(item.key); err == nil {
		return data, nil
	}
	select {
	case c.thumbs.turns <- struct{}{}:
		defer func() { <-c.thumbs.turns }()
	case <-ctx.Done(): // the page has scrolled on
		return nil, ctx.Err()
	}
	pixels, _, err := c.decode(ctx, item.File)
	if err != nil {
		return nil, err
	}
	return c.thumbs.make(item.key, pixels)
}
