package collect

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/wangkuiyi/orrery/collect/collecttest"
	"github.com/wangkuiyi/orrery/collect/set"
)

func TestMain(m *testing.M) {
	collecttest.Child(map[string]func([]string){"collect": func(arguments []string) {
		var o Options
		if err := json.Unmarshal([]byte(arguments[0]), &o); err != nil {
			panic(err)
		}
		o.fetch = quick
		if _, err := Run(context.Background(), o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}})
	os.Exit(m.Run())
}

// TestKilled kills collecting again and again. After each time every picture in the set is whole and known, and none kept before is
// missing; at the end all are there.
func TestKilled(t *testing.T) {
	w := collecttest.New(t)
	w.Width, w.Height = 160, 120
	const each = 300
	w.Fill(each, "earth", "mars")
	var o Options
	var dir, arguments string
	before, killed, sets := 0, 0, 0
	begin := func() {
		dir = t.TempDir()
		o = options(w, dir, "earth", "mars")
		o.Max = each
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		before, arguments, sets = 0, string(text), sets+1
	}
	begin()
	for killed < collecttest.Kills(8) {
		if collecttest.Kill(t, 400*time.Millisecond, "collect", arguments) {
			killed++
		} else { // it was through before it could be killed
			if n := checkSet(t, dir); n != 2*each {
				t.Fatalf("%d pictures at the end, want %d", n, 2*each)
			}
			begin()
		}
		s, err := set.Open(dir, set.Options{}) // finishes what was begun
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		after := checkSet(t, dir)
		if after < before {
			t.Fatalf("%d pictures after a kill, %d before", after, before)
		}
		before = after
	}
	summary, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("killed %d times at work on %d sets, %d pictures in the last before its last run", killed, sets, before)
	if n := checkSet(t, dir); n != 2*each || summary.Classes["earth"].Kept != each {
		t.Errorf("%d pictures at the end, want %d: %+v", n, 2*each, summary)
	}
}
