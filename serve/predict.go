package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/wangkuiyi/orrery/trainer"
)

// An Answer is what the network makes of one picture.
type Answer struct {
	Name        string                `json:"name,omitempty"` // as a form gave it
	Class       string                `json:"class,omitempty"`
	Probability float64               `json:"probability"`
	Top         []trainer.Probability `json:"top,omitempty"` // the likeliest first
	Error       string                `json:"error,omitempty"`
}

// predict answers POST /predict[?top=K]. The body is a picture's file, or a
// multipart form with some: then the answer is a list in their order, in which a
// file that is no picture has an error.
func (s *Server) predict(w http.ResponseWriter, r *http.Request) {
	top := 5
	if text := r.URL.Query().Get("top"); text != "" {
		var err error
		if top, err = strconv.Atoi(text); err != nil || top < 1 {
			refuse(w, http.StatusBadRequest, "top must be a whole number from 1")
			return
		}
	}
	s.admitted(w, r, func(ctx context.Context, files []file, single bool) error {
		answers := make([]Answer, len(files))
		if single {
			var err error
			if answers[0], err = s.answer(ctx, files[0], top); err != nil {
				return err
			}
			writeJSON(w, http.StatusOK, answers[0])
			return nil
		}
		group, ctx := errgroup.WithContext(ctx)
		for i, f := range files {
			group.Go(func() (err error) {
				answers[i], err = s.answer(ctx, f, top)
				var bad badPicture
				if errors.As(err, &bad) {
					answers[i] = Answer{Name: f.name, Error: bad.Error()}
					return nil
				}
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, answers)
		return nil
	})
}

func (s *Server) answer(ctx context.Context, f file, top int) (Answer, error) {
	logits, err := s.works.predict(ctx, f.content)
	if err != nil {
		return Answer{}, err
	}
	p := s.works.model.Prediction(f.name, logits, top)
	return Answer{Name: f.name, Class: p.Class, Probability: p.Probability, Top: p.Top}, nil
}

// An Explanation is the square that the network saw, and how much each of its
// pixels spoke for the class: PNG pictures of the same size as data addresses,
// the second transparent where nothing did.
type Explanation struct {
	Class   string `json:"class"`
	Picture string `json:"picture"`
	Heat    string `json:"heat"`
}

// explain answers POST /explain with one picture, as predict takes it.
func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	s.admitted(w, r, func(ctx context.Context, files []file, _ bool) error {
		if len(files) != 1 {
			return refusef(http.StatusBadRequest, "explain takes one picture, not %d", len(files))
		}
		cam, err := s.works.explain(ctx, files[0].name, files[0].content)
		if err != nil {
			return err
		}
		e := Explanation{Class: cam.Class}
		if e.Picture, err = dataURL(cam.Picture); err == nil {
			e.Heat, err = dataURL(heat(cam))
		}
		if err == nil {
			writeJSON(w, http.StatusOK, e)
		}
		return err
	})
}

// heat is a map from transparent to strong red.
func heat(cam trainer.CAM) image.Image {
	bounds := cam.Picture.Bounds()
	m := image.NewNRGBA(bounds)
	for i, h := range cam.Heat {
		m.SetNRGBA(bounds.Min.X+i%bounds.Dx(), bounds.Min.Y+i/bounds.Dx(), color.NRGBA{R: 220, A: uint8(200 * h)})
	}
	return m
}

func dataURL(m image.Image) (string, error) {
	var b bytes.Buffer
	err := png.Encode(&b, m)
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()), err
}

// admitted reads the pictures of a request, takes them on and has f answer; it
// answers the errors itself.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request, f func(ctx context.Context, files []file, single bool) error) {
	if s.works.full() { // before the body is read
		s.refused(w, 1, errFull)
		return
	}
	h := &hold{memory: &s.memory}
	defer h.release()
	files, single, err := s.files(w, r, h)
	if err != nil {
		s.refused(w, 1, err)
		return
	}
	if !s.works.admit(len(files)) {
		s.refused(w, len(files), errFull)
		return
	}
	defer s.works.leave(len(files))
	ctx, cancel := context.WithTimeoutCause(r.Context(), s.options.Patience, errLate)
	defer cancel()
	if err := f(ctx, files, single); err != nil {
		s.refused(w, len(files), err)
		return
	}
	s.metrics.pictures.WithLabelValues("answered").Add(float64(len(files)))
}

// refused answers an error and counts its pictures.
func (s *Server) refused(w http.ResponseWriter, pictures int, err error) {
	status, outcome := http.StatusInternalServerError, "failed"
	var r refusal
	var bad badPicture
	switch {
	case errors.As(err, &r):
		status, outcome = r.status, "refused"
	case errors.As(err, &bad):
		status, outcome = http.StatusBadRequest, "bad"
	case errors.Is(err, errFull):
		status, outcome = http.StatusTooManyRequests, "refused"
	case errors.Is(err, errLate):
		status, outcome = http.StatusServiceUnavailable, "late"
	case errors.Is(err, context.Canceled): // who asked has gone
		status, outcome = 499, "gone"
	default:
		s.options.Log.Error("a picture was not answered", "error", err)
	}
	s.metrics.pictures.WithLabelValues(outcome).Add(float64(pictures))
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	refuse(w, status, err.Error())
}

func refuse(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil { // a NaN: the network is broken
		status, text = http.StatusInternalServerError, []byte(`{"error":"the network gave no numbers"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}
