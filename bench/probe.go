package bench

import "time"

// A probe meters what the timed steps of a pass use.
type probe struct {
	meter   *meter
	from    []uint64
	running bool
	failed  bool
	joules  float64
	since   time.Time
	ran     time.Duration
	now     func() time.Time
}

func newProbe(m *meter) *probe {
	resetPeak()
	return &probe{meter: m, now: time.Now}
}

// start and stop may come several times, in turns.
func (p *probe) start() {
	var err error
	p.from, err = p.meter.reading()
	p.running, p.failed, p.since = true, p.failed || err != nil, p.now()
}

func (p *probe) stop() {
	if !p.running {
		return
	}
	p.running = false
	p.ran += p.now().Sub(p.since)
	to, err := p.meter.reading()
	if p.failed = p.failed || err != nil; !p.failed {
		p.joules += p.meter.joules(p.from, to)
	}
}

// tell notes what was metered in a pass. Late steps are told of some at a time, so that what was metered begins and
// ends beside the timed steps: it is their power that counts.
func (p *probe) tell(to *pass) {
	to.peak, to.metered = peakMemory(), !p.failed && p.ran > 0
	if to.metered {
		to.joules = p.joules * to.total.Seconds() / p.ran.Seconds()
	}
}
