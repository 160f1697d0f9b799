package gotorch_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// loadOnly makes this test binary do nothing but load the library and print the error.
const loadOnly = "GOTORCH_TEST_LOAD_ONLY"

// showCUDA makes it print what became of CUDA, too.
const showCUDA = "GOTORCH_TEST_SHOW_CUDA"

func init() {
	if os.Getenv(loadOnly) == "" {
		return
	}
	if err := torch.LoadLibrary(); err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	fmt.Println("loaded", torch.Library().Torch)
	if os.Getenv(showCUDA) != "" {
		fmt.Printf("CUDA %s\nkernels %s\n", torch.Library().CUDA, torch.Library().CUDAKernels)
	}
	os.Exit(0)
}

func load(t *testing.T, env ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, loadOnly+"=1")...)
	out, err := cmd.Output()
	if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(out), "\n"), cmd.ProcessState.ExitCode()
}

// Whatever is wrong with the native libraries is told in one line: expected, found, what to do.
func TestLoadingSaysWhatIsWrong(t *testing.T) {
	if err := torch.LoadLibrary(); err != nil {
		t.Fatal(err)
	}
	here := torch.Library()
	empty, garbage := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(garbage, "libcgotorch.so"), []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := t.TempDir()
	if err := os.Mkdir(filepath.Join(broken, "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"libc10.so", "libtorch_cpu.so"} {
		if err := os.WriteFile(filepath.Join(broken, "lib", name), []byte("no library"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		env  []string
		says []string
	}{
		"no library in ORRERY_LIB": {[]string{"ORRERY_LIB=" + empty}, []string{empty, "ORRERY_LIB"}},
		"garbage":                  {[]string{"ORRERY_LIB=" + garbage}, []string{garbage, "make build"}},
		"no libtorch in LIBTORCH":  {[]string{"LIBTORCH=" + empty}, []string{empty, "LIBTORCH"}},
		"a broken libtorch":        {[]string{"LIBTORCH=" + broken}, []string{broken, "unset LIBTORCH"}},
	}
	// A library with another interface, and one built for a version other than it gets.
	for name, body := range map[string]string{
		"another interface": `const char* cgt_abi(void){return "000000000000";}`,
		"no interface":      `int other;`,
	} {
		cc, err := exec.LookPath("cc")
		if err != nil {
			t.Log("no C compiler: ", name, " is not tried")
			continue
		}
		dir := t.TempDir()
		src := filepath.Join(dir, "a.c")
		if err := os.WriteFile(src, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", filepath.Join(dir, "libcgotorch.so"), src).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		cases[name] = struct {
			env  []string
			says []string
		}{[]string{"ORRERY_LIB=" + dir}, []string{dir, "interface", "make build"}}
	}
	if other := otherTorch(here.TorchDir); other != "" {
		cases["another version"] = struct {
			env  []string
			says []string
		}{[]string{"LIBTORCH=" + other}, []string{here.BuiltFor, other, "make build"}}
	} else {
		t.Log("there is one libtorch only: another version is not tried")
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, code := load(t, c.env...)
			if code != 3 || strings.Contains(out, "\n") || !strings.HasPrefix(out, "expected ") || !strings.Contains(out, "found ") {
				t.Errorf("exit code %d, %q; want 3 and one line: expected, found, fix", code, out)
			}
			for _, word := range c.says {
				if !strings.Contains(out, word) {
					t.Errorf("%q does not say %q", out, word)
				}
			}
		})
	}
	t.Run("the same libtorch by LIBTORCH", func(t *testing.T) {
		if out, code := load(t, "LIBTORCH="+here.TorchDir); code != 0 || out != "loaded "+here.Torch {
			t.Errorf("exit code %d, %q", code, out)
		}
	})
}

// otherTorch finds the folder of another version beside the one in dir, as set-up lays them out.
func otherTorch(dir string) string {
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(dir)), "libtorch-*", "torch"))
	for _, f := range found {
		if _, err := os.Stat(filepath.Join(f, "lib", "libtorch_cpu.so")); err == nil && f != dir {
			return f
		}
	}
	return ""
}

func TestSymbolFindsFunctions(t *testing.T) {
	if p, err := torch.Symbol("cgt_abi"); err != nil || p == nil {
		t.Errorf("cgt_abi: %v, %v", p, err)
	}
	if _, err := torch.Symbol("cgt_no_such_function"); err == nil || !strings.Contains(err.Error(), "cgt_no_such_function") {
		t.Errorf("a missing function: %v", err)
	}
}

func TestVersionsThatFit(t *testing.T) {
	for _, c := range []struct{ built, found, says string }{
		{"2.11.0", "2.11.0", ""},
		{"2.15.0", "2.15.0", ""},
		{"2.11.0", "2.15.0", "found 2.15.0"},
		{"2.6.0", "2.6.0", "2.7 or newer"},
		{"1.13.1", "1.13.1", "2.7 or newer"},
		{"2.11.0", "", "does not say"},
	} {
		err := torch.Fits(torch.LibraryInfo{Path: "lib", BuiltFor: c.built, Torch: c.found, TorchDir: "dir"})
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("built for %q, found %q: %v, want %q", c.built, c.found, err, c.says)
		}
	}
	if got := torch.VersionIn("PyTorch built with: TORCH_VERSION=2.11.0, USE_CUDA=1"); got != "2.11.0" {
		t.Errorf("the version is %q", got)
	}
}
