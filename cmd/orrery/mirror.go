package main

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/wangkuiyi/orrery/internal/mirror"
	"github.com/wangkuiyi/orrery/trainer"
)

// mirrorEvery is how far the copy in the bucket may lag behind the run folder.
const mirrorEvery = 30 * time.Second

func mirrorFlag() cli.Flag {
	return &cli.StringFlag{Name: "mirror", Usage: "keep a copy of the run folder in an S3-compatible bucket, `s3://BUCKET/PREFIX`, under its name; with --resume go on from there if it is further. AWS_ENDPOINT_URL and the like say where and who"}
}

// openMirror finds the copy of the run folder dir. One that is to be continued
// is fetched when the bucket's has come further; a new one must not be there.
func (j *training) openMirror(c *cli.Context, dir string, continued bool) error {
	address := c.String("mirror")
	if address == "" || j.mirror != nil {
		return nil
	}
	place, found := strings.CutPrefix(address, "s3://")
	if place = strings.Trim(place, "/"); !found || place == "" {
		return usagef("mirror is %q; it must be s3://BUCKET or s3://BUCKET/PREFIX", address)
	}
	if dir == "" {
		return usagef("--mirror with --resume auto needs --output, whose name is the run's in the bucket")
	}
	whole, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	address = "s3://" + place + "/" + filepath.Base(whole)
	folder, err := mirror.Open(address, dir, mirror.Options{Skip: staysHere, First: "recipe.yaml", Last: "result.json"})
	if err != nil {
		return usageError{err}
	}
	j.mirror = folder
	there, err := folder.Remote(c.Context)
	if err != nil && continued && trainer.HoldsRun(dir) {
		worldLogger(j.world, c.App.ErrWriter).Warn("the bucket does not say what it holds of the run; it goes on from the disk", "reason", err)
		return nil
	}
	if err != nil || len(there) == 0 {
		return err
	}
	if !continued {
		return fmt.Errorf("%s holds a run already; continue it with --resume auto --output %s, or give another --output", address, dir)
	}
	here, err := folder.Local()
	if err != nil || !further(there, here) {
		return err
	}
	worldLogger(j.world, c.App.ErrWriter).Info("the run has come further in the bucket than here; fetching it", "bucket", address, "files", len(there))
	return folder.Fetch(c.Context, there)
}

// further tells whether the run with the files there has come further than the one with those here.
func further(there, here []string) bool {
	theirs, theyFinished := trainer.Reached(there)
	ours, weFinished := trainer.Reached(here)
	return len(here) == 0 || theirs > ours || theyFinished && !weFinished
}

// staysHere tells which files of a run folder mean nothing elsewhere.
func staysHere(name string) bool {
	base := path.Base(name)
	return base == ".lock" || base == "stop" || strings.Contains(base, ".tmp-")
}

// keepMirror copies the run folder from now on; what it returns ends that.
func (j *training) keepMirror(c *cli.Context) (end func()) {
	if j.mirror == nil {
		return func() {}
	}
	keeper := mirror.Keep(j.mirror, mirrorEvery, worldLogger(j.world, c.App.ErrWriter))
	return func() { keeper.Close(j.saving.Patience) }
}
