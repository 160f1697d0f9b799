package trainer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	torch "github.com/wangkuiyi/gotorch"
	"github.com/wangkuiyi/gotorch/safetensors"

	"github.com/wangkuiyi/orrery/internal/atomicfile"
)

// A sealed file is a safetensors file whose metadata hold an Orrery header and
// the SHA-256 of every byte of the file, taken with zeros in the place of the
// sum's own digits. Any other reader of safetensors reads it as well.
const (
	headerKey   = "orrery"
	checksumKey = "orrery_sha256"
)

// noSum stands where the checksum is written once it is known.
var noSum = strings.Repeat("0", 2*sha256.Size)

// errDamaged is in the chain of every error about a file whose bytes are not
// those that were written.
var errDamaged = errors.New("the file is damaged")

// A sealed is the content of a file, checksum included, and not yet on the disk.
type sealed struct {
	header  []byte
	names   []string
	tensors map[string]safetensors.Data
}

// seal makes the content of a file.
func seal(tensors map[string]safetensors.Data, head header) (*sealed, error) {
	text, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	h, names, err := safetensors.EncodeHeader(tensors, map[string]string{"format": "pt", headerKey: string(text), checksumKey: noSum})
	if err != nil {
		return nil, err
	}
	s := &sealed{h, names, tensors}
	at, err := findSum(h, noSum)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	if _, err := s.WriteTo(sum); err != nil {
		return nil, err
	}
	hex.Encode(h[at:], sum.Sum(nil))
	return s, nil
}

// WriteTo writes the whole file.
func (s *sealed) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s.header)
	total := int64(n)
	for _, name := range s.names {
		if err != nil {
			break
		}
		n, err = w.Write(s.tensors[name].Bytes)
		total += int64(n)
	}
	return total, err
}

// save puts the content on the disk in the place of path.
func (s *sealed) save(path string) error {
	return atomicfile.Replace(path, func(temporary string) error {
		f, err := os.Create(temporary)
		if err != nil {
			return err
		}
		w := bufio.NewWriterSize(f, 1<<20)
		_, err = s.WriteTo(w)
		if err == nil {
			err = w.Flush()
		}
		return errors.Join(err, f.Close())
	})
}

// findSum is where the digits of the checksum begin in a file's header.
func findSum(header []byte, digits string) (int, error) {
	field := []byte(`"` + checksumKey + `":"` + digits + `"`)
	if bytes.Count(header, field) != 1 {
		return 0, fmt.Errorf("%w: its checksum is not where it belongs", errDamaged)
	}
	return bytes.Index(header, field) + len(field) - 1 - len(digits), nil
}

// verify compares a file with its checksum.
func verify(f *safetensors.File) error {
	digits, ok := f.Metadata[checksumKey]
	if !ok || len(digits) != len(noSum) {
		return fmt.Errorf("%w: it has no checksum", errDamaged)
	}
	raw := f.Raw()
	at, err := findSum(raw[:f.Data], digits)
	if err != nil {
		return err
	}
	sum := sha256.New()
	sum.Write(raw[:at])
	sum.Write([]byte(noSum))
	sum.Write(raw[at+len(noSum):])
	if found := hex.EncodeToString(sum.Sum(nil)); found != digits {
		return fmt.Errorf("%w: its SHA-256 is %s..., the one written in it %s...", errDamaged, found[:12], digits[:12])
	}
	return nil
}

// openSealed opens a file and checks every byte of it. The caller closes it.
func openSealed(path string) (*safetensors.File, header, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, header{}, err
	}
	head, err := readHeader(path, f)
	if err != nil {
		return nil, head, errors.Join(err, f.Close())
	}
	return f, head, nil
}

// readHeader checks every byte of a file and reads its header.
func readHeader(path string, f *safetensors.File) (head header, err error) {
	text, ok := f.Metadata[headerKey]
	if !ok {
		return head, fmt.Errorf("%s: no Orrery header; it was not written by orrery train", path)
	}
	if err := verify(f); err != nil {
		return head, fmt.Errorf("%s: %w", path, err)
	}
	if err := json.Unmarshal([]byte(text), &head); err != nil {
		return head, fmt.Errorf("%s: its Orrery header cannot be read: %w", path, err)
	}
	return head, nil
}

// readTensors loads a sealed file. Its tensors belong to the scope that is open.
func readTensors(path string) (map[string]torch.Tensor, header, error) {
	if err := torch.LoadLibrary(); err != nil {
		return nil, header{}, err
	}
	f, head, err := openSealed(path)
	if err != nil {
		return nil, head, err
	}
	defer f.Close()
	tensors, err := f.Tensors()
	return tensors, head, err
}

// toHost copies tensors out of libtorch, so that another goroutine may write
// them while the training changes its own.
func toHost(tensors map[string]torch.Tensor) (map[string]safetensors.Data, error) {
	out := make(map[string]safetensors.Data, len(tensors))
	for name, t := range tensors {
		b, err := torch.Bytes(t)
		if err != nil {
			return nil, fmt.Errorf("tensor %s: %w", name, err)
		}
		out[name] = safetensors.Data{Dtype: t.Dtype(), Shape: t.Shape(), Bytes: b}
	}
	return out, nil
}
