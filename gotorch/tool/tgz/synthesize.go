package tgz

import (
	"archive/tar"
	"bytes"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
)

// SynthesizeTarball writes the archive of [Synthesize] to input.tar.gz in dir, for tests, and
// returns its path.
func SynthesizeTarball(dir string) (string, error) {
	fn := filepath.Join(dir, "input.tar.gz")
	w, err := CreateFile(fn)
	if err != nil {
		return "", err
	}
	if err := Synthesize(w); err != nil {
		w.Close()
		return "", err
	}
	return fn, w.Close()
}

// Synthesize writes a set of pictures in folders named after their classes: two of 0 and two of 1
// under mnist/training, one of 0 under mnist/testing, all blue PNG files of 2x2 pixels.
func Synthesize(w *Writer) error {
	picture := image.NewRGBA(image.Rect(0, 0, 2, 2))
	for i := range 4 {
		picture.Set(i%2, i/2, color.RGBA{B: 255, A: 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return err
	}
	for _, set := range []struct {
		name    string
		classes map[string][]string
		order   []string
	}{
		{"training", map[string][]string{"0": {"first", "second"}, "1": {"first", "second"}}, []string{"0", "1"}},
		{"testing", map[string][]string{"0": {"first"}}, []string{"0"}},
	} {
		dirs := []string{"mnist/" + set.name + "/"}
		if set.name == "training" {
			dirs = append([]string{"mnist/"}, dirs...)
		}
		for _, d := range dirs {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o700}); err != nil {
				return err
			}
		}
		for _, class := range set.order {
			d := "mnist/" + set.name + "/" + class + "/"
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d, Mode: 0o700}); err != nil {
				return err
			}
			for _, name := range set.classes[class] {
				h := &tar.Header{Name: d + name + ".png", Mode: 0o600, Size: int64(b.Len())}
				if err := w.WriteHeader(h); err != nil {
					return err
				}
				if _, err := w.Write(b.Bytes()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
