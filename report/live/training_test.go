package live

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wangkuiyi/orrery/internal/browser"
)

// The page beside a real training: $ORRERY_BIN names the binary that trains.
func TestLivePageDuringTraining(t *testing.T) {
	binary := os.Getenv("ORRERY_BIN")
	if binary == "" {
		t.Skip("set ORRERY_BIN to the orrery binary to watch a real training")
	}
	photos, runs := t.TempDir(), t.TempDir()
	drawPhotos(t, photos)
	s := open(t, runs)
	tab := browser.Open(t)
	tab.Do(t, chromedp.Navigate(s.address))
	tab.Until(t, `document.getElementById("title").textContent === "Waiting for a run"`)

	dir := filepath.Join(runs, "discs")
	command := exec.Command(binary, "train", photos, "--epochs", "3", "-b", "8", "--item-size", "96", "--size", "64", "-o", dir)
	printed, err := os.Create(filepath.Join(t.TempDir(), "printed"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if text, err := os.ReadFile(printed.Name()); t.Failed() && err == nil {
			t.Logf("%s", text)
		}
		release(printed)
	})
	command.Stdout, command.Stderr = printed, printed
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() { _ = command.Process.Kill() }) // it has ended by then unless the test failed

	tab.Until(t, `document.getElementById("title").textContent === "discs"`)
	tab.Until(t, `document.querySelectorAll("#epochs tbody tr").length >= 1`)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	tab.Until(t, `document.getElementById("status").textContent === "finished" && document.querySelectorAll("#epochs tbody tr").length === 3`)
	tab.Until(t, `document.querySelectorAll("#confusion tbody tr").length === 2 && [...document.images].length > 0 && [...document.images].every(i => i.complete && i.naturalWidth > 0)`)
	checkValues(t, tab, dir)
	if got := tab.Problems(); len(got) != 0 {
		t.Errorf("script errors: %q", got)
	}
	tab.Screenshot(t, "live-training")
}

// drawPhotos makes two classes that even a short training tells apart.
func drawPhotos(t *testing.T, dir string) {
	t.Helper()
	random := rand.New(rand.NewPCG(5, 6))
	for i := range 80 {
		class := []string{"blue", "red"}[i%2]
		m := image.NewRGBA(image.Rect(0, 0, 120, 90))
		for p := 0; p < len(m.Pix); p += 4 {
			m.Pix[p], m.Pix[p+1], m.Pix[p+2], m.Pix[p+3] = 20, 20, 20, 255
		}
		x, y := 30+random.IntN(60), 30+random.IntN(30)
		c := color.RGBA{uint8(40 + 160*(i%2)), 60, uint8(200 - 160*(i%2)), 255}
		for dy := -20; dy <= 20; dy++ {
			for dx := -20; dx <= 20; dx++ {
				if dx*dx+dy*dy <= 400 {
					m.SetRGBA(x+dx, y+dy, c)
				}
			}
		}
		path := filepath.Join(dir, class, fmt.Sprintf("%02d.jpg", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := jpeg.Encode(f, m, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
