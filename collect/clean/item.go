package clean

import (
	"hash/fnv"
	"io"
	"math"
	"strings"

	"github.com/wangkuiyi/orrery/collect/set"
)

// Item is one picture as the page and the list show it.
type Item struct {
	ID          int     `json:"id"` // stays the same while the catalogue is open
	File        string  `json:"file"`
	Class       string  `json:"class"`
	Trashed     bool    `json:"trashed,omitempty"`
	Bytes       int64   `json:"bytes"`
	Width       int     `json:"width,omitempty"` // 0 until measured
	Height      int     `json:"height,omitempty"`
	Sharpness   float64 `json:"sharpness,omitempty"` // see picture.Sharpness
	Group       int     `json:"group,omitempty"`     // pictures of one group are near duplicates; 0 for those that have none
	Bad         string  `json:"bad,omitempty"`       // why it cannot be read
	Title       string  `json:"title,omitempty"`
	Author      string  `json:"author,omitempty"`
	Source      string  `json:"source,omitempty"`
	License     string  `json:"license,omitempty"`
	LicenseURL  string  `json:"license_url,omitempty"`
	Page        string  `json:"page,omitempty"`
	Predicted   string  `json:"predicted,omitempty"`
	Probability float64 `json:"probability,omitempty"` // of the class predicted
	Loss        float64 `json:"loss,omitempty"`        // cross entropy of the class it is in, in nats

	key      string // changes with the content, stays when the file moves
	measured bool
	hash     string

	classes       []string  // of probabilities
	probabilities []float32 // nil: the network has not seen it
	lost          bool      // Loss is known
}

// pixels is the area, for sorting.
func (i *Item) pixels() int { return i.Width * i.Height }

// oddness is how far the shape is from a square: 0 for a square, the same for 2:1 and 1:2.
func (i *Item) oddness() float64 {
	if i.Width == 0 || i.Height == 0 {
		return 0
	}
	return math.Abs(math.Log(float64(i.Width) / float64(i.Height)))
}

// name returns the path within the set, of a trashed picture the one it had.
func (i *Item) name() string { return strings.TrimPrefix(i.File, set.TrashDir+"/") }

// place notes where the file lies.
func (i *Item) place(file string) {
	i.File, i.Class = file, set.ClassOf(file)
	i.Trashed = strings.HasPrefix(file, set.TrashDir+"/")
	i.lose()
}

// contentKey names a picture's content by its first bytes, its length and its time, which moving it leaves alone.
func contentKey(s *set.Set, p set.Picture) (string, error) {
	file, err := s.Root().Open(p.File)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := fnv.New128a()
	if _, err := io.CopyN(sum, file, 4096); err != nil && err != io.EOF {
		return "", err
	}
	for _, n := range []int64{p.Bytes, p.ModTime} {
		for shift := 0; shift < 64; shift += 8 {
			sum.Write([]byte{byte(n >> shift)})
		}
	}
	const digits = "0123456789abcdef"
	var key strings.Builder
	for _, b := range sum.Sum(nil) {
		key.WriteByte(digits[b>>4])
		key.WriteByte(digits[b&15])
	}
	return key.String(), nil
}
