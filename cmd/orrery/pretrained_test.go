package main

import (
	"archive/zip"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/trainer"
)

// TestPretrainedOfAnotherClassCount starts from a run of three classes to tell two apart: all but the head is taken over.
func TestPretrainedOfAnotherClassCount(t *testing.T) {
	dir := t.TempDir()
	mustSucceed(t, trainSmall(t, dir, photos(t, 10, "blue", "green", "red"), "--epochs", "1", "-o", "three"))
	o := mustSucceed(t, trainSmall(t, dir, photos(t, 10, "blue", "red"), "--epochs", "1", "-o", "two", "--pretrained", "three/model.safetensors", "--json"))
	if r := decode[trainer.Result](t, o.stdout); len(r.Classes) != 2 {
		t.Errorf("%d classes", len(r.Classes))
	}
	for _, word := range []string{"pretrained weights", "resized", "fresh=true"} {
		if !strings.Contains(o.stderr, word) {
			t.Errorf("the table of weights lacks %q:\n%s", word, o.stderr)
		}
	}
}

// TestPretrainedThatIsNone has files that are no weights of the network: each is refused with one line that
// names it, and none of them runs anything.
func TestPretrainedThatIsNone(t *testing.T) {
	set, dir := photos(t, 10, "blue", "red"), t.TempDir()
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "-o", "run"))
	weights := []byte(read(t, filepath.Join(dir, "run", "model.safetensors")))
	files := map[string][]byte{
		"half.safetensors":   weights[:len(weights)/2],
		"header.safetensors": append(binary.LittleEndian.AppendUint64(nil, 1<<62), weights[8:]...),
		"page.safetensors":   []byte("<!DOCTYPE html><html><body>404</body></html>"),
		"empty.pth":          nil,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	marker := filepath.Join(dir, "executed")
	hostile(t, filepath.Join(dir, "hostile.pth"), "touch "+marker)
	refused := func(name string, words ...string) {
		t.Helper()
		o := trainSmall(t, dir, set, "--epochs", "1", "-o", "none", "--pretrained", name)
		fails(t, o, exitFailed, append(words, name)...)
		if strings.Contains(o.stderr, "panic") || strings.Contains(o.stderr, "goroutine") || o.stdout != "" && strings.Contains(o.stdout, "accuracy 0") {
			t.Errorf("%s: %s%s", name, o.stdout, o.stderr)
		}
		os.RemoveAll(filepath.Join(dir, "none"))
	}
	for name := range files {
		refused(name)
	}
	refused("hostile.pth", "system")
	refused("nowhere.pth")
	if _, err := os.Stat(marker); err == nil {
		t.Error("the pickle ran its command")
	}
	o := trainSmall(t, dir, set, "--epochs", "1", "-o", "none", "--model", "resnet9", "--pretrained", "run/model.safetensors")
	fails(t, o, exitFailed, "run/model.safetensors", "resnet9")
}

// hostile writes a file in torch.save's form whose pickle has os.system run the command.
func hostile(t *testing.T, path, command string) {
	t.Helper()
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(command)))
	zipFile(t, path, map[string]string{"x/data.pkl": "\x80\x02cposix\nsystem\nX" + string(length) + command + "\x85R.", "x/version": "3\n"})
}

// zipFile writes an archive of texts by name, uncompressed as torch.save's are.
func zipFile(t *testing.T, path string, members map[string]string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := zip.NewWriter(f)
	for name, text := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestPredictExtremeSizes has one pixel, which is a picture, and a header that claims 20,000 x 20,000, which is refused in one line.
func TestPredictExtremeSizes(t *testing.T) {
	set, dir := photos(t, 10, "blue", "red"), t.TempDir()
	mustSucceed(t, trainSmall(t, dir, set, "--epochs", "1", "-o", "run"))
	f, err := os.Create(filepath.Join(dir, "one.png"))
	if err == nil {
		err = png.Encode(f, image.NewNRGBA(image.Rect(0, 0, 1, 1)))
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), 20000)
	header = append(binary.BigEndian.AppendUint32(header, 20000), 8, 2, 0, 0, 0)
	huge := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	huge = append(binary.BigEndian.AppendUint32(huge, crc32.ChecksumIEEE(header)), make([]byte, 64<<10)...)
	if err := os.WriteFile(filepath.Join(dir, "huge.png"), huge, 0o644); err != nil {
		t.Fatal(err)
	}
	o := orrery(t, dir, "predict", "run", "one.png", "huge.png", "--json")
	p := decode[[]trainer.Prediction](t, o.stdout)
	if o.code != exitFailed || len(p) != 2 || p[0].Error != "" || p[0].Class == "" || !strings.Contains(p[1].Error, "20000") || strings.Contains(p[1].Error, "\n") {
		t.Errorf("exit code %d: %+v", o.code, p)
	}
}
