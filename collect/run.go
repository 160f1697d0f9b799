package collect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/wangkuiyi/orrery/collect/fetch"
	"github.com/wangkuiyi/orrery/collect/picture"
	"github.com/wangkuiyi/orrery/collect/set"
	"github.com/wangkuiyi/orrery/collect/source"
)

// Reasons for dropping a candidate that fetch does not know. They are the keys of ClassSummary.Dropped.
const (
	Duplicate     = "duplicate"      // the same bytes as a picture of the set
	NearDuplicate = "near_duplicate" // the same picture but for scale and compression
	TooSmall      = "too_small"      // shorter than MinSide
	TooManyPixels = "too_many_pixels"
	ThrownOut     = "trashed" // collected once and thrown out while cleaning
	RemovedByHand = "removed" // collected once and deleted
)

// decodeMemory is what pictures being decoded may take at once, in bytes. A single larger one is decoded alone.
const decodeMemory = 64 << 20

// run is one call of Run.
type run struct {
	options Options
	set     *set.Set
	client  *fetch.Client
	known   *known
	memory  *semaphore.Weighted
	commits chan commit
	cancel  context.CancelCauseFunc
	temps   atomic.Int64
	bytes   atomic.Int64

	mu       sync.Mutex
	urls     map[string]string // class that has or had an address, by address
	sources  map[string]SourceSummary
	progress map[string]*Progress
	added    map[string]int
	showing  sync.Mutex
}

// Run collects. It returns a summary of the whole set even when it ends early; the error then says why.
func Run(ctx context.Context, o Options) (*Summary, error) {
	begun := time.Now()
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	lists, err := o.prepare()
	if err != nil {
		return nil, err
	}
	fetching, err := o.fetchOptions()
	if err != nil {
		return nil, err
	}
	pictures, err := set.Open(o.Into, set.Options{Create: true})
	if err != nil {
		return nil, err
	}
	defer pictures.Close()
	client := fetch.New(fetching)
	defer client.Close()

	r := &run{options: o, set: pictures, client: client, memory: semaphore.NewWeighted(decodeMemory), commits: make(chan commit),
		urls: map[string]string{}, sources: map[string]SourceSummary{}, progress: map[string]*Progress{}, added: map[string]int{}}
	r.known = newKnown(r.reload)
	if err := r.recall(); err != nil {
		return nil, err
	}
	sources := o.makeSources(client, lists)
	for _, s := range sources {
		r.sources[s.Name()] = SourceSummary{}
	}
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	err = r.collect(ctx, sources)
	summary := r.summary(time.Since(begun))
	if closing := pictures.Flush(); err == nil {
		err = closing
	}
	if err == nil && len(r.added) == 0 && summary.total() == 0 {
		err = r.nothing()
	}
	return summary, err
}

// nothing explains an empty set when sources failed.
func (r *run) nothing() error {
	for _, s := range r.sources {
		if s.Error != "" {
			return fmt.Errorf("no picture collected: %s", s.Error)
		}
	}
	return nil
}

// fail ends the run because of an error that no other candidate would escape, such as a full disk.
func (r *run) fail(err error) { r.cancel(err) }

// recall takes in what the set already knows, so that a repeated run goes on where the last one stopped.
func (r *run) recall() error {
	recorded := map[string]bool{}
	for _, record := range r.set.Records() {
		r.known.addRecord(record)
		r.urls[record.URL] = record.Class
		recorded[record.File] = true
	}
	files, err := r.set.Scan()
	if err != nil {
		return err
	}
	for _, file := range files { // pictures someone put there by hand
		if recorded[file.File] {
			continue
		}
		sum, mini, err := r.read(file.File)
		if err != nil {
			continue
		}
		r.known.claim(&seen{class: set.ClassOf(file.File), file: file.File, hash: mini.Hash(), mini: mini}, []string{sum}, false)
	}
	for _, class := range r.options.Classes {
		for _, drop := range r.set.Drops(class) {
			if _, kept := r.urls[drop.URL]; !kept && !drop.Transient {
				r.urls[drop.URL] = class
			}
		}
		tally := r.tally(class)
		r.progress[class] = &Progress{Class: class, Wanted: r.options.Max, Kept: tally.Kept, Found: tally.Found, Dropped: tally.Found - tally.Kept}
	}
	return nil
}

func (r *run) query(class string) source.Query {
	return source.Query{Text: strings.ReplaceAll(r.options.Query, "{class}", class), Class: class, MaxSide: r.options.MaxSide, Filters: r.options.Filters}
}

func (r *run) collect(ctx context.Context, sources []source.Source) error {
	committed := make(chan struct{})
	go func() {
		defer close(committed)
		r.commitAll()
	}()
	var classes sync.WaitGroup
	for _, class := range r.options.Classes {
		classes.Go(func() { r.collectClass(ctx, class, sources) })
	}
	classes.Wait()
	close(r.commits)
	<-committed
	return context.Cause(ctx)
}

// collectClass looks at offers until the class is full or no source has more. As many candidates are under way as
// pictures are wanting, so never one too many is kept.
func (r *run) collectClass(ctx context.Context, class string, sources []source.Source) {
	r.show(class, func(*Progress) {})
	wanting := r.options.Max - r.progress[class].Kept
	if wanting <= 0 {
		return
	}
	asking, enough := context.WithCancel(ctx)
	defer enough()
	offers := make(chan offer)
	go func() {
		defer close(offers)
		r.retries(asking, class, offers)
		var feeds sync.WaitGroup
		for _, s := range sources {
			f := r.newFeed(class, s)
			feeds.Go(func() { f.offers(asking, offers) })
		}
		feeds.Wait()
	}()
	places := make(chan struct{}, wanting)
	for range wanting {
		places <- struct{}{}
	}
	var kept atomic.Int64
	var underWay sync.WaitGroup
	take := func() (offer, bool) {
		select {
		case <-places:
		case <-asking.Done():
			return offer{}, false
		}
		select {
		case one, more := <-offers:
			return one, more
		case <-asking.Done():
			return offer{}, false
		}
	}
	for {
		one, more := take()
		if !more {
			break
		}
		underWay.Go(func() {
			if r.consider(ctx, class, one) {
				if kept.Add(1) == int64(wanting) {
					enough()
				}
				return
			}
			places <- struct{}{}
		})
	}
	underWay.Wait()
	enough()
	for one := range offers { // what the feeds were about to hand over
		one.done(false)
	}
}

// consider downloads and judges one candidate and tells whether it was kept.
func (r *run) consider(ctx context.Context, class string, one offer) bool {
	u, err := fetch.CheckURL(one.URL)
	if err == nil {
		one.URL = u.String()
	}
	r.mu.Lock()
	owner, had := r.urls[one.URL]
	if !had {
		r.urls[one.URL] = class
	}
	r.mu.Unlock()
	if had && owner == class {
		one.done(true)
		return false
	}
	r.show(class, func(p *Progress) { p.Found++ })
	var drop *set.Drop
	switch {
	case err != nil:
		drop = r.refusal(err)
	case had:
		drop = &set.Drop{Reason: Duplicate, Of: owner + "/", Detail: "same address as a picture of " + owner}
	default:
		drop, err = r.download(ctx, class, one.Candidate)
		if err != nil { // ended, or the disk failed: its fate stays open
			one.done(false)
			return false
		}
	}
	if drop == nil {
		r.show(class, func(p *Progress) { p.Kept++ })
		one.done(true)
		return true
	}
	drop.Class, drop.URL = class, one.URL
	if drop.Transient {
		drop.Candidate, _ = json.Marshal(one.Candidate)
	}
	if err := r.set.Drop(*drop); err != nil {
		r.fail(err)
	}
	r.show(class, func(p *Progress) { p.Dropped++ })
	one.done(true)
	return false
}

// show changes a class's progress and tells the caller's callback.
func (r *run) show(class string, change func(*Progress)) {
	r.showing.Lock()
	defer r.showing.Unlock()
	p := r.progress[class]
	change(p)
	p.Bytes = r.bytes.Load()
	if r.options.Progress != nil {
		r.options.Progress(*p)
	}
}

func (r *run) refusal(err error) *set.Drop {
	reason, transient := fetch.Reason(err)
	return &set.Drop{Reason: reason, Detail: Printable(err.Error()), Transient: transient}
}

// download fetches a candidate and adds it to the set, or says why not. An error means that nothing can be said.
func (r *run) download(ctx context.Context, class string, candidate source.Candidate) (*set.Drop, error) {
	file, name, err := r.set.CreateTemp(fmt.Sprintf("download-%d", r.temps.Add(1)))
	if err != nil {
		r.fail(err)
		return nil, err
	}
	defer func() {
		file.Close()
		r.set.Root().Remove(name) // gone already when the picture was kept
	}()
	got, err := r.client.Picture(ctx, candidate.URL, file)
	r.bytes.Add(got.Bytes)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		if reason, _ := fetch.Reason(err); reason == "disk" {
			r.fail(err)
			return nil, err
		}
		return r.refusal(err), nil
	}
	if other := r.known.exact(got.SHA256); other != nil {
		return duplicate(class, other, true, got.SHA256), nil
	}
	record := set.Record{Class: class, URL: candidate.URL, Original: candidate.Original, Page: candidate.Page, Title: candidate.Title,
		Author: candidate.Author, AuthorURL: candidate.AuthorURL, License: candidate.License, LicenseURL: candidate.LicenseURL,
		Source: candidate.Source, Query: candidate.Query, Date: time.Now().UTC().Truncate(time.Second), SHA256: got.SHA256, Bytes: got.Bytes}
	return r.judge(ctx, file, name, record)
}

// judge decodes a download, makes it smaller when asked, compares it with what is known, and hands it over.
func (r *run) judge(ctx context.Context, file *os.File, name string, record set.Record) (*set.Drop, error) {
	unreadable := func(err error) *set.Drop {
		reason := fetch.NotAPicture
		if errors.Is(err, picture.ErrTooManyPixels) {
			reason = TooManyPixels
		}
		return &set.Drop{Reason: reason, Detail: Printable(err.Error()), SHA256: record.SHA256}
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	header, err := picture.ReadHeader(file, r.options.MaxPixels)
	if err != nil {
		return unreadable(err), nil
	}
	if short := min(header.Width, header.Height); short < r.options.MinSide {
		return &set.Drop{Reason: TooSmall, Detail: fmt.Sprintf("%d x %d", header.Width, header.Height), SHA256: record.SHA256}, nil
	}
	cost := min(header.Cost(), decodeMemory)
	if err := r.memory.Acquire(ctx, cost); err != nil {
		return nil, err
	}
	one, extension, err := r.measure(file, header, &record)
	r.memory.Release(cost)
	if err != nil {
		return unreadable(err), nil
	}
	sums := []string{record.SHA256}
	if record.FetchedSHA != "" {
		sums = append(sums, record.FetchedSHA)
	}
	if other, exact := r.known.claim(one, sums, !r.options.KeepAlike); other != nil {
		return duplicate(record.Class, other, exact, record.SHA256), nil
	}
	if err := file.Sync(); err != nil {
		r.fail(err)
		return nil, err
	}
	kept := make(chan string, 1)
	r.commits <- commit{set.Pending{Temporary: name, Record: record, Extension: extension}, kept}
	stored := <-kept
	if stored == "" {
		return nil, context.Cause(ctx)
	}
	r.known.stored(one, stored)
	return nil, nil
}

func duplicate(class string, other *seen, exact bool, sum string) *set.Drop {
	drop := &set.Drop{Reason: NearDuplicate, Of: other.file, SHA256: sum}
	if exact {
		drop.Reason = Duplicate
	}
	if other.class != class {
		drop.Of = other.class + "/"
		drop.Detail = "also found for " + other.class
	}
	return drop
}

// measure decodes the file, shrinks it in place when it is larger than asked, and fills in the record.
func (r *run) measure(file *os.File, header picture.Header, record *set.Record) (*seen, string, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, "", err
	}
	pixels, err := picture.Decode(file)
	if err != nil {
		return nil, "", err
	}
	mini, err := picture.NewMini(pixels)
	if err != nil {
		return nil, "", err
	}
	extension := header.Extension()
	small, smaller, err := picture.Shrink(pixels, r.options.MaxSide)
	if err != nil {
		return nil, "", err
	}
	if smaller {
		if extension, err = r.rewrite(file, small, header.Format, record); err != nil {
			return nil, "", err
		}
	}
	record.Width, record.Height = small.Bounds().Dx(), small.Bounds().Dy()
	hash := mini.Hash()
	record.DHash = hash.String()
	return &seen{class: record.Class, file: record.URL, hash: hash, mini: mini}, extension, nil
}

// read returns the SHA-256 and cells of a picture of the set.
func (r *run) read(name string) (string, *picture.Mini, error) {
	file, err := r.set.Root().Open(name)
	if err != nil {
		return "", nil, err
	}
	defer file.Close()
	sum, err := hashOf(file)
	if err != nil {
		return "", nil, err
	}
	mini, err := miniOf(file, r.options.MaxPixels)
	return sum, mini, err
}

// reload reads the cells of a picture that is known by its hash only.
func (r *run) reload(name string) *picture.Mini {
	if !set.IsPictureName(path.Base(name)) {
		return nil
	}
	file, err := r.set.Root().Open(name)
	if err != nil {
		return nil
	}
	defer file.Close()
	mini, err := miniOf(file, r.options.MaxPixels)
	if err != nil {
		return nil
	}
	return mini
}
