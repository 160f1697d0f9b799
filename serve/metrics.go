package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what /metrics tells Prometheus.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by route and status
	seconds  *prometheus.HistogramVec // by route
	pictures *prometheus.CounterVec   // by outcome
	stages   *prometheus.HistogramVec // look and think
	waited   prometheus.Histogram
	batch    prometheus.Histogram
}

// newMetrics makes the metrics; onTheWay counts the pictures under way.
func newMetrics(onTheWay func() float64) *metrics {
	fine := prometheus.ExponentialBuckets(0.0005, 2, 16) // half a millisecond to 16 s
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "orrery_requests_total", Help: "Requests answered."}, []string{"route", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orrery_request_seconds", Help: "From a request's header to the end of its answer.", Buckets: fine}, []string{"route"}),
		pictures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "orrery_pictures_total", Help: "Pictures by what became of them: answered, bad, refused, late."}, []string{"outcome"}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "orrery_stage_seconds", Help: "look: decoding and preprocessing of a picture; think: the network, for a batch.", Buckets: fine}, []string{"stage"}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "orrery_wait_seconds", Help: "What a preprocessed picture waited for the network.", Buckets: fine}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "orrery_batch_pictures", Help: "Pictures that went through the network at once.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64}}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.pictures, m.stages, m.waited, m.batch,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "orrery_pictures_on_the_way", Help: "Pictures taken on and not answered yet."}, onTheWay),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// stage begins a stage; what it returns ends it.
func (m *metrics) stage(name string) func() {
	begin := time.Now()
	return func() { m.stages.WithLabelValues(name).Observe(time.Since(begin).Seconds()) }
}

// measured counts and times the requests of a route.
func (m *metrics) measured(route string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		noted := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(noted, r)
		m.requests.WithLabelValues(route, strconv.Itoa(noted.status)).Inc()
		m.seconds.WithLabelValues(route).Observe(time.Since(begin).Seconds())
	})
}

// A statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
