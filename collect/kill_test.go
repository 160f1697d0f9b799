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
// missing; at the end all are there. $ORRERY_KILLS sets how often.
func TestKilled(t *testing.T) {
	w := collecttest.New(t)
	w.Width, w.Height = 160, 120
	kills := collecttest.Kills(8)
	each := 40 + 2*kills
	w.Fill(each, "earth", "mars")
	dir := t.TempDir()
	o := options(w, dir, "earth", "mars")
	o.Max = each
	arguments, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	before, killed := 0, 0
	for range kills {
		if collecttest.Kill(t, 400*time.Millisecond, "collect", string(arguments)) {
			killed++
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
	t.Logf("killed %d times at work, %d pictures before the last run", killed, before)
	if n := checkSet(t, dir); n != 2*each || summary.Classes["earth"].Kept != each {
		t.Errorf("%d pictures at the end, want %d: %+v", n, 2*each, summary)
	}
}
