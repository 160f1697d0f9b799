package mirror

import (
	"context"
	"log/slog"
	"time"
)

// A Keeper sends a folder's changes in the background. What the bucket refuses is tried again; nobody waits for it but Close.
type Keeper struct {
	folder *Folder
	log    *slog.Logger
	cancel context.CancelFunc
	done   chan struct{}
	failed bool // the last time
}

// Keep looks for changes now and every so often. The folder is the Keeper's from now on.
func Keep(folder *Folder, every time.Duration, log *slog.Logger) *Keeper {
	ctx, cancel := context.WithCancel(context.Background())
	k := &Keeper{folder: folder, log: log, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		for ctx.Err() == nil {
			k.send(ctx) //nolint:errcheck // it was said in the log
			wait(ctx, every)
		}
	}()
	return k
}

// Close sends the last changes, for which it tries as long as patience lasts.
func (k *Keeper) Close(patience time.Duration) {
	k.cancel()
	<-k.done
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := k.send(ctx)
		if err == nil {
			return
		}
		if wait(ctx, time.Second); ctx.Err() != nil {
			k.log.Warn("the bucket lacks the end of the run, which is whole on the disk", "disk", k.folder.dir, "tried", patience, "reason", err)
			return
		}
	}
}

// send tells of the first failure of a row, and of its end.
func (k *Keeper) send(ctx context.Context) error {
	err := k.folder.Send(ctx)
	switch {
	case err == nil && k.failed:
		k.log.Info("the bucket takes the run again", "bucket", k.folder.address)
	case err != nil && !k.failed && ctx.Err() == nil:
		k.log.Warn("not copied to the bucket; the training goes on, and the copy is tried again", "reason", err)
	}
	if err == nil || ctx.Err() == nil { // a copy that Close cut short has not failed
		k.failed = err != nil
	}
	return err
}

// wait ends early with the context.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
