package trainer

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"
	"unsafe"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
)

// A saver writes checkpoints while the training goes on: the training hands
// over a copy of its state, another goroutine checks, seals and writes it. Its
// methods belong to the training goroutine.
type saver struct {
	dir    string // of the run
	saving Saving
	log    *slog.Logger

	running  chan error // the result of the save under way; nil when there is none
	job      *saveJob   // under way
	owed     *saveJob   // a best epoch that the disk refused
	retryAt  time.Time  // after a failure
	last     time.Time  // when the last save began
	lastStep int        // the step of it
	missed   bool       // one was due while another was under way
}

// A saveJob is one checkpoint in memory.
type saveJob struct {
	head    header
	tensors map[string]safetensors.Data
	best    bool
}

func newSaver(dir string, saving Saving, log *slog.Logger) *saver {
	return &saver{dir: dir, saving: saving, log: log, last: time.Now()}
}

// due tells whether a checkpoint is to be written before a step.
func (s *saver) due(step int) bool {
	if s == nil {
		return false
	}
	s.poll()
	now := time.Now()
	due := s.missed || s.saving.Every > 0 && now.Sub(s.last) >= s.saving.Every || s.saving.Steps > 0 && step > 0 && step%s.saving.Steps == 0 && step != s.lastStep
	switch {
	case s.running != nil:
		s.missed = due
		return false
	case !s.retryAt.IsZero():
		return now.After(s.retryAt)
	}
	return due
}

// start begins to write a checkpoint, after the one under way.
func (s *saver) start(job *saveJob) {
	s.wait() //nolint:errcheck // it was said in the log
	s.last, s.lastStep, s.job, s.missed = time.Now(), job.head.Progress.Step, job, false
	jobs := []*saveJob{job}
	if s.owed != nil {
		jobs = append([]*saveJob{s.owed}, jobs...)
	}
	result := make(chan error, 1)
	s.running = result
	go func() {
		for _, job := range jobs {
			if err := job.write(s.dir, s.saving.Keep); err != nil {
				result <- err
				return
			}
		}
		result <- nil
	}()
}

// poll takes note of a save that has ended.
func (s *saver) poll() {
	select {
	case err := <-s.running: // never, when nil
		s.ended(err)
	default:
	}
}

// wait is poll after the end of the save under way, and gives its error.
func (s *saver) wait() error {
	if s.running == nil {
		return nil
	}
	err := <-s.running
	s.ended(err)
	return err
}

func (s *saver) ended(err error) {
	job := s.job
	s.running, s.job = nil, nil
	step := job.head.Progress.Step
	if err != nil {
		s.retryAt = time.Now().Add(s.saving.Retry)
		if job.best {
			s.owed = job
		}
		s.log.Warn("checkpoint not written; the training goes on and tries again", "step", step, "in", s.saving.Retry, "reason", err)
		return
	}
	if !s.retryAt.IsZero() {
		s.log.Info("the disk takes checkpoints again", "step", step)
	}
	s.retryAt, s.owed = time.Time{}, nil
	s.log.Debug("checkpoint on the disk", "step", step, "best", job.best, "path", filepath.Join(s.dir, checkpointsDir, stepCheckpoint(step)))
}

// write puts a checkpoint on the disk and then removes older ones.
func (j *saveJob) write(dir string, keep int) error {
	for name, t := range j.tensors {
		if !finite(t) {
			return fmt.Errorf("step %d: %s holds values that are not finite; the checkpoint before is kept", j.head.Progress.Step, name)
		}
	}
	content, err := seal(j.tensors, j.head)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, checkpointsDir, stepCheckpoint(j.head.Progress.Step))
	if err := content.save(path); err != nil {
		return err
	}
	if j.best {
		if err := j.keepBest(content, path, filepath.Join(dir, checkpointsDir, bestCheckpoint)); err != nil {
			return err
		}
	}
	return prune(dir, keep)
}

// keepBest gives a checkpoint a second name, or a second copy on a file system
// without hard links.
func (j *saveJob) keepBest(content *sealed, path, best string) error {
	linked := atomicfile.Replace(best, func(temporary string) error { return os.Link(path, temporary) })
	if linked == nil {
		return nil
	}
	return content.save(best)
}

// finite tells whether every float of a tensor is a number: its exponent is not
// all ones.
func finite(t safetensors.Data) bool {
	if len(t.Bytes) == 0 {
		return true
	}
	switch t.Dtype {
	case torch.Float:
		for _, bits := range unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(t.Bytes))), len(t.Bytes)/4) {
			if bits&0x7f800000 == 0x7f800000 {
				return false
			}
		}
	case torch.Double:
		for _, x := range unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(t.Bytes))), len(t.Bytes)/8) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return false
			}
		}
	case torch.Half, torch.BFloat16:
		exponent := uint16(0x7c00)
		if t.Dtype == torch.BFloat16 {
			exponent = 0x7f80
		}
		for _, bits := range unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(t.Bytes))), len(t.Bytes)/2) {
			if bits&exponent == exponent {
				return false
			}
		}
	}
	return true
}
