package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/wangkuiyi/orrery/internal/bucket"
	"github.com/wangkuiyi/orrery/internal/bucket/buckettest"
)

// inBucket lists the names of a run in the bucket, sorted.
func inBucket(t *testing.T, run string) []string {
	t.Helper()
	place, err := bucket.Open("s3://" + run)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for object := range place.Client.ListObjects(context.Background(), place.Name, minio.ListObjectsOptions{Prefix: place.Key + "/", Recursive: true}) {
		if object.Err != nil {
			t.Fatal(object.Err)
		}
		names = append(names, strings.TrimPrefix(object.Key, place.Key+"/"))
	}
	slices.Sort(names)
	return names
}

// TestMirrorCarriesARunOver: a training that is terminated on one machine goes
// on from the bucket on another, whose disk is empty, and ends with the weights
// of one that was left alone.
func TestMirrorCarriesARunOver(t *testing.T) {
	buckettest.Start(t, "runs")
	set := photos(t, 40, "blue", "red")
	want, took := undisturbed(t, set)
	train := func(more ...string) []string {
		return append(append([]string{"train", set, "-o", "job-7", "--mirror", "s3://runs/orrery/"}, killedFlags...), more...)
	}
	first := t.TempDir()
	c := command(t, first, train("--resume", "auto")...)
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if found, _ := filepath.Glob(filepath.Join(first, "job-7", "checkpoints", "step-*.safetensors")); len(found) > 0 {
			break
		}
		if time.Since(begun) > time.Minute+10*took {
			t.Fatal("no checkpoint")
		}
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.Wait() //nolint:errcheck // the code tells
	if code := c.ProcessState.ExitCode(); code != exitTerminated {
		t.Fatalf("exit code %d, want %d: %s", code, exitTerminated, said.String())
	}
	steps := 0
	for _, name := range inBucket(t, "runs/orrery/job-7") {
		if strings.HasPrefix(name, "checkpoints/step-") {
			steps++
		}
		if name == ".lock" || name == "result.json" {
			t.Errorf("%s is in the bucket", name)
		}
	}
	if steps == 0 {
		t.Fatalf("no checkpoint is in the bucket:\n%s", said.String())
	}

	second := t.TempDir()
	fails(t, orrery(t, second, train()...), exitFailed, "s3://runs/orrery/job-7 holds a run already", "--resume auto")
	o := mustSucceed(t, orrery(t, second, train("--resume", "auto")...))
	if !strings.Contains(o.stderr, "has come further in the bucket") {
		t.Errorf("it did not go on from the bucket:\n%s", o.stderr)
	}
	if !bytes.Equal(modelFile(t, filepath.Join(second, "job-7")), want) {
		t.Error("the weights differ from an undisturbed run's")
	}
	here, err := filepath.Glob(filepath.Join(second, "job-7", "*"))
	if err != nil {
		t.Fatal(err)
	}
	there := inBucket(t, "runs/orrery/job-7")
	for _, path := range here {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if !info.IsDir() && !slices.Contains(there, filepath.Base(path)) {
			t.Errorf("%s is not in the bucket", filepath.Base(path))
		}
	}
	// The first machine again, which is behind now: the run is finished.
	o = mustSucceed(t, orrery(t, first, train("--resume", "auto")...))
	if !bytes.Equal(modelFile(t, filepath.Join(first, "job-7")), want) || !strings.Contains(o.stderr, "has come further in the bucket") {
		t.Errorf("the finished run was not fetched:\n%s", o.stderr)
	}
}

// TestMirrorDoesNotStopATraining: a bucket that goes away, or was never there,
// changes neither weights nor exit code of a training that has begun.
func TestMirrorDoesNotStopATraining(t *testing.T) {
	server := buckettest.Start(t, "runs")
	set, dir := photos(t, 8, "blue", "red"), t.TempDir()
	flags := []string{set, "-o", "run", "--epochs", "1", "--mirror", "s3://runs", "--disk-patience", "1s"}
	mustSucceed(t, trainSmall(t, dir, flags...))
	server.Down()
	model := modelFile(t, filepath.Join(dir, "run"))
	o := mustSucceed(t, trainSmall(t, dir, append(flags, "--resume", "auto")...))
	if !strings.Contains(o.stderr, "goes on from the disk") || !strings.Contains(o.stderr, "the bucket lacks the end of the run") {
		t.Errorf("the bucket's absence is not told:\n%s", o.stderr)
	}
	if !bytes.Equal(modelFile(t, filepath.Join(dir, "run")), model) {
		t.Error("the weights changed")
	}
	// A new run could overwrite one that the bucket holds.
	fails(t, trainSmall(t, t.TempDir(), flags...), exitFailed, "s3://runs/run")
}

func TestMirrorUsage(t *testing.T) {
	dir := t.TempDir()
	for _, address := range []string{"runs", "s3://", "s3:///", "https://runs/x"} {
		fails(t, orrery(t, dir, "train", "photos", "-o", "run", "--mirror", address), exitUsage, address, "s3://BUCKET/PREFIX")
	}
	fails(t, orrery(t, dir, "train", "photos", "--resume", "auto", "--mirror", "s3://runs"), exitUsage, "--output")
}
