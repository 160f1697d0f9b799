package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wangkuiyi/orrery/collect"
	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/pack"
	"github.com/wangkuiyi/orrery/internal/browser"
	"github.com/wangkuiyi/orrery/trainer"
)

var planetClasses = []string{"earth", "jupiter", "neptune", "saturn"}

// long reports whether the tests take their long form.
func long() bool { return os.Getenv("ORRERY_LONG") != "" }

// world starts stand-ins for the picture services and sends the orrery processes of this test to them.
func world(t *testing.T, each, width, height int) *collecttest.World {
	t.Helper()
	w := collecttest.New(t)
	w.Width, w.Height = width, height
	for _, class := range planetClasses {
		w.Fill(each, class)
		w.Results[class+" planet"] = w.Results[class]
	}
	for name, address := range w.Bases() {
		t.Setenv("ORRERY_"+strings.ToUpper(name)+"_URL", address)
	}
	return w
}

// finishWatched is finish, and tells the most memory, in bytes, that the process had resident. The kernel's own figure for a child that
// has ended counts its parent's memory in, from before the child became another program.
func finishWatched(t *testing.T, c *exec.Cmd) (o outcome, most int64) {
	t.Helper()
	var stdout, stderr strings.Builder
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case <-ended:
			return outcome{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}, most
		case <-time.After(10 * time.Millisecond):
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
			if err != nil {
				continue
			}
			if _, line, found := strings.Cut(string(status), "VmHWM:"); found {
				var kilobytes int64
				_, _ = fmt.Sscan(line, &kilobytes)
				most = max(most, kilobytes<<10)
			}
		}
	}
}

// memoryBound is what a collecting process may take.
const memoryBound = 150 << 20

// collectPlanets are the arguments that collect from a world.
func collectPlanets(into string, most int, more ...string) []string {
	arguments := append([]string{"collect"}, planetClasses...)
	return append(append(arguments, "--into", into, "--max", fmt.Sprint(most), "--query", "{class} planet", "--allow-private"), more...)
}

// TestFromSearchToNetwork goes the whole way, each step an orrery process: four classes collected, cleaned in a browser by click and by
// key with undo, packed, unpacked, credited and trained on. With ORRERY_LONG 200 pictures of each class.
func TestFromSearchToNetwork(t *testing.T) {
	each := 20
	if long() {
		each = 200
	}
	tab := browser.Open(t)
	w := world(t, each+each/20+1, 160, 120)
	w.Results["earth planet"] = append([]string{"/html/x.jpg", "/404/x.jpg", "/again/earth-0.jpg", "/smaller/earth-1.jpg"}, w.Results["earth planet"]...)
	dir := t.TempDir()
	o, most := finishWatched(t, command(t, dir, collectPlanets("planets", each, "--json")...))
	mustSucceed(t, o)
	for class, got := range decode[collect.Summary](t, o.stdout).Classes {
		if got.Kept != each || got.Wanted != each {
			t.Fatalf("%s: %+v, want %d kept", class, got, each)
		}
	}
	if most == 0 || most > memoryBound {
		t.Errorf("collecting took %d MB", most>>20)
	}

	address, stop := cleanPage(t, dir, "planets")
	tab.Size(t, 1440, 900)
	tab.Do(t, chromedp.Navigate(address))
	tab.Until(t, fmt.Sprintf(`items.length === %d && document.activeElement === grid`, 4*each))
	browser.Eval[bool](t, tab, `(byId('class').value = 'class:saturn', byId('class').dispatchEvent(new Event('change')))`)
	tab.Until(t, fmt.Sprintf(`items.length === %d`, each))
	for i := 1; i <= 3; i++ {
		tab.Click(t, fmt.Sprintf(`.tile[aria-posinset="%d"]`, 2*i))
	}
	tab.Until(t, `selected.size === 3`)
	tab.Click(t, "#trash")
	tab.Until(t, fmt.Sprintf(`items.length === %d`, each-3))
	tab.Do(t, chromedp.Focus(chromedp.CSS("#grid")))
	tab.Keys(t, kb.End)
	tab.Keys(t, kb.ArrowLeft, chromedp.ModifierShift)
	tab.Until(t, `selected.size === 2`)
	tab.Keys(t, "1") // to earth
	tab.Until(t, fmt.Sprintf(`state.undos === 2 && items.length === %d`, each-5))
	tab.Keys(t, "z", chromedp.ModifierCtrl)
	tab.Until(t, fmt.Sprintf(`state.undos === 1 && items.length === %d`, each-3))
	tab.Keys(t, kb.Enter)
	tab.Until(t, `byId('large').open && byId('large-facts').textContent.includes('CC') && byId('large-picture').naturalWidth === 160`)
	tab.Keys(t, kb.Escape)

	mustSucceed(t, orrery(t, dir, "pack", "planets", "planets.zip")) // while the page is open
	tab.Do(t, chromedp.Navigate("about:blank"))
	stop()
	unpacked := decode[pack.Summary](t, mustSucceed(t, orrery(t, dir, "unpack", "planets.zip", "again", "--json")).stdout)
	left := 4*each - 3
	if unpacked.Pictures != left || unpacked.Verified != left || unpacked.Classes["saturn"] != each-3 {
		t.Errorf("unpacked %+v, want %d pictures, %d of saturn", unpacked, left, each-3)
	}
	credits := decode[collect.Credits](t, mustSucceed(t, orrery(t, dir, "data", "attribution", "again", "--json")).stdout)
	if len(credits.Credits) != left || credits.Unknown != 0 {
		t.Errorf("%d credits, %d unknown", len(credits.Credits), credits.Unknown)
	}
	if text := mustSucceed(t, orrery(t, dir, "data", "attribution", "again")).stdout; strings.Count(text, "CC BY-SA 4.0")+strings.Count(text, "CC0") != left {
		t.Errorf("the credits name too few licences:\n%.500s", text)
	}
	result := decode[trainer.Result](t, mustSucceed(t, trainSmall(t, dir, "planets.zip", "--epochs", "1", "--json")).stdout)
	if result.TrainImages+result.ValidImages != left {
		t.Errorf("trained on %d and %d pictures, want %d in all", result.TrainImages, result.ValidImages, left)
	}
}

// cleanPage starts orrery clean and returns its page's address. stop ends it as Ctrl-C does.
func cleanPage(t *testing.T, dir string, arguments ...string) (address string, stop func()) {
	t.Helper()
	c := command(t, dir, append([]string{"clean"}, arguments...)...)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errors strings.Builder
	c.Stderr = &errors
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		_ = c.Process.Signal(os.Interrupt)
		if err := c.Wait(); err != nil {
			t.Errorf("orrery clean: %v: %s", err, errors.String())
		}
	}
	t.Cleanup(stop)
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "http://127.0.0.1:") {
		t.Fatalf("orrery clean printed %q: %s", lines.Text(), errors.String())
	}
	return lines.Text(), stop
}

// TestCollectMany collects pictures of 1024 x 768 from a host with a bandwidth of 4 MB/s and watches memory. With ORRERY_LONG 2,000 of
// them; the log then says how near to the bandwidth it came.
func TestCollectMany(t *testing.T) {
	each := 10
	if long() {
		each = 500
	}
	w := world(t, each, 1024, 768)
	w.Bandwidth = 4_000_000
	bytes := 0
	for _, class := range planetClasses { // drawn before the clock starts
		for _, path := range w.Results[class] {
			bytes += len(w.Picture(strings.TrimPrefix(path, "/picture/")))
		}
	}
	dir := t.TempDir()
	begun := time.Now()
	o, most := finishWatched(t, command(t, dir, collectPlanets("planets", each, "--json")...))
	summary := decode[collect.Summary](t, mustSucceed(t, o).stdout)
	took := time.Since(begun).Seconds()
	for class, got := range summary.Classes {
		if got.Kept != each {
			t.Errorf("%s: %+v, want %d kept", class, got, each)
		}
	}
	t.Logf("%d pictures, %.1f MB in %.1f s, of which the host's bandwidth takes %.1f; at most %d MB resident",
		4*each, float64(bytes)/1e6, took, float64(bytes)/float64(w.Bandwidth), most>>20)
	if most == 0 || most > memoryBound {
		t.Errorf("collecting took %d MB", most>>20)
	}
}

// TestCollectInterrupted ends a collection as Ctrl-C does and goes on with it.
func TestCollectInterrupted(t *testing.T) {
	w := world(t, 40, 160, 120)
	w.Bandwidth = 100_000
	dir := t.TempDir()
	c := command(t, dir, collectPlanets("planets", 40)...)
	var out, progress strings.Builder
	c.Stdout, c.Stderr = &out, &progress
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); w.AskedOf("host") < 20 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	_ = c.Process.Signal(os.Interrupt)
	_ = c.Wait() // the exit code is what is asked for
	if c.ProcessState.ExitCode() != exitInterrupted || !strings.Contains(out.String(), "pictures in planets") {
		t.Errorf("exit code %d, printed %s and %s", c.ProcessState.ExitCode(), out.String(), progress.String())
	}
	before := w.AskedOf("host")
	w.Bandwidth = 0
	summary := decode[collect.Summary](t, mustSucceed(t, orrery(t, dir, collectPlanets("planets", 40, "--json")...)).stdout)
	for class, got := range summary.Classes {
		if got.Kept != 40 || got.New == 0 {
			t.Errorf("%s: %+v, want 40 kept", class, got)
		}
	}
	if again := w.AskedOf("host"); again > before+160 || again-before < 100 {
		t.Errorf("the second run made %d requests after %d", again-before, before)
	}
}

// TestCollectWithFlags asks DuckDuckGo, which warns, for pictures that are then stored smaller; the other services are not asked, and what
// one of them cannot search by is said.
func TestCollectWithFlags(t *testing.T) {
	w := world(t, 3, 300, 200)
	dir := t.TempDir()
	var asked string
	w.Intercept = func(service string, _ http.ResponseWriter, r *http.Request) bool {
		if service == "duckduckgo" && r.URL.Path == "/i.js" {
			asked = r.URL.Query().Get("f")
		}
		return false
	}
	o := mustSucceed(t, orrery(t, dir, "collect", "earth", "--into", "set", "--source", "duckduckgo", "--layout", "wide", "--type", "photo", "--color", "blue",
		"--image-size", "large", "--license", "modification", "--max-side", "120", "--allow-private", "--json"))
	if summary := decode[collect.Summary](t, o.stdout); summary.Classes["earth"].Kept != 3 || w.AskedOf("openverse")+w.AskedOf("commons") != 0 {
		t.Errorf("%+v, the others were asked %d times", summary, w.AskedOf("openverse")+w.AskedOf("commons"))
	}
	if want := ",size:Large,color:Blue,type:photo,layout:Wide,license:Modify"; asked != want {
		t.Errorf("asked with the filters %q, want %q", asked, want)
	}
	if !strings.Contains(o.stderr, "no service for programs") {
		t.Errorf("no warning about duckduckgo: %s", o.stderr)
	}
	if o := mustSucceed(t, orrery(t, dir, "collect", "jupiter", "--into", "set", "--color", "blue", "--allow-private")); strings.Count(o.stderr, "cannot search by colour") != 2 {
		t.Errorf("not said that openverse and commons cannot search by colour: %s", o.stderr)
	}
	for _, wrong := range [][]string{{"--layout", "round"}, {"--license", "free"}, {"--color", "mauve"}, {"--source", "bing"}, {"--max-side", "-1"}} {
		fails(t, orrery(t, dir, append([]string{"collect", "earth", "--into", "other"}, wrong...)...), exitUsage, wrong[1])
	}
}

// TestCollectBars has a terminal: a bar for each class and one for all.
func TestCollectBars(t *testing.T) {
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("no script in PATH, which lends a terminal")
	}
	w := world(t, 5, 80, 60)
	w.Bandwidth = 40_000
	dir := t.TempDir()
	c := command(t, dir)
	words := []string{"stty cols 120 rows 40;"}
	for _, word := range append([]string{c.Path}, collectPlanets("planets", 5)...) {
		words = append(words, "'"+word+"'")
	}
	c.Path, c.Args = script, []string{"script", "-qec", strings.Join(words, " "), "/dev/null"}
	c.Env = append(c.Env, "TERM=xterm")
	o := mustSucceed(t, finish(t, c))
	for _, want := range append([]string{"5/5", "all ", "20/20", "looked at", "20 pictures in planets"}, planetClasses...) {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("the terminal shows no %q:\n%q", want, o.stdout)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "planets", "manifest.jsonl")); err != nil {
		t.Error(err)
	}
}
