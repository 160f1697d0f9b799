package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wangkuiyi/orrery/trainer"
)

func TestTrainEvaluatePredict(t *testing.T) {
	set, dir := photos(t, 30, "blue", "green", "red"), t.TempDir()
	o := mustSucceed(t, trainSmall(t, dir, set, "--epochs", "6", "--json"))
	result := decode[trainer.Result](t, o.stdout)
	if result.Accuracy < 0.8 || result.Epochs != 6 || result.TrainImages != 72 || result.Device != "cpu" {
		t.Errorf("result %+v", result)
	}
	run := filepath.Join(dir, "runs", "photos")
	for _, name := range []string{"recipe.yaml", "history.csv", "steps.csv", "result.json", "model.safetensors", "report.html", "log.jsonl", "plots/show-batch.png"} {
		if info, err := os.Stat(filepath.Join(run, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	e := decode[trainer.Evaluation](t, mustSucceed(t, orrery(t, dir, "evaluate", run, set, "--json")).stdout)
	if e.Images != 90 || e.Accuracy < 0.8 || e.Top5 != 1 {
		t.Errorf("evaluation of %d pictures: accuracy %v top-5 %v", e.Images, e.Accuracy, e.Top5)
	}
	p := decode[[]trainer.Prediction](t, mustSucceed(t, orrery(t, dir, "predict", run, filepath.Join(set, "red"), "--json")).stdout)
	if len(p) != 30 || len(p[0].Top) != 3 {
		t.Errorf("%d predictions, the first %+v", len(p), p[0])
	}
	second := mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1"))
	if !strings.Contains(second.stdout, filepath.Join("runs", "photos-2", "report.html")) || !strings.Contains(second.stdout, "train_loss") {
		t.Errorf("the second run printed:\n%s", second.stdout)
	}
}

func TestEvaluateOnOtherClasses(t *testing.T) {
	dir := t.TempDir()
	mustSucceed(t, trainSmall(t, dir, photos(t, 20, "blue", "red"), "--epochs", "1", "-o", "run"))
	fails(t, orrery(t, dir, "evaluate", "run", photos(t, 20, "blue", "violet")), exitFailed, "violet", "red")
	fails(t, orrery(t, dir, "evaluate", "nowhere", photos(t, 20, "blue", "red")), exitFailed, "nowhere")
}

func TestPredictNamesWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	set := photos(t, 20, "blue", "red")
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "-o", "run"))
	broken := filepath.Join(dir, "broken.jpg")
	if err := os.WriteFile(broken, []byte("<html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := orrery(t, dir, "predict", "run", filepath.Join(set, "red", "000.png"), broken, "--json")
	p := decode[[]trainer.Prediction](t, o.stdout)
	if o.code != exitFailed || len(p) != 2 || p[0].Error != "" || !strings.Contains(p[1].Error, "broken.jpg") {
		t.Errorf("exit code %d, predictions %+v", o.code, p)
	}
}

// TestSignals stops a training in mid-run and continues it.
func TestSignals(t *testing.T) {
	set := photos(t, 60, "blue", "red")
	for name, test := range map[string]struct {
		signal syscall.Signal
		code   int
	}{"SIGTERM": {syscall.SIGTERM, exitTerminated}, "SIGINT": {syscall.SIGINT, exitInterrupted}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := command(t, dir, append([]string{"train", set, "--epochs", "5000", "-o", "run"}, small...)...)
			if code := signalAfterFirstEpoch(t, c, test.signal); code != test.code {
				t.Fatalf("exit code %d, want %d", code, test.code)
			}
			fails(t, orrery(t, dir, "train", set, "--resume", "run", "--lr", "0.5"), exitFailed, "lr was 0.003, is 0.5")
			if kept, _ := filepath.Glob(filepath.Join(dir, "run", "checkpoints", "step-*.safetensors")); len(kept) == 0 {
				t.Error("no checkpoint was left")
			}
		})
	}
}

// signalAfterFirstEpoch waits for the first line of the epoch table and gives the exit code after the signal.
func signalAfterFirstEpoch(t *testing.T, c *exec.Cmd, signal syscall.Signal) int {
	t.Helper()
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for n := 0; n < 2 && lines.Scan(); n++ {
	}
	if err := c.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	c.Wait() // the exit code is what is asked for
	return c.ProcessState.ExitCode()
}

func TestResumeAuto(t *testing.T) {
	set, dir := photos(t, 60, "blue", "red"), t.TempDir()
	c := command(t, dir, append([]string{"train", set, "--epochs", "40"}, small...)...)
	if code := signalAfterFirstEpoch(t, c, syscall.SIGTERM); code != exitTerminated {
		t.Fatalf("exit code %d, want %d", code, exitTerminated)
	}
	result := decode[trainer.Result](t, mustSucceed(t, trainSmall(t, dir, set, "--epochs", "40", "--resume", "auto", "--json")).stdout)
	if result.Epochs != 40 {
		t.Errorf("%d epochs in the end, want 40", result.Epochs)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "runs")); len(entries) != 1 {
		t.Errorf("%d run folders, want the one that was continued", len(entries))
	}
}

// TestFullDisk trains into a file system of 4 MiB, smaller than one checkpoint.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	mount := exec.Command("unshare", "--mount", "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", dir)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Skipf("no small file system can be mounted here: %v %s", err, out)
	}
	c := command(t, dir, append([]string{"train", photos(t, 20, "blue", "red"), "--epochs", "1", "--disk-patience", "1s", "-o", filepath.Join(dir, "run")}, small...)...)
	c.Path, _ = exec.LookPath("unshare")
	c.Args = append([]string{"unshare", "--mount", "sh", "-c", `mount -t tmpfs -o size=4m tmpfs "$0" && cd "$0" && "$@"; code=$?; ls -R "$0/run"; exit $code`, dir}, append([]string{mustExecutable(t)}, c.Args[1:]...)...)
	c.Dir = ""
	o := finish(t, c)
	fails(t, o, exitFailed, "no space left on device")
	if strings.Contains(o.stdout, ".tmp-") || strings.Contains(o.stdout, "model.safetensors") {
		t.Errorf("something half-written is left:\n%s", o.stdout)
	}
	if strings.Contains(o.stderr, "goroutine") {
		t.Errorf("a stack was printed:\n%s", o.stderr)
	}
}

func mustExecutable(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

func TestLadder(t *testing.T) {
	set, dir := photos(t, 60, "blue", "green", "red"), t.TempDir()
	o := mustSucceed(t, orrery(t, dir, "ladder", set, "--seeds", "2", "--json", "--size", "32", "--item-size", "40", "--threads", "2"))
	got := decode[struct{ Rungs []trainer.RungResult }](t, o.stdout).Rungs
	var names []string
	for _, r := range got {
		names = append(names, r.Name)
		if len(r.Accuracies) != 2 || r.ImagesPerSecond <= 0 || r.Seconds <= 0 {
			t.Errorf("rung %+v", r)
		}
	}
	if want := "plain relu batchnorm one-cycle batch-128 five-epochs"; strings.Join(names, " ") != want {
		t.Errorf("rungs %q, want %q", names, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "runs", "photos-ladder", "report.html")); err != nil {
		t.Error(err)
	}
	mustSucceed(t, orrery(t, dir, "ladder", set, "--carry", "-o", "carried", "--size", "32", "--item-size", "40"))
	// Too few for its largest batch: said before anything is trained.
	if o := orrery(t, dir, "ladder", set, "--valid-pct", "0.4"); o.code != exitFailed || !strings.Contains(o.stderr, "batches of 128") {
		t.Errorf("exit code %d: %s", o.code, o.stderr)
	}
}
