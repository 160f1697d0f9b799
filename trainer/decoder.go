package trainer

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"

	torch "github.com/wangkuiyi/gotorch"

	"github.com/wangkuiyi/orrery/data"
)

// The values of Recipe.Decoder.
const (
	DecoderCPU    = "cpu"    // TurboJPEG
	DecoderNVJPEG = "nvjpeg" // NVIDIA's nvJPEG on the GPU that trains, TurboJPEG for what it does not decode
)

// OpenPictures gives the pictures of a set decoded for a training by the recipe and kept as data.Keep does. Where nvJPEG is
// asked for and cannot be used, the log says why and the processor decodes. The caller closes them before the set.
func (r Recipe) OpenPictures(set *data.Dataset, store string, w *World, log *slog.Logger) (data.Pictures, error) {
	if r.Decoder != DecoderNVJPEG {
		return data.Keep(r.Pictures(set), store, log)
	}
	decoder, err := r.openNVJPEG(w)
	if err != nil {
		log.Warn("nvJPEG was asked for and is not in use: the processor decodes", "reason", err)
		return data.Keep(r.Pictures(set), store, log)
	}
	log.Info("nvJPEG decodes JPEG files", "version", decoder.Version(), "library", decoder.Path())
	return keepBatched(r, set, store, decoder, log)
}

func (r Recipe) openNVJPEG(w *World) (*torch.NVJPEG, error) {
	if err := torch.LoadLibrary(); err != nil {
		return nil, err
	}
	device, _, err := resolveDevice(r.Device, w)
	if err != nil {
		return nil, err
	}
	if !device.IsCUDA() {
		return nil, fmt.Errorf("the training is on the CPU (%s)", torch.Library().CUDA)
	}
	return torch.OpenNVJPEG(device)
}

// keepBatched is OpenPictures with nvJPEG open; it closes decoder, at the latest with the pictures.
func keepBatched(r Recipe, set *data.Dataset, store string, decoder *torch.NVJPEG, log *slog.Logger) (data.Pictures, error) {
	b := newBatchDecoder(decoder)
	o := r.DecodeOptions()
	o.JPEG = b
	pictures, err := data.Keep(set.DecodedAs(o), store, log)
	if err != nil {
		b.close()
		return nil, err
	}
	return &batchedPictures{pictures, b, log}, nil
}

type batchedPictures struct {
	data.Pictures
	decoder *batchDecoder
	log     *slog.Logger
}

// Close implements data.Pictures.
func (p *batchedPictures) Close() error {
	err := p.Pictures.Close()
	p.decoder.close()
	if d := p.decoder; d.decoded+d.left > 0 {
		p.log.Info("nvJPEG decoded", "pictures", d.decoded, "batches", d.batches, "left_to_the_processor", d.left, "the_first_because", d.why)
	}
	return err
}

// What goes to nvJPEG at once.
const (
	mostFiles  = 64
	mostPixels = 64 << 20 // of all files but the last: 200 MB on the GPU
)

// batchDecoder is a data.JPEGDecoder that takes the files its callers wait for together to nvJPEG.
type batchDecoder struct {
	decoder *torch.NVJPEG
	version string
	jobs    chan decoding
	quit    chan struct{}
	once    sync.Once
	stopped sync.WaitGroup

	// For the log; written by the goroutine that decodes.
	decoded, batches, left int
	why                    string // the first that was left was left
}

type decoding struct {
	file torch.JPEGFile
	done chan<- error
}

func newBatchDecoder(decoder *torch.NVJPEG) *batchDecoder {
	b := &batchDecoder{decoder: decoder, version: "nvjpeg " + decoder.Version(), jobs: make(chan decoding), quit: make(chan struct{})}
	b.stopped.Go(b.run)
	return b
}

// Version implements data.JPEGDecoder.
func (b *batchDecoder) Version() string { return b.version }

var errDecoderClosed = errors.New("the decoder was closed")

// DecodeJPEG implements data.JPEGDecoder.
func (b *batchDecoder) DecodeJPEG(pix, file []byte, width, height int) error {
	n := width * height
	rgb := pix[n : 4*n] // where the last of them may stay while the first become four bytes each
	done := make(chan error, 1)
	select {
	case b.jobs <- decoding{torch.JPEGFile{Content: file, Width: width, Height: height, RGB: rgb}, done}:
	case <-b.quit:
		return errDecoderClosed
	}
	if err := <-done; err != nil {
		return err
	}
	for i := range n {
		r, g, b := rgb[3*i], rgb[3*i+1], rgb[3*i+2]
		to := pix[4*i : 4*i+4]
		to[0], to[1], to[2], to[3] = r, g, b, 255
	}
	return nil
}

// run decodes until close; all work of the GPU is asked for by one thread.
func (b *batchDecoder) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer b.decoder.Close()
	for {
		select {
		case <-b.quit:
			return
		case first := <-b.jobs:
			b.decode(b.more(first))
		}
	}
}

// more is first with what others wait for now.
func (b *batchDecoder) more(first decoding) []decoding {
	batch, pixels := []decoding{first}, first.file.Width*first.file.Height
	for len(batch) < mostFiles && pixels < mostPixels {
		select {
		case next := <-b.jobs:
			batch = append(batch, next)
			pixels += next.file.Width * next.file.Height
		default:
			return batch
		}
	}
	return batch
}

func (b *batchDecoder) decode(batch []decoding) {
	files := make([]torch.JPEGFile, len(batch))
	for i, d := range batch {
		files[i] = d.file
	}
	errs, err := b.decoder.Decode(files)
	b.batches++
	for i, d := range batch {
		reason := err
		if err == nil {
			reason = errs[i]
		}
		if reason == nil {
			b.decoded++
		} else if b.left++; b.why == "" {
			b.why = strings.ReplaceAll(reason.Error(), "\n", " ")
		}
		d.done <- reason
	}
}

func (b *batchDecoder) close() {
	b.once.Do(func() { close(b.quit) })
	b.stopped.Wait()
}
