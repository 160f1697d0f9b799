package npz

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

const magic = "\x93NUMPY"

// A header is the Python dictionary at the start of a .npy file.
type header struct {
	descr string // the type, such as "<f4"
	shape []int
}

// The dictionary as NumPy writes it. Other spellings are legal Python, but nobody writes them.
var dictionary = regexp.MustCompile(`^\{'descr': '([^']*)', 'fortran_order': (True|False), 'shape': \(([0-9, ]*)\), \}\s*$`)

func readHeader(in io.Reader) (header, error) {
	var start [8]byte
	if _, err := io.ReadFull(in, start[:]); err != nil || string(start[:6]) != magic {
		return header{}, errors.New("not an array in NumPy's format")
	}
	var size uint32
	switch start[6] {
	case 1:
		var b [2]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return header{}, errors.New("the header is cut short")
		}
		size = uint32(binary.LittleEndian.Uint16(b[:]))
	case 2, 3:
		var b [4]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return header{}, errors.New("the header is cut short")
		}
		size = binary.LittleEndian.Uint32(b[:])
	default:
		return header{}, fmt.Errorf("version %d of NumPy's format is unknown", start[6])
	}
	if size > 1<<16 {
		return header{}, fmt.Errorf("a header of %d bytes is too long", size)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(in, text); err != nil {
		return header{}, errors.New("the header is cut short")
	}
	m := dictionary.FindSubmatch(text)
	if m == nil {
		return header{}, fmt.Errorf("header %.80q is not understood", text)
	}
	h := header{descr: string(m[1])}
	if string(m[2]) == "True" {
		return header{}, errors.New("the order is Fortran's, which is not supported; save with numpy.ascontiguousarray")
	}
	for _, side := range strings.Split(string(m[3]), ",") {
		side = strings.TrimSpace(side)
		if side == "" {
			continue
		}
		n, err := strconv.Atoi(side)
		if err != nil {
			return header{}, fmt.Errorf("shape (%s): %w", m[3], err)
		}
		h.shape = append(h.shape, n)
	}
	if h.width() == 0 {
		return header{}, fmt.Errorf("type %q is not supported; float32, float64, int32, int64, uint8, uint32 and text are", h.descr)
	}
	return h, nil
}

// width is the bytes of one element; 0 for an unknown type.
func (h header) width() int {
	switch h.descr {
	case "<f4", "<i4", "<u4":
		return 4
	case "<f8", "<i8":
		return 8
	case "|u1":
		return 1
	}
	return 4 * h.characters()
}

// characters is the length of each element of text; 0 when it is none.
func (h header) characters() int {
	digits, is := strings.CutPrefix(h.descr, "<U")
	if !is {
		return 0
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > maxText {
		return 0
	}
	return n
}

// headerOf writes what NumPy would: version 1.0, padded so that the values start at a multiple of 64.
func headerOf(descr string, shape []int) []byte {
	var sides strings.Builder
	for i, side := range shape {
		if i > 0 {
			sides.WriteString(", ")
		}
		sides.WriteString(strconv.Itoa(side))
	}
	if len(shape) == 1 {
		sides.WriteString(",")
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, sides.String())
	const before = len(magic) + 2 + 2
	total := (before + len(text) + 1 + 63) / 64 * 64
	h := append([]byte(magic), 1, 0)
	h = binary.LittleEndian.AppendUint16(h, uint16(total-before))
	h = append(h, text...)
	h = append(h, strings.Repeat(" ", total-before-len(text)-1)...)
	return append(h, '\n')
}
