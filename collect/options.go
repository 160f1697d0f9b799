package collect

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wangkuiyi/orrery/collect/fetch"
	"github.com/wangkuiyi/orrery/collect/set"
	"github.com/wangkuiyi/orrery/collect/source"
)

// Options say what to collect and how. Zero values stand for the defaults named.
type Options struct {
	Into    string   // folder of the set, made when missing
	Classes []string // empty with CSV: its labels
	Max     int      // pictures wanted of each class (100)
	Query   string   // what to search for, {class} standing for the class ("{class}")
	Sources []string // of openverse, commons, duckduckgo (the first two, or none when lists are given)
	CSV     []string // files of URL,label
	URLs    []string // CLASS=FILE, or FILE with one class: one address a line
	Filters source.Filters

	MaxSide   int  // longest side stored, in pixels; larger pictures are made smaller (0: as they are)
	MinSide   int  // shortest side kept, in pixels (0: any)
	MaxPixels int  // largest picture read (picture.MaxPixels)
	KeepAlike bool // keep near duplicates; exact ones are always dropped

	MaxBytes     int64         // of one download (32 MiB)
	Timeout      time.Duration // of one download (60 s)
	PerHost      int           // requests at once to one host (3)
	Contact      string        // an e-mail or page that servers' keepers can write to ($ORRERY_CONTACT)
	AllowPrivate bool          // reach loopback and private networks, for tests and mirrors at home
	Proxy        string        // address of an HTTP proxy; none is used unless named, since a proxy hides where a name leads

	Bases    map[string]string // base address by source; missing ones from $ORRERY_OPENVERSE_URL and so on, then the public ones
	Progress func(Progress)    `json:"-"` // called after every change, by one goroutine at a time
	Notice   func(string)      `json:"-"` // one line that the user should see, safe to print

	fetch fetch.Options // what tests set: shorter waits
}

// Progress is how far one class has come.
type Progress struct {
	Class   string
	Wanted  int
	Found   int // candidates looked at or kept so far
	Kept    int
	Dropped int
	Bytes   int64 // downloaded in this run, all classes together
}

// UsageError is an error in what was asked for, not in the doing.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

func (e *UsageError) Unwrap() error { return e.Err }

func usage(format string, arguments ...any) error {
	return &UsageError{fmt.Errorf(format, arguments...)}
}

// environment names the variables that replace base addresses.
var environment = map[string]string{
	source.OpenverseName:  "ORRERY_OPENVERSE_URL",
	source.CommonsName:    "ORRERY_COMMONS_URL",
	source.DuckDuckGoName: "ORRERY_DUCKDUCKGO_URL",
}

// prepare fills in defaults, reads the lists, and refuses what cannot be meant.
func (o *Options) prepare() ([]*source.List, error) {
	if o.Into == "" {
		return nil, usage("name the folder to collect into: --into DIR")
	}
	if o.Max == 0 {
		o.Max = 100
	}
	if o.Max < 0 {
		return nil, usage("--max %d: want a number of pictures above 0", o.Max)
	}
	if o.Query == "" {
		o.Query = "{class}"
	}
	if o.MaxSide < 0 || o.MinSide < 0 || (o.MaxSide > 0 && o.MaxSide < max(o.MinSide, 16)) {
		return nil, usage("--max-side %d, --min-side %d: want sides in pixels, the larger not below the smaller or 16", o.MaxSide, o.MinSide)
	}
	if err := o.Filters.Check(); err != nil {
		return nil, &UsageError{err}
	}
	lists, err := o.readLists()
	if err != nil {
		return nil, err
	}
	if len(o.Sources) == 0 && len(lists) == 0 {
		o.Sources = []string{source.OpenverseName, source.CommonsName}
	}
	for _, name := range o.Sources {
		if environment[name] == "" {
			return nil, usage("source %q does not exist; choose of openverse, commons, duckduckgo", name)
		}
	}
	if len(o.Classes) == 0 {
		for _, list := range lists {
			o.Classes = append(o.Classes, list.Classes()...)
		}
		slices.Sort(o.Classes)
		o.Classes = slices.Compact(o.Classes)
	}
	if len(o.Classes) == 0 {
		return nil, usage("name at least one class, as in: orrery collect earth jupiter --into planets")
	}
	return lists, checkClasses(o.Classes)
}

// checkClasses refuses names that cannot be folders and names that are one folder on some file systems.
func checkClasses(classes []string) error {
	seen := map[string]string{}
	for _, class := range classes {
		if err := set.CheckClass(class); err != nil {
			return &UsageError{err}
		}
		if other, twice := seen[strings.ToLower(class)]; twice {
			return usage("classes %q and %q are one folder where case does not count; rename one", other, class)
		}
		seen[strings.ToLower(class)] = class
	}
	return nil
}

func (o *Options) readLists() ([]*source.List, error) {
	var lists []*source.List
	for _, name := range o.CSV {
		file, err := os.Open(name)
		if err != nil {
			return nil, usage("list of addresses: %w", err)
		}
		list, err := source.ReadCSV(file, filepath.Base(name))
		file.Close()
		if err != nil {
			return nil, &UsageError{err}
		}
		lists = append(lists, list)
	}
	for _, named := range o.URLs {
		class, name, paired := strings.Cut(named, "=")
		if !paired {
			if len(o.Classes) != 1 {
				return nil, usage("--urls %s: say whose addresses these are, as in --urls earth=%s", named, named)
			}
			class, name = o.Classes[0], named
		}
		file, err := os.Open(name)
		if err != nil {
			return nil, usage("list of addresses: %w", err)
		}
		list, err := source.ReadURLs(file, filepath.Base(name), class)
		file.Close()
		if err != nil {
			return nil, &UsageError{err}
		}
		lists = append(lists, list)
	}
	return lists, nil
}

func (o *Options) fetchOptions() (fetch.Options, error) {
	f := o.fetch
	f.AllowPrivate, f.MaxBytes, f.PerHost = o.AllowPrivate, o.MaxBytes, o.PerHost
	if o.Timeout != 0 {
		f.Timeout = o.Timeout
	}
	contact := o.Contact
	if contact == "" {
		contact = os.Getenv("ORRERY_CONTACT")
	}
	f.UserAgent = userAgent
	if contact != "" {
		if strings.ContainsFunc(contact, func(r rune) bool { return r < ' ' || r > '~' || r == '(' || r == ')' }) {
			return f, usage("contact %q: want an e-mail or a page in plain letters", contact)
		}
		f.UserAgent = strings.TrimSuffix(userAgent, ")") + "; " + contact + ")"
	}
	if o.Proxy != "" {
		proxy, err := url.Parse(o.Proxy)
		if err != nil || proxy.Host == "" {
			return f, usage("proxy %q: want an address such as http://proxy.example:3128", o.Proxy)
		}
		f.Proxy = proxy
	}
	f.OnWait = func(host string, wait time.Duration) {
		o.Notice(fmt.Sprintf("%s asks to wait %s", Printable(host), wait.Round(time.Second)))
	}
	return f, nil
}

// userAgent tells servers' keepers who asks and where to complain.
const userAgent = "orrery/1 (+https://github.com/wangkuiyi/orrery/issues)"

func (o *Options) makeSources(client *fetch.Client, lists []*source.List) []source.Source {
	var sources []source.Source
	for _, list := range lists {
		sources = append(sources, list)
	}
	for _, name := range o.Sources {
		base := o.Bases[name]
		if base == "" {
			base = os.Getenv(environment[name])
		}
		switch name {
		case source.OpenverseName:
			sources = append(sources, source.NewOpenverse(client, base))
		case source.CommonsName:
			sources = append(sources, source.NewCommons(client, base))
		case source.DuckDuckGoName:
			sources = append(sources, source.NewDuckDuckGo(client, base))
			o.Notice(source.DuckDuckGoWarning)
		}
		if missing := source.Unsupported(name, o.Filters); len(missing) > 0 {
			o.Notice(fmt.Sprintf("%s cannot search by %s: its pictures come in any", name, strings.Join(missing, ", ")))
		}
	}
	return sources
}

// IsUsage tells whether an error is about what was asked for: the command's exit status is then 2.
func IsUsage(err error) bool {
	var e *UsageError
	return errors.As(err, &e)
}
