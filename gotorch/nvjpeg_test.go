package gotorch_test

import (
	"bytes"
	"errors"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/nvjpegtest"
)

func openNVJPEG(t *testing.T, library string) *torch.NVJPEG {
	t.Helper()
	t.Setenv("GOTORCH_NVJPEG", library)
	d, err := torch.OpenNVJPEG(torch.CPU)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func jpegFile(width, height int, content []byte) torch.JPEGFile {
	return torch.JPEGFile{Content: content, Width: width, Height: height, RGB: bytes.Repeat([]byte{77}, 3*width*height)}
}

// checkDecoded compares with Go's decoder, whose colours are a little blunter at edges.
func checkDecoded(t *testing.T, f torch.JPEGFile) {
	t.Helper()
	if !nvjpegtest.Marked(f.RGB) {
		t.Fatalf("the first pixel is %v", f.RGB[:3])
	}
	m, err := jpeg.Decode(bytes.NewReader(f.Content))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for y := range f.Height {
		for x := range f.Width {
			r, g, b, _ := m.At(x, y).RGBA()
			for c, want := range []uint32{r, g, b} {
				if x+y > 0 {
					d := int(f.RGB[3*(y*f.Width+x)+c]) - int(want>>8)
					sum += max(d, -d)
				}
			}
		}
	}
	if mean := float64(sum) / float64(len(f.RGB)); mean > 4 {
		t.Errorf("%dx%d: %.1f levels from what Go decodes", f.Width, f.Height, mean)
	}
}

// A batch is decoded whole; one with a file that cannot be is decoded file by file, and the error is that file's.
func TestNVJPEGDecodesBatches(t *testing.T) {
	d := openNVJPEG(t, nvjpegtest.StandIn(t))
	if d.Version() != "97.98.99" {
		t.Errorf("version %q", d.Version())
	}
	good := func(seed int) torch.JPEGFile {
		return jpegFile(64+seed, 48, nvjpegtest.JPEG(t, 64+seed, 48, seed, false))
	}
	for _, n := range []int{1, 5, 5, 3} {
		var files []torch.JPEGFile
		for i := range n {
			files = append(files, good(i))
		}
		errs, err := d.Decode(files)
		if err != nil || errors.Join(errs...) != nil {
			t.Fatal(err, errs)
		}
		for _, f := range files {
			checkDecoded(t, f)
		}
	}
	other := good(1)
	other.Width--
	other.RGB = other.RGB[3*other.Height:]
	files := []torch.JPEGFile{
		good(0),
		jpegFile(64, 48, nvjpegtest.Refused(nvjpegtest.JPEG(t, 64, 48, 1, false))),
		jpegFile(32, 32, nvjpegtest.JPEG(t, 32, 32, 2, true)),
		jpegFile(32, 32, []byte("no picture")),
		other,
		good(3),
	}
	errs, err := d.Decode(files)
	if err != nil {
		t.Fatal(err)
	}
	for i, says := range []string{"", "nvjpegDecode: bad JPEG", "1 colour components", "nvjpegGetImageInfo: bad JPEG", "nvJPEG sees 65x48 pixels", ""} {
		switch {
		case says == "" && errs[i] == nil:
			checkDecoded(t, files[i])
		case says == "" || errs[i] == nil || errs[i].Error() != says:
			t.Errorf("file %d: %v, want %q", i, errs[i], says)
		case slices.IndexFunc(files[i].RGB, func(b byte) bool { return b != 77 }) >= 0:
			t.Errorf("file %d: something was written", i)
		}
	}
	if errs, err := d.Decode(nil); errs != nil || err != nil {
		t.Errorf("nothing: %v, %v", errs, err)
	}
	small := good(0)
	small.RGB = small.RGB[1:]
	if _, err := d.Decode([]torch.JPEGFile{small}); err == nil || !strings.Contains(err.Error(), "room for 9215 bytes") {
		t.Errorf("without room: %v", err)
	}
	d.Close()
	if _, err := d.Decode(files); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("closed: %v", err)
	}
}

// What is missing is said: the library, a function of it, the GPU it wants, ours.
func TestNVJPEGSaysWhatIsMissing(t *testing.T) {
	for library, says := range map[string]string{
		"/nowhere/libnvjpeg.so.13":                          "/nowhere/libnvjpeg.so.13: cannot open shared object file",
		nvjpegtest.StandIn(t, nvjpegtest.NoBatches):         "has no function nvjpegDecodeBatched",
		nvjpegtest.StandIn(t, nvjpegtest.NoGPU):             "nvjpegCreateSimple: status 6, execution failed, or no GPU",
		filepath.Join(torch.Library().TorchDir, "lib/x.so"): "lib/x.so: cannot open",
	} {
		t.Setenv("GOTORCH_NVJPEG", library)
		if _, err := torch.OpenNVJPEG(torch.CPU); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "pip install nvidia-nvjpeg") {
			t.Errorf("%s: %v, want %q", library, err, says)
		}
	}
	t.Setenv("GOTORCH_NVJPEG", "")
	if _, err := torch.OpenNVJPEG(torch.CPU); err == nil || !strings.Contains(err.Error(), "libnvjpeg.so.") {
		t.Errorf("by its name: %v", err)
	}
	if !torch.IsCUDAAvailable() {
		if _, err := torch.OpenNVJPEG(torch.NewDevice("cuda:0")); err == nil || !strings.Contains(err.Error(), torch.Library().CUDAKernels) {
			t.Errorf("without a GPU: %v", err)
		}
	}
}

// NVIDIA's own library opens, with every function we call, and finds no GPU.
func TestNVJPEGItselfWithoutGPU(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	found, _ := filepath.Glob(filepath.Join(cache, "orrery", "cuda-*", "nvidia", "cu*", "lib", "libnvjpeg.so.*"))
	if len(found) == 0 {
		t.Skip("nvJPEG is not in the user's cache; make cuda fetches it")
	}
	if torch.IsCUDAAvailable() {
		t.Skip("there is a GPU")
	}
	t.Setenv("GOTORCH_NVJPEG", found[0])
	if _, err := torch.OpenNVJPEG(torch.CPU); err == nil || !strings.Contains(err.Error(), "nvjpegCreateSimple: status ") {
		t.Errorf("%v", err)
	}
}

// On a GPU the pixels are those of the processor's decoders, within a few levels.
func TestNVJPEGOnGPU(t *testing.T) {
	device := needGPU(t)
	d, err := torch.OpenNVJPEG(device)
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	var files []torch.JPEGFile
	for i := range 9 {
		files = append(files, jpegFile(200+i, 100, nvjpegtest.JPEG(t, 200+i, 100, i, false)))
	}
	errs, err := d.Decode(files)
	if err != nil || errors.Join(errs...) != nil {
		t.Fatal(err, errs)
	}
	for _, f := range files {
		copy(f.RGB, []byte{1, 2, 3}) // what checkDecoded wants of a stand-in
		checkDecoded(t, f)
	}
}
