package serve

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
)

// A file is one picture of a request.
type file struct {
	name    string
	content []byte
}

// A refusal is an error with its HTTP status.
type refusal struct {
	status int
	error
}

func refusef(status int, format string, args ...any) error {
	return refusal{status, fmt.Errorf(format, args...)}
}

// A memory bounds what the bodies of all requests take together.
type memory struct {
	used  atomic.Int64
	limit int64
}

// A hold is one request's share of a memory.
type hold struct {
	memory *memory
	bytes  int64
}

func (h *hold) take(n int64) bool {
	h.bytes += n
	return h.memory.used.Add(n) <= h.memory.limit
}

func (h *hold) release() { h.memory.used.Add(-h.bytes) }

// files reads the pictures of a request: its whole body, or each file of a
// multipart form. single tells which. What it read counts into the hold.
func (s *Server) files(w http.ResponseWriter, r *http.Request, h *hold) (list []file, single bool, err error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return nil, false, refusef(http.StatusRequestEntityTooLarge, "Content-Encoding %.40q is not taken; send the picture's file as it is", encoding)
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		if r.ContentLength > s.options.MaxBytes {
			return nil, true, s.tooLarge()
		}
		content, err := s.read(r.Body, h)
		if err == nil && len(content) == 0 {
			err = refusef(http.StatusBadRequest, "the request has no body; send a picture's file, or a multipart form with some")
		}
		return []file{{content: content}}, true, err
	}
	if r.ContentLength > s.options.maxRequest() {
		return nil, false, s.tooLarge()
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.options.maxRequest())
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, false, refusef(http.StatusBadRequest, "the form cannot be read: %v", err)
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, false, s.broken(err)
		}
		if part.FileName() == "" {
			continue // a field of the form is no picture, and no address is ever followed
		}
		if len(list) == s.options.MaxFiles {
			return nil, false, refusef(http.StatusRequestEntityTooLarge, "the form has more than %d pictures", s.options.MaxFiles)
		}
		content, err := s.read(part, h)
		if err != nil {
			return nil, false, err
		}
		list = append(list, file{part.FileName(), content})
	}
	if len(list) == 0 {
		return nil, false, refusef(http.StatusBadRequest, "the form has no file")
	}
	return list, false, nil
}

// read takes in one picture's file.
func (s *Server) read(r io.Reader, h *hold) ([]byte, error) {
	var content []byte
	buffer := make([]byte, 64<<10)
	for {
		n, err := r.Read(buffer)
		if !h.take(int64(n)) {
			return nil, refusef(http.StatusServiceUnavailable, "the server holds too many pictures; try again in a moment")
		}
		if int64(len(content)+n) > s.options.MaxBytes {
			return nil, s.tooLarge()
		}
		content = append(content, buffer[:n]...)
		if errors.Is(err, io.EOF) {
			return content, nil
		}
		if err != nil {
			return nil, s.broken(err)
		}
	}
}

func (s *Server) tooLarge() error {
	return refusef(http.StatusRequestEntityTooLarge, "a picture's file may have %d bytes at most", s.options.MaxBytes)
}

// broken is a body that ended early, came too slowly or grew too large.
func (s *Server) broken(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return s.tooLarge()
	case strings.Contains(err.Error(), "timeout"):
		return refusef(http.StatusRequestTimeout, "the request came too slowly")
	}
	return refusef(http.StatusBadRequest, "the request's body broke off: %v", err)
}
