package clean

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/internal/browser"
)

// axe returns the program of axe-core, which scripts/setup/axe.sh fetches from npm, or skips the test.
func axe(t *testing.T) string {
	t.Helper()
	if os.Getenv("ORRERY_AXE") == "" {
		t.Skip("no $ORRERY_AXE: make setup-test fetches axe-core, scripts/setup/env.sh says where it is")
	}
	program, err := os.ReadFile(os.Getenv("ORRERY_AXE"))
	if err != nil {
		t.Fatal(err)
	}
	return string(program)
}

// violation is a fault axe-core found.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML string }
}

// TestAccessible checks the page, wide, dark and narrow, and with each dialog open: no fault that axe-core calls serious or critical, and
// none of another rank either.
func TestAccessible(t *testing.T) {
	program := axe(t)
	b := browser.Open(t)
	dir := newSet(t, 20, "earth", "mars")
	address, token := serve(t, dir, ServeOptions{})
	for _, look := range []struct {
		width  int64
		scheme string
	}{{1440, "light"}, {1440, "dark"}, {390, "light"}} {
		b.Scheme(t, look.scheme)
		p := open(t, b, address+"/?token="+token, look.width, 900)
		if value[bool](p, program+"; true") != true {
			t.Fatal("axe-core does not run")
		}
		for _, shown := range []struct{ what, open, close string }{
			{"grid", `select(0, 2, true)`, ``}, {"large picture", `showLarge()`, `byId('large').close()`}, {"help", `byId('keys').showModal()`, `byId('keys').close()`},
			{"question", `byId('class').value = 'class:mars', renameClass()`, `byId('ask').close()`}, {"empty trash", `byId('class').value = 'trash', load()`, ``},
		} {
			value[bool](p, `(async () => { `+shown.open+`; await new Promise((done) => setTimeout(done, 300)); return true; })()`)
			found := value[[]violation](p, `axe.run().then((r) => r.violations)`)
			for _, v := range found {
				var where []string
				for _, node := range v.Nodes[:min(3, len(v.Nodes))] {
					where = append(where, fmt.Sprintf("%.120s", node.HTML))
				}
				t.Errorf("%s, %d pixels, %s: %s (%s): %s: %s", shown.what, look.width, look.scheme, v.ID, v.Impact, v.Help, strings.Join(where, "; "))
			}
			value[bool](p, `(() => { `+shown.close+`; return true; })()`)
		}
	}
}
