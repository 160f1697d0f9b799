// Package mirror keeps a copy of a folder in an S3-compatible bucket.
package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
	"github.com/wangkuiyi/orrery/internal/bucket"
)

// A Folder is a local folder and its copy in a bucket. It is for one goroutine.
type Folder struct {
	address, dir string
	options      Options
	place        *bucket.Place
	sent         map[string]stamp // what the bucket holds, by name; names have slashes and no folder before them
}

// Options say how files are treated.
type Options struct {
	// Skip tells which files stay out of the bucket.
	Skip func(name string) bool
	// First is copied before all other files and Last after them, so that whoever finds it finds the others too.
	First, Last string
}

// A stamp tells whether a file has changed.
type stamp struct {
	size     int64
	modified time.Time
}

// Open takes s3://BUCKET/KEY, which the names of the files come behind, and asks nobody.
func Open(address, dir string, options Options) (*Folder, error) {
	place, err := bucket.Open(address)
	if err != nil {
		return nil, err
	}
	return &Folder{address: address, dir: dir, options: options, place: place, sent: map[string]stamp{}}, nil
}

// Remote lists the names in the bucket.
func (f *Folder) Remote(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the listing after an error
	var names []string
	prefix := f.place.Key + "/"
	for object := range f.place.Client.ListObjects(ctx, f.place.Name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			return nil, fmt.Errorf("%s: %w", f.address, object.Err)
		}
		name := strings.TrimPrefix(object.Key, prefix)
		if name == "" || strings.HasSuffix(name, "/") { // a console's folder
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("%s: %q is no name of a file", f.address, name)
		}
		names = append(names, name)
		if _, known := f.sent[name]; !known {
			f.sent[name] = stamp{}
		}
	}
	return f.ordered(names), nil
}

// Local lists the names in the folder; none when there is no folder.
func (f *Folder) Local() ([]string, error) {
	var names []string
	err := filepath.WalkDir(f.dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // gone meanwhile
			return nil
		}
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(f.dir, path)
		if name = filepath.ToSlash(name); err == nil && !f.options.Skip(name) {
			names = append(names, name)
		}
		return err
	})
	return f.ordered(names), err
}

// ordered sorts names into the order of copying.
func (f *Folder) ordered(names []string) []string {
	place := func(name string) int {
		switch name {
		case f.options.First:
			return 0
		case f.options.Last:
			return 2
		}
		return 1
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b)) })
	return names
}

// Fetch copies files from the bucket over those in the folder.
func (f *Folder) Fetch(ctx context.Context, names []string) error {
	for _, name := range names {
		local := f.path(name)
		if err := os.MkdirAll(filepath.Dir(local), 0o755); err != nil {
			return err
		}
		err := atomicfile.Replace(local, func(temporary string) error {
			return f.place.Client.FGetObject(ctx, f.place.Name, f.key(name), temporary, minio.GetObjectOptions{})
		})
		if err != nil {
			return fmt.Errorf("%s/%s: %w", f.address, name, err)
		}
		info, err := os.Stat(local)
		if err != nil {
			return err
		}
		f.sent[name] = stamp{info.Size(), info.ModTime()}
	}
	return nil
}

// Send copies what has changed in the folder to the bucket and then removes there what is gone here.
func (f *Folder) Send(ctx context.Context) error {
	names, err := f.Local()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := f.send(ctx, name); err != nil {
			return fmt.Errorf("%s/%s: %w", f.address, name, err)
		}
	}
	for name := range f.sent {
		if slices.Contains(names, name) {
			continue
		}
		if err := f.place.Client.RemoveObject(ctx, f.place.Name, f.key(name), minio.RemoveObjectOptions{}); err != nil {
			return fmt.Errorf("%s/%s: %w", f.address, name, err)
		}
		delete(f.sent, name)
	}
	return nil
}

// send copies one file as it is at this moment; more may be appended to it meanwhile.
func (f *Folder) send(ctx context.Context, name string) error {
	file, err := os.Open(f.path(name))
	if errors.Is(err, fs.ErrNotExist) { // gone meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	now := stamp{info.Size(), info.ModTime()}
	if f.sent[name] == now {
		return nil
	}
	_, err = f.place.Client.PutObject(ctx, f.place.Name, f.key(name), io.NewSectionReader(file, 0, now.size), now.size,
		minio.PutObjectOptions{ContentType: mime.TypeByExtension(path.Ext(name))})
	if err == nil {
		f.sent[name] = now
	}
	return err
}

func (f *Folder) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

func (f *Folder) key(name string) string { return f.place.Key + "/" + name }
