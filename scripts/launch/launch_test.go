// Package launch has tests of the files that start Orrery on other machines; those are its only Go.
package launch

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// standIn is an orrery that notes its arguments, and on SIGTERM writes a checkpoint and ends with 143, as the real one.
const standIn = `#!/bin/sh
echo "$@" >>"$(dirname "$0")/said"
while [ "$1" != --output ]; do shift; done
mkdir -p "$2"
trap 'echo saved >"$2/checkpoint"; exit 143' TERM
if [ -e "$2/checkpoint" ]; then echo {} >"$2/result.json"; exit 0; fi
while :; do sleep 0.05; done
`

func program(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// terminated starts the command, waits for the stand-in to have begun, sends SIGTERM and returns the exit code.
func terminated(t *testing.T, command *exec.Cmd, begun string) int {
	t.Helper()
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		if _, err := os.Stat(begun); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("ended by itself: %v\n%s", err, said.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
	time.Sleep(300 * time.Millisecond) // for the stand-in to set its trap
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	code := exitCode(<-ended)
	t.Log(said.String())
	return code
}

func TestRunGoesOn(t *testing.T) {
	dir := t.TempDir()
	orrery := program(t, filepath.Join(dir, "orrery"), standIn)
	runs := filepath.Join(dir, "runs")
	run := func(arguments ...string) *exec.Cmd {
		c := exec.Command("./orrery-run.sh", arguments...)
		c.Env = append(os.Environ(), "ORRERY="+orrery)
		return c
	}
	if out, err := run(runs, "a", "photos").CombinedOutput(); exitCode(err) != 1 || !strings.Contains(string(out), "mount a volume") {
		t.Errorf("%v, %s; want an error that asks for the volume", err, out)
	}
	if err := os.Mkdir(runs, 0o755); err != nil {
		t.Fatal(err)
	}
	if code := terminated(t, run(runs, "job/7 a", "photos", "--epochs", "3"), filepath.Join(runs, "job_7_a")); code != 143 {
		t.Fatalf("ended with %d, want 143", code)
	}
	for range 2 { // goes on, then finds it finished
		if out, err := run(runs, "job/7 a", "photos", "--epochs", "3").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	said, err := os.ReadFile(filepath.Join(dir, "said"))
	want := "train photos --resume auto --output " + runs + "/job_7_a --epochs 3\n"
	if err != nil || string(said) != want+want {
		t.Errorf("%v, orrery was called with %q, want twice %q", err, said, want)
	}
}

// TestTask runs the machine's task on this one: taken away, started again, finished.
func TestTask(t *testing.T) {
	dir := t.TempDir()
	program(t, filepath.Join(dir, "bundle", "orrery"), standIn)
	bundle := filepath.Join(dir, "bundle.tar.gz")
	if out, err := exec.Command("tar", "-czf", bundle, "-C", dir, "bundle").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bin := filepath.Join(dir, "bin")
	program(t, filepath.Join(bin, "curl"), "#!/bin/sh\nfor last; do :; done\ncat \"$last\"\n")
	program(t, filepath.Join(bin, "nvidia-smi"), "#!/bin/sh\necho 535.10.2\n")
	script, err := os.ReadFile("orrery-run.sh")
	if err != nil {
		t.Fatal(err)
	}
	program(t, filepath.Join(bin, "orrery-run.sh"), string(script))
	task := func(machine, device string) *exec.Cmd {
		c := exec.Command("vm/task.sh")
		c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "STAY=yes", "ORRERY_PLACE="+filepath.Join(dir, machine),
			"NAME=set", "MIRROR=s3://runs/kept", "DATA=planets", "FLAGS=--epochs 2", "BUNDLE="+bundle, "IMAGE=", "DEVICE="+device)
		return c
	}
	out, err := task("machine0", "cuda").CombinedOutput()
	if exitCode(err) != 1 || !strings.Contains(string(out), "driver 580 or later, found 535.10.2") {
		t.Errorf("%v, %s; want that the driver is too old", err, out)
	}
	if code := terminated(t, task("machine1", "auto"), filepath.Join(dir, "machine1/runs/set")); code != 143 {
		t.Fatalf("ended with %d, want 143", code)
	}
	// A machine that comes back with its disk.
	if out, err := task("machine1", "auto").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "machine1/runs/set/result.json")); err != nil {
		t.Errorf("the run did not go on to its end: %v", err)
	}
	said, err := os.ReadFile(filepath.Join(dir, "machine1/bundle/said"))
	if err != nil || strings.Count(string(said), "--epochs 2 --device cpu --mirror s3://runs/kept\n") != 2 {
		t.Errorf("%v, orrery was called with %q, want twice the flags, the CPU, for the driver is too old, and the bucket", err, said)
	}
}

func TestUserData(t *testing.T) {
	out, err := exec.Command("vm/user-data.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(out, []byte("#cloud-config\n")) || len(out) > 16<<10 {
		t.Errorf("%d bytes that begin with %.20q; want #cloud-config and at most 16 KiB, which is what clouds take", len(out), out)
	}
	var config struct {
		Files []struct{ Path, Content, Encoding, Permissions string } `yaml:"write_files"`
	}
	if err := yaml.Unmarshal(out, &config); err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{"/usr/local/bin/orrery-task": "vm/task.sh", "/usr/local/bin/orrery-run.sh": "orrery-run.sh"}
	for _, file := range config.Files {
		source, script := sources[file.Path]
		if !script {
			continue
		}
		delete(sources, file.Path)
		unzipped, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(file.Content)))
		if err != nil {
			t.Fatalf("%s: %v", file.Path, err)
		}
		got, err := io.ReadAll(unzipped)
		want, _ := os.ReadFile(source)
		if err != nil || !bytes.Equal(got, want) || file.Encoding != "gzip+base64" || file.Permissions != "0755" {
			t.Errorf("%s is not %s: %v", file.Path, source, err)
		}
	}
	if len(sources) != 0 {
		t.Errorf("not in the user data: %v", sources)
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

type pod struct {
	Spec struct {
		Grace      int `yaml:"terminationGracePeriodSeconds"`
		Containers []struct {
			Name, Image string
			Args        []string
		}
	}
}

// durable says what a pod of ours lacks to be started anew after an interruption.
func (p pod) durable(t *testing.T, path, name string) {
	t.Helper()
	if p.Spec.Grace < 60 || len(p.Spec.Containers) != 1 {
		t.Fatalf("%s: %+v; want one container and a minute for its checkpoint", path, p)
	}
	container := p.Spec.Containers[0]
	text := strings.Join(container.Args, " ")
	if container.Name != name || !strings.HasPrefix(text, "train /workspace/") || !strings.Contains(text, "--resume auto --output /workspace/runs/") {
		t.Errorf("%s: container %s runs %q", path, container.Name, text)
	}
}

func TestKubernetes(t *testing.T) {
	for _, folder := range []string{"kubernetes/job", "kubernetes/pytorchjob"} {
		var custom struct {
			Resources []string
			Images    []struct{ Name string }
		}
		read(t, filepath.Join(folder, "kustomization.yaml"), &custom)
		found, _ := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if len(custom.Resources) != len(found)-1 || len(custom.Images) != 1 || custom.Images[0].Name != "orrery" {
			t.Errorf("%s: %+v of %v", folder, custom, found)
		}
		for _, resource := range custom.Resources {
			if !slices.Contains(found, filepath.Join(folder, resource)) {
				t.Errorf("%s has no %s", folder, resource)
			}
		}
	}
	var job struct {
		Spec struct{ Template pod }
	}
	read(t, "kubernetes/job/job.yaml", &job)
	job.Spec.Template.durable(t, "job.yaml", "orrery")
	var together struct {
		Spec struct {
			Replicas map[string]struct {
				RestartPolicy string `yaml:"restartPolicy"`
				Template      pod
			} `yaml:"pytorchReplicaSpecs"`
		}
	}
	read(t, "kubernetes/pytorchjob/pytorchjob.yaml", &together)
	for _, kind := range []string{"Master", "Worker"} {
		replica := together.Spec.Replicas[kind]
		if replica.RestartPolicy != "ExitCode" {
			t.Errorf("%s: restartPolicy %q; want ExitCode, by which 143 is started again and 1 is not", kind, replica.RestartPolicy)
		}
		replica.Template.durable(t, kind, "pytorch") // the operator looks for that name
	}
}

// TestFlags holds every flag that a launch file gives orrery against those that its verbs declare.
func TestFlags(t *testing.T) {
	sources, err := filepath.Glob("../../cmd/orrery/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatal("no sources of the command")
	}
	declared := map[string]bool{}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`Name:\s*"([a-z-]+)"`).FindAllSubmatch(text, -1) {
			declared[string(match[1])] = true
		}
	}
	for _, path := range []string{"orrery-run.sh", "vm/cloud-init.yaml", "kubernetes/job/job.yaml", "kubernetes/pytorchjob/pytorchjob.yaml",
		"skypilot/orrery.yaml", "dstack/orrery.dstack.yml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		used := 0
		for line := range strings.Lines(string(text)) {
			if !regexp.MustCompile(`train |\[train, |orrery-run\.sh |FLAGS=`).MatchString(line) || strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, match := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(line, -1) {
				used++
				if !declared[match[1]] {
					t.Errorf("%s gives orrery --%s, which it does not know", path, match[1])
				}
			}
		}
		if used == 0 {
			t.Errorf("%s gives orrery no flag: this test does not see its command any more", path)
		}
	}
}

// TestPlatforms checks what SkyPilot's and dstack's files say of interruptions and names.
func TestPlatforms(t *testing.T) {
	var sky struct {
		Run       string
		Resources struct {
			Spot bool `yaml:"use_spot"`
		}
		Mounts map[string]any `yaml:"file_mounts"`
	}
	read(t, "skypilot/orrery.yaml", &sky)
	if !sky.Resources.Spot || !strings.Contains(sky.Run, `orrery-run.sh /runs "$SKYPILOT_TASK_ID"`) || sky.Mounts["/runs"] == nil {
		t.Errorf("SkyPilot: %+v; want a spot machine, the run named by the task and its folder mounted", sky)
	}
	var dstack struct {
		Type     string
		Commands []string
		Retry    struct {
			Events []string `yaml:"on_events"`
		}
		Volumes []struct{ Name, Path string }
	}
	read(t, "dstack/orrery.dstack.yml", &dstack)
	var volume struct{ Type, Name string }
	read(t, "dstack/volume.dstack.yml", &volume)
	if dstack.Type != "task" || !slices.Contains(dstack.Retry.Events, "interruption") || volume.Type != "volume" ||
		len(dstack.Volumes) != 1 || dstack.Volumes[0].Name != volume.Name || !strings.Contains(dstack.Commands[0], dstack.Volumes[0].Path+` "$DSTACK_RUN_NAME"`) {
		t.Errorf("dstack: %+v, %+v; want a task on that volume, tried again when interrupted, named by the run", dstack, volume)
	}
}
