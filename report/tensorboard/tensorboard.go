// Package tensorboard writes the event files that TensorBoard reads: scalars,
// histograms and pictures against the step.
//
// An event file is a sequence of TFRecords (length, masked CRC-32C, content,
// masked CRC-32C), each an Event message of TensorFlow's event.proto. The few
// messages are put together by hand here.
package tensorboard

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"
)

// A Writer appends events to a file.
type Writer struct {
	out *bufio.Writer
	err error // the first one; later calls do nothing
}

// FileName is how TensorBoard recognises an event file: events.out.tfevents.SECONDS.NAME.
func FileName(start time.Time, name string) string {
	return fmt.Sprintf("events.out.tfevents.%010d.%s", start.Unix(), name)
}

// NewWriter begins an event file.
func NewWriter(w io.Writer, start time.Time) *Writer {
	tb := &Writer{out: bufio.NewWriterSize(w, 1<<16)}
	tb.event(start, 0, appendText(nil, 3, "brain.Event:2"))
	return tb
}

// Scalar records one number.
func (w *Writer) Scalar(at time.Time, step int64, tag string, value float64) {
	w.value(at, step, tag, appendFloat(nil, 2, float32(value)))
}

// Histogram records counts: Counts[i] values were below or at Limits[i] and above the limit before.
type Histogram struct {
	Min, Max, Sum, SumSquares float64
	Limits, Counts            []float64
}

// Histogram records how values were spread. Limits must ascend.
func (w *Writer) Histogram(at time.Time, step int64, tag string, h Histogram) {
	if len(h.Limits) != len(h.Counts) {
		w.fail(fmt.Errorf("histogram %q has %d limits for %d counts", tag, len(h.Limits), len(h.Counts)))
		return
	}
	number := 0.0
	for _, c := range h.Counts {
		number += c
	}
	var m []byte
	for i, v := range []float64{h.Min, h.Max, number, h.Sum, h.SumSquares} {
		m = appendDouble(m, i+1, v)
	}
	m = appendDoubles(appendDoubles(m, 6, h.Limits), 7, h.Counts)
	w.value(at, step, tag, appendBytes(nil, 5, m))
}

// Image records a picture of width x height pixels, encoded as PNG.
func (w *Writer) Image(at time.Time, step int64, tag string, width, height int, png []byte) {
	m := appendVarint(nil, 1, uint64(height))
	m = appendVarint(m, 2, uint64(width))
	m = appendVarint(m, 3, 3) // RGB
	w.value(at, step, tag, appendBytes(nil, 4, appendBytes(m, 4, png)))
}

// Flush hands everything to the file and returns the first error of any call.
func (w *Writer) Flush() error {
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.err
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// value writes an Event with a Summary of one Value, whose content is given.
func (w *Writer) value(at time.Time, step int64, tag string, content []byte) {
	value := append(appendText(nil, 1, tag), content...)
	w.event(at, step, appendBytes(nil, 5, appendBytes(nil, 1, value)))
}

// event writes an Event: its wall time, its step, and what it carries.
func (w *Writer) event(at time.Time, step int64, what []byte) {
	m := appendDouble(nil, 1, float64(at.UnixNano())/1e9)
	m = appendVarint(m, 2, uint64(step))
	w.record(append(m, what...))
}

func (w *Writer) record(content []byte) {
	if w.err != nil {
		return
	}
	var head [12]byte
	binary.LittleEndian.PutUint64(head[:], uint64(len(content)))
	binary.LittleEndian.PutUint32(head[8:], checksum(head[:8]))
	var foot [4]byte
	binary.LittleEndian.PutUint32(foot[:], checksum(content))
	for _, part := range [][]byte{head[:], content, foot[:]} {
		if _, err := w.out.Write(part); err != nil {
			w.fail(err)
			return
		}
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is TFRecord's masked CRC-32C.
func checksum(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// The wire types of protocol buffers.
const (
	wireVarint = 0
	wireDouble = 1
	wireBytes  = 2
	wireFloat  = 5
)

func appendKey(b []byte, field, wire int) []byte {
	return binary.AppendUvarint(b, uint64(field)<<3|uint64(wire))
}

// appendVarint and appendDouble leave a zero out, which is what its absence means.
func appendVarint(b []byte, field int, v uint64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(appendKey(b, field, wireVarint), v)
}

func appendDouble(b []byte, field int, v float64) []byte {
	if v == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(appendKey(b, field, wireDouble), math.Float64bits(v))
}

func appendFloat(b []byte, field int, v float32) []byte {
	return binary.LittleEndian.AppendUint32(appendKey(b, field, wireFloat), math.Float32bits(v))
}

func appendBytes(b []byte, field int, v []byte) []byte {
	return append(binary.AppendUvarint(appendKey(b, field, wireBytes), uint64(len(v))), v...)
}

func appendText(b []byte, field int, v string) []byte {
	return append(binary.AppendUvarint(appendKey(b, field, wireBytes), uint64(len(v))), v...)
}

func appendDoubles(b []byte, field int, list []float64) []byte {
	b = binary.AppendUvarint(appendKey(b, field, wireBytes), uint64(8*len(list)))
	for _, v := range list {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}
