package nvml

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stub is a library of two GPUs, of which the second does not tell its energy.
const stub = `
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int r) { return r == 3 ? "Not Supported" : "Unknown Error"; }
static int text(const char *t, char *s) { while ((*s++ = *t++)); return 0; }
int nvmlSystemGetDriverVersion(char *s, unsigned n) { return text("535.10.2", s); }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
static int gpus[2];
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = &gpus[i]; return 0; }
int nvmlDeviceGetName(void *d, char *s, unsigned n) { return text("Stub 80GB", s); }
int nvmlDeviceGetUUID(void *d, char *s, unsigned n) { return text(d == &gpus[0] ? "GPU-a" : "GPU-b", s); }
int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *mj) { *mj = 5000000000ULL; return d == &gpus[0] ? 0 : 3; }
`

func build(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	file, library := filepath.Join(dir, "stub.c"), filepath.Join(dir, "libstub.so")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", library, file).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, out)
	}
	return library
}

func TestGPUsOfALibrary(t *testing.T) {
	l, err := open(build(t, stub))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if driver, err := l.Driver(); err != nil || driver != "535.10.2" {
		t.Errorf("driver %q, %v", driver, err)
	}
	list, err := l.GPUs()
	if err != nil || len(list) != 2 || list[0].Name != "Stub 80GB" || list[1].UUID != "GPU-b" {
		t.Fatalf("GPUs %+v, %v", list, err)
	}
	if mj, err := list[0].Millijoules(); err != nil || mj != 5_000_000_000 {
		t.Errorf("%d mJ, %v", mj, err)
	}
	if _, err := list[1].Millijoules(); err == nil || !strings.Contains(err.Error(), "Not Supported") {
		t.Errorf("the GPU that does not tell: %v", err)
	}
}

func TestLibrariesThatDoNotServe(t *testing.T) {
	old := build(t, strings.ReplaceAll(stub, "nvmlDeviceGetTotalEnergyConsumption", "something_else"))
	if _, err := open(old); err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("a library without the energy: %v", err)
	}
	if _, err := open(filepath.Join(t.TempDir(), "none.so")); err == nil || !strings.Contains(err.Error(), "no driver") {
		t.Errorf("no library: %v", err)
	}
	if _, err := open(build(t, strings.Replace(stub, "nvmlInit_v2(void) { return 0", "nvmlInit_v2(void) { return 9", 1))); err == nil || !strings.Contains(err.Error(), "Unknown Error") {
		t.Errorf("a library that does not start: %v", err)
	}
}
