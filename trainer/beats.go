package trainer

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	torch "github.com/wangkuiyi/gotorch"
)

// beatEvery is how often a process shows that it is alive, and judging how long
// others are watched before one is called silent; answerWithin is how long the
// store may take for a word.
const (
	beatEvery    = 500 * time.Millisecond
	judging      = 3 * beatEvery
	answerWithin = time.Second
)

// Beats are a process's signs of life in the store: a count, how many
// collectives it has begun and which is the last. They tell, when a collective
// fails, which process is gone, stands still or lags behind.
type beats struct {
	place Place
	store *torch.Store // a connection of its own: the group's may be waiting
	stop  chan struct{}
	done  sync.WaitGroup

	mu    sync.Mutex
	beat  int
	begun int
	doing string
}

func newBeats(host string, p Place, timeout time.Duration) (*beats, error) {
	store, err := torch.NewStore(host, p.Port, nil, p.Attempt, timeout)
	if err != nil {
		return nil, err
	}
	b := &beats{place: p, store: store, stop: make(chan struct{})}
	if err := b.send(); err != nil {
		return nil, err
	}
	b.done.Add(1)
	go func() {
		defer b.done.Done()
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-b.stop:
				return
			case <-tick.C:
				b.send() //nolint:errcheck // the others notice that it stops; this process will in its next collective
			}
		}
	}()
	return b, nil
}

func beatKey(rank int) string { return "orrery/beat/" + strconv.Itoa(rank) }
func leftKey(rank int) string { return "orrery/left/" + strconv.Itoa(rank) }

func (b *beats) send() error {
	b.mu.Lock()
	b.beat++
	text := fmt.Sprintf("%d %d %s", b.beat, b.begun, b.doing)
	b.mu.Unlock()
	return b.store.Set(beatKey(b.place.Rank), text)
}

// meet waits until every process has shown itself and names those that did not.
func (b *beats) meet(ctx context.Context, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		var absent []string
		for rank := range b.place.Size {
			there, err := b.store.Has(beatKey(rank))
			if err != nil {
				return err
			}
			if !there {
				absent = append(absent, strconv.Itoa(rank))
			}
		}
		if len(absent) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return &PeerError{Rank: b.place.Rank, Collective: "meeting", Culprit: "no sign of rank " + strings.Join(absent, ", "),
				Cause: fmt.Errorf("waited %v", timeout)}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (b *beats) begin(collective string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begun++
	b.doing = collective
}

// current is the collective begun last.
func (b *beats) current() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.doing
}

func (b *beats) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doing = "between collectives"
}

// leave ends the signs of life and tells the others why.
func (b *beats) leave(cause error) {
	close(b.stop)
	if cause != nil {
		within(answerWithin, func() error { return b.store.Set(leftKey(b.place.Rank), firstLine(cause.Error())) }) //nolint:errcheck // nobody may be there to read it
	}
}

// A sign is what a process last showed.
type sign struct {
	beat, begun int
	doing       string
	left        string // why it left
}

// blame explains a collective that failed here; found tells whether another
// process is gone or late.
func (b *beats) blame(collective string, cause error) (e *PeerError, found bool) {
	e = &PeerError{Rank: b.place.Rank, Collective: collective, Cause: cause}
	before, err := b.look()
	if err == nil {
		time.Sleep(judging)
		var after []sign
		if after, err = b.look(); err == nil {
			e.Culprit = b.judge(before, after)
			if found = e.Culprit != ""; !found {
				e.Culprit = "every rank shows signs of life; the network between them is at fault"
			}
			return e, found
		}
	}
	e.Culprit = fmt.Sprintf("the store at %s:%d does not answer either: its machine or the network is gone", b.place.Host, b.place.Port)
	if !b.place.AgentStore {
		e.Culprit = fmt.Sprintf("rank 0, which serves the store at %s:%d, is dead, stopped or cut off", b.place.Host, b.place.Port)
	}
	return e, true
}

// judge finds the processes that fell silent or, when all are alive, that lag; ""
// when there are none.
func (b *beats) judge(before, after []sign) string {
	var silent, left, lagging []string
	for rank := range after {
		if rank == b.place.Rank {
			continue
		}
		was, is := before[rank], after[rank]
		switch {
		case is.left != "":
			left = append(left, fmt.Sprintf("rank %d left: %s", rank, is.left))
		case is.beat == was.beat:
			silent = append(silent, fmt.Sprintf("rank %d shows no sign of life since %q: it is dead, stopped or cut off", rank, is.doing))
		case is.begun < b.begun:
			lagging = append(lagging, fmt.Sprintf("rank %d is alive but has not come to it; it is at %q", rank, is.doing))
		}
	}
	for _, found := range [][]string{silent, left, lagging} {
		if len(found) > 0 {
			return strings.Join(found, "; ")
		}
	}
	return ""
}

// look reads every process's signs.
func (b *beats) look() ([]sign, error) {
	signs := make([]sign, b.place.Size)
	err := within(answerWithin, func() error {
		for rank := range signs {
			text, err := b.store.Get(beatKey(rank), answerWithin)
			if err != nil {
				return err
			}
			s := &signs[rank]
			words := strings.SplitN(text, " ", 3)
			if len(words) != 3 {
				return fmt.Errorf("rank %d shows %q", rank, text)
			}
			s.beat, _ = strconv.Atoi(words[0]) // written by send
			s.begun, _ = strconv.Atoi(words[1])
			s.doing = words[2]
			if there, err := b.store.Has(leftKey(rank)); err != nil {
				return err
			} else if there {
				if s.left, err = b.store.Get(leftKey(rank), answerWithin); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return signs, err
}

// within gives up waiting for f after a while; a store whose process is stopped
// never answers.
func within(limit time.Duration, f func() error) error {
	result := make(chan error, 1)
	go func() { result <- f() }()
	select {
	case err := <-result:
		return err
	case <-time.After(limit):
		return fmt.Errorf("no answer within %v", limit)
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
