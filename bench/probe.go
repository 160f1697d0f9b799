package bench

// A probe meters what the timed steps of a pass use.
type probe struct {
	meter   *meter
	from    []uint64
	running bool
	failed  bool
	joules  float64
}

func newProbe(m *meter) *probe {
	resetPeak()
	return &probe{meter: m}
}

// start and stop may come several times, in turns.
func (p *probe) start() {
	var err error
	p.from, err = p.meter.reading()
	p.running, p.failed = true, p.failed || err != nil
}

func (p *probe) stop() {
	if !p.running {
		return
	}
	p.running = false
	to, err := p.meter.reading()
	if p.failed = p.failed || err != nil; !p.failed {
		p.joules += p.meter.joules(p.from, to)
	}
}

// tell notes what was metered in a pass.
func (p *probe) tell(to *pass) {
	to.peak, to.joules, to.metered = peakMemory(), p.joules, !p.failed
}
