package trainer

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nvjpegtest"

	"github.com/wangkuiyi/orrery/data"
	"github.com/wangkuiyi/orrery/internal/testdata"
)

// jpegSet is a set of 20 JPEG files of colour, and in each class one that the stand-in refuses, a grey one, and a PNG.
func jpegSet(t *testing.T) *data.Dataset {
	t.Helper()
	dir := t.TempDir()
	for class, name := range []string{"a", "b"} {
		write := func(file string, content []byte) {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name, file), content, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 10 {
			write(fmt.Sprintf("%d.jpg", i), nvjpegtest.JPEG(t, 48+i, 40, 1+class, false))
		}
		write("refused.jpg", nvjpegtest.Refused(nvjpegtest.JPEG(t, 48, 40, 1+class, false)))
		write("grey.jpg", nvjpegtest.JPEG(t, 48, 40, 1+class, true))
		picture := image.NewNRGBA(image.Rect(0, 0, 48, 40))
		picture.SetNRGBA(0, 0, color.NRGBA{50, 60, 70, 255})
		testdata.WritePNG(t, filepath.Join(dir, name, "picture.png"), picture)
	}
	return openSet(t, dir)
}

func standIn(t *testing.T) *torch.NVJPEG {
	t.Helper()
	t.Setenv("GOTORCH_NVJPEG", nvjpegtest.StandIn(t))
	decoder, err := torch.OpenNVJPEG(torch.CPU)
	if err != nil {
		t.Fatal(err)
	}
	return decoder
}

// batched opens a set with the stand-in; the log is complete when they are closed.
func batched(t *testing.T, recipe Recipe, set *data.Dataset, store string) (data.Pictures, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	pictures, err := keepBatched(recipe, set, store, standIn(t), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return pictures, &log
}

// Many ask, nvJPEG decodes in batches what it can and the processor the rest, and the store keeps it for the next run.
func TestPicturesByNVJPEG(t *testing.T) {
	set, store := jpegSet(t), t.TempDir()
	recipe := quick()
	plain := recipe.Pictures(set)
	for run, says := range []string{"pictures=20 ", ""} {
		pictures, log := batched(t, recipe, set, store)
		got := make([]*data.Picture, len(set.Samples))
		var all sync.WaitGroup
		for i := range set.Samples {
			all.Go(func() {
				p, err := pictures.Picture(i)
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = p
			})
		}
		all.Wait()
		for i, sample := range set.Samples {
			want, err := plain.Picture(i)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Base(sample.Path)
			whole := strings.HasSuffix(name, ".jpg") && len(name) == len("0.jpg")
			if nvjpegtest.Marked(got[i].Pix) != whole {
				t.Errorf("%s: marked %t", sample.Path, !whole)
			}
			if from := map[bool]int{true: 4}[whole]; !bytes.Equal(got[i].Pix[from:], want.Pix[from:]) {
				t.Errorf("%s differs from what the processor decodes", sample.Path)
			}
		}
		if err := pictures.Close(); err != nil {
			t.Fatal(err)
		}
		if says == "" && strings.Contains(log.String(), "nvJPEG decoded") || !strings.Contains(log.String(), says) ||
			says != "" && !strings.Contains(log.String(), "left_to_the_processor=4") {
			t.Errorf("run %d: the log says %s", run, log)
		}
	}
}

// Callers that wait together are decoded together.
func TestBatchDecoderGathers(t *testing.T) {
	b := newBatchDecoder(standIn(t))
	file := nvjpegtest.JPEG(t, 640, 480, 1, false)
	const callers = 100
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			pix := make([]byte, 4*640*480)
			if err := b.DecodeJPEG(pix, file, 640, 480); err != nil || !nvjpegtest.Marked(pix) || pix[3] != 255 || pix[len(pix)-1] != 255 {
				t.Errorf("%v, %v ... %v", err, pix[:4], pix[len(pix)-4:])
			}
		})
	}
	all.Wait()
	b.close()
	if b.decoded != callers || b.batches > callers/2 {
		t.Errorf("%d pictures in %d batches", b.decoded, b.batches)
	}
	if err := b.DecodeJPEG(make([]byte, 4*640*480), file, 640, 480); err != errDecoderClosed {
		t.Errorf("closed: %v", err)
	}
}

// A training whose pictures lie on the device has them decoded so.
func TestTrainingByNVJPEG(t *testing.T) {
	recipe := quick()
	recipe.Pixels, recipe.Epochs, recipe.BatchSize, recipe.Decoder = "fast", 1, 4, DecoderNVJPEG
	set := jpegSet(t)
	pictures, log := batched(t, recipe, set, data.StoreOff)
	run := newRun(t, recipe)
	o := options(run, set)
	o.Pictures, o.lateOnCPU, o.residentOnCPU = pictures, 2, true
	result, err := Fit(t.Context(), recipe, set, o)
	if err != nil || result.SkippedImages != 0 {
		t.Fatal(err, result)
	}
	closeRun(t, run)
	if err := pictures.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "pictures=20 ") {
		t.Errorf("the log says %s", log)
	}
}

// Where nvJPEG is asked for and cannot be had, one line says why and the processor decodes.
func TestNVJPEGThatIsNotThere(t *testing.T) {
	if torch.IsCUDAAvailable() {
		t.Skip("there is a GPU")
	}
	set := jpegSet(t)
	for device, says := range map[string]string{"cpu": "the training is on the CPU", "auto": torch.Library().CUDA, "cuda": "there is no GPU to use"} {
		recipe := quick()
		recipe.Device, recipe.Decoder = device, DecoderNVJPEG
		var log bytes.Buffer
		pictures, err := recipe.OpenPictures(set, data.StoreOff, nil, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "level=WARN") || !strings.Contains(text, says) {
			t.Errorf("%s: the log says %s", device, text)
		}
		if p, err := pictures.Picture(0); err != nil || nvjpegtest.Marked(p.Pix) {
			t.Errorf("%s: %v", device, err)
		}
		if err := pictures.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
