package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wangkuiyi/orrery/collect/clean"
	"github.com/wangkuiyi/orrery/internal/browser"
)

// TestCleanByARun trains on a set, then mislabels a picture and adds one: the network of the run finds the first, and sees the second.
func TestCleanByARun(t *testing.T) {
	set, dir := photos(t, 30, "blue", "green", "red"), t.TempDir()
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "6", "-o", "run"))
	if err := os.Rename(filepath.Join(set, "red", "000.png"), filepath.Join(set, "blue", "900.png")); err != nil {
		t.Fatal(err)
	}
	list := func(arguments ...string) []clean.Item {
		t.Helper()
		o := mustSucceed(t, orrery(t, dir, append([]string{"clean", set, "--list", "--json", "--run", "run"}, arguments...)...))
		return decode[[]clean.Item](t, o.stdout)
	}
	worst := list("--sort", "highest-loss")
	if len(worst) != 90 || worst[0].File != "blue/900.png" || worst[0].Predicted != "red" || worst[0].Loss < 0.7 {
		t.Errorf("the highest loss of %d is that of %+v, want the picture in the wrong class", len(worst), worst[0])
	}
	for _, item := range worst {
		if item.Predicted == "" || item.Probability < 1./3 {
			t.Fatalf("the network did not see %+v", item)
		}
	}
	if otherwise := list("--filter", "predicted-otherwise"); len(otherwise) == 0 || len(otherwise) > 20 || otherwise[0].File != "blue/900.png" {
		t.Errorf("%d are predicted otherwise, the first %+v", len(otherwise), otherwise[:1])
	}
	least := list("--sort", "lowest-confidence")
	if least[0].Probability > least[len(least)-1].Probability {
		t.Errorf("confidence goes from %g to %g", least[0].Probability, least[len(least)-1].Probability)
	}
	fails(t, orrery(t, dir, "clean", set, "--list", "--run", "nowhere"), exitFailed, "nowhere")
	fails(t, orrery(t, dir, "clean", set, "--run", set), exitFailed, "not a finished run")
	fails(t, orrery(t, dir, "clean", set, "--list", "--sort", "size"), exitUsage, "highest-loss")

	tab := browser.Open(t)
	address, _ := cleanPage(t, dir, set, "--run", "run")
	tab.Size(t, 1440, 900)
	tab.Do(t, chromedp.Navigate(address))
	tab.Until(t, `state.predictions && state.asked === state.to_ask && items.length === 90`)
	browser.Eval[bool](t, tab, `(byId('sort').value = 'highest-loss', byId('sort').dispatchEvent(new Event('change')))`)
	tab.Until(t, `items[0].file === 'blue/900.png' && document.querySelector('.tile[aria-posinset="1"] .facts').textContent.includes('→ red')`)
	tab.Window(t, "clean-by-run")
	browser.Eval[bool](t, tab, fmt.Sprintf(`(act('move', %q), true)`, "red")) // where it belongs
	tab.Until(t, `items[0].file !== 'blue/900.png' && items.find((i) => i.file === 'red/900.png').loss < items[0].loss`)
}

func TestCleanVerbs(t *testing.T) {
	set, dir := photos(t, 3, "blue", "red"), t.TempDir()
	c := command(t, dir, "clean", set, "--apply", "-", "--json")
	c.Stdin = strings.NewReader("trash red/000.png\nmove red/001.png blue\n")
	if applied := decode[clean.Applied](t, mustSucceed(t, finish(t, c)).stdout); applied.Moved != 2 || applied.Steps != 1 {
		t.Errorf("%+v", applied)
	}
	if o := mustSucceed(t, orrery(t, dir, "clean", set, "--list", "--trash")); !strings.HasPrefix(o.stdout, ".trash/red/000.png\t") {
		t.Errorf("the trash holds\n%s", o.stdout)
	}
	fails(t, orrery(t, dir, "clean", set, "--listen", "0.0.0.0:0"), exitFailed, "this machine only")
	if o := mustSucceed(t, orrery(t, dir, "clean", set, "--empty-trash")); !strings.HasPrefix(o.stdout, "1 picture") {
		t.Errorf("printed %s", o.stdout)
	}
	if entries, err := os.ReadDir(filepath.Join(set, ".trash")); err == nil {
		t.Errorf("the trash still holds %v", entries)
	}
}
