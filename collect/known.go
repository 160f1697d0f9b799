package collect

import (
	"sync"

	"github.com/wangkuiyi/orrery/collect/picture"
	"github.com/wangkuiyi/orrery/collect/set"
)

// minisKept is how many pictures' cells stay in memory (3 KiB each); those of older ones are read again when needed.
const minisKept = 4096

// known is every picture that a new one must differ from.
type known struct {
	mu     sync.Mutex
	bySHA  map[string]*seen // as stored and as downloaded
	seen   []*seen
	reload func(file string) *picture.Mini // nil when the file cannot be read
}

// seen is one picture, in the set or about to be.
type seen struct {
	class string
	file  string // path in the set, or the address when it is not there yet
	hash  picture.Hash
	mini  *picture.Mini
	plain bool // only its SHA-256 is known
}

func newKnown(reload func(string) *picture.Mini) *known {
	return &known{bySHA: map[string]*seen{}, reload: reload}
}

// addRecord takes in a picture of the manifest. Thrown-out ones count: they are not to come back.
func (k *known) addRecord(record set.Record) {
	hash, err := picture.ParseHash(record.DHash)
	one := &seen{class: record.Class, file: record.File, hash: hash, plain: err != nil || record.Removed || record.Trashed}
	for _, sum := range []string{record.SHA256, record.FetchedSHA} {
		if sum != "" {
			k.bySHA[sum] = one
		}
	}
	k.seen = append(k.seen, one)
}

// exact returns the picture with the same bytes, or nil.
func (k *known) exact(sum string) *seen {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bySHA[sum]
}

// claim adds a picture unless one with the same bytes or, when alike is set, a near duplicate is known; it returns that one.
func (k *known) claim(one *seen, sums []string, alike bool) (other *seen, exact bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, sum := range sums {
		if other := k.bySHA[sum]; other != nil {
			return other, true
		}
	}
	// A scan of all hashes: 20,000 of them take some 40 microseconds, and no index has to be kept.
	for _, other := range k.seen {
		if !alike || other.plain || other.hash.Distance(one.hash) > picture.NearDistance {
			continue
		}
		mini := other.mini
		if mini == nil {
			if mini = k.reload(other.file); mini == nil {
				continue
			}
		}
		if picture.Near(mini, one.mini) {
			return other, false
		}
	}
	for _, sum := range sums {
		k.bySHA[sum] = one
	}
	k.seen = append(k.seen, one)
	if n := len(k.seen) - minisKept; n >= 0 && k.seen[n].file != "" {
		k.seen[n].mini = nil
	}
	return nil, false
}

// stored notes where a claimed picture went.
func (k *known) stored(one *seen, file string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	one.file = file
}
