package live

import (
	"fmt"
	"image/png"
	"net/http"
	"os"
	"strconv"
)

// servePicture answers with one of the run's pictures.
func (w *watched) servePicture(out http.ResponseWriter, name string) {
	for _, known := range shownPlots {
		if name != known {
			continue
		}
		if info, err := regular(w.root, "plots/"+name); err == nil && info.Size() <= 4*smallFile {
			if text, err := w.root.ReadFile("plots/" + name); err == nil {
				out.Header().Set("Content-Type", "image/png")
				_, _ = out.Write(text) // a viewer that left needs no answer
				return
			}
		}
	}
	http.Error(out, "no such picture", http.StatusNotFound)
}

// serveLayer answers with a layer's color_dim.
func (w *watched) serveLayer(out http.ResponseWriter, index string) {
	w.mu.Lock()
	a := w.layers
	w.mu.Unlock()
	i, err := strconv.Atoi(index)
	if a == nil || err != nil || i < 0 || i >= len(a.Modules) || len(a.Steps) == 0 {
		http.Error(out, "no such layer", http.StatusNotFound)
		return
	}
	out.Header().Set("Content-Type", "image/png")
	_ = png.Encode(out, a.ColorDimImage(i, 600)) // a viewer that left needs no answer
}

// write replaces a file of the run folder.
func (w *watched) write(name string, content []byte) error {
	temporary := "." + name + ".tmp"
	// A link of this name, wherever it points, must not be written through.
	if err := w.root.Remove(temporary); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := w.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = w.root.Rename(temporary, name)
	}
	if err != nil {
		_ = w.root.Remove(temporary)
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return nil
}
