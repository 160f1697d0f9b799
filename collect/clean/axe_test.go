package clean

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// axeVersion is the version of axe-core (MPL-2.0, by Deque) that the page is checked with. It is fetched for tests only.
const axeVersion = "4.14.1"

// axe returns axe-core's program from the user's cache, where npm puts it the first time, or skips the test.
func axe(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("axe-core: %v", err)
	}
	folder := filepath.Join(cache, "orrery")
	archive := filepath.Join(folder, "axe-core-"+axeVersion+".tgz")
	if _, err := os.Stat(archive); err != nil {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Skipf("axe-core: %v", err)
		}
		command := exec.Command("npm", "pack", "axe-core@"+axeVersion, "--pack-destination", folder)
		if out, err := command.CombinedOutput(); err != nil {
			t.Skipf("axe-core is not in %s and npm does not fetch it: %v: %s", folder, err, out)
		}
	}
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for members := tar.NewReader(unzipped); ; {
		header, err := members.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s holds no axe.min.js", archive)
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Name == "package/axe.min.js" {
			program, err := io.ReadAll(members)
			if err != nil {
				t.Fatal(err)
			}
			return string(program)
		}
	}
}

// violation is a fault axe-core found.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML string }
}

// TestAccessible checks the page, at both widths and with each dialog open: no fault that axe-core calls serious or critical, and
// none of another rank either.
func TestAccessible(t *testing.T) {
	program := axe(t)
	ctx := browser(t)
	dir := newSet(t, 20, "earth", "mars")
	address, token := serve(t, dir, ServeOptions{})
	for _, width := range []int64{1440, 390} {
		p := open(t, ctx, address+"/?token="+token, width, 900)
		if value[bool](p, program+"; true") != true {
			t.Fatal("axe-core does not run")
		}
		for _, shown := range []struct{ what, open, close string }{
			{"grid", `select(0, 2, true)`, ``}, {"large picture", `showLarge()`, `byId('large').close()`}, {"help", `byId('keys').showModal()`, `byId('keys').close()`},
			{"question", `byId('class').value = 'class:mars', renameClass()`, `byId('ask').close()`}, {"empty trash", `byId('class').value = 'trash', load()`, ``},
		} {
			value[bool](p, `(async () => { `+shown.open+`; await new Promise((done) => setTimeout(done, 300)); return true; })()`, chromedp.EvalAwaitPromise)
			found := value[[]violation](p, `axe.run().then((r) => r.violations)`, chromedp.EvalAwaitPromise)
			for _, v := range found {
				var where []string
				for _, node := range v.Nodes[:min(3, len(v.Nodes))] {
					where = append(where, fmt.Sprintf("%.120s", node.HTML))
				}
				t.Errorf("%s at %d pixels: %s (%s): %s: %s", shown.what, width, v.ID, v.Impact, v.Help, strings.Join(where, "; "))
			}
			value[bool](p, `(() => { `+shown.close+`; return true; })()`)
		}
	}
}
