package gotorch_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	torch "github.com/wangkuiyi/gotorch"
)

// serveStore serves a store on a free port of the loopback interface; the caller closes it.
func serveStore(t testing.TB, prefix string, timeout time.Duration) (server *torch.Store, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	port = l.Addr().(*net.TCPAddr).Port
	if server, err = torch.NewStore("127.0.0.1", port, file, prefix, timeout); err != nil {
		t.Fatal(err)
	}
	return server, port
}

// inRanks runs f as each rank of a group, in a goroutine of its own with a store client of its own.
func inRanks(t testing.TB, size int, timeout time.Duration, f func(g *torch.ProcessGroup) error) []error {
	t.Helper()
	server, port := serveStore(t, "test", timeout)
	defer server.Close()
	errs := make([]error, size)
	var all sync.WaitGroup
	for rank := range size {
		all.Add(1)
		go func() {
			defer all.Done()
			errs[rank] = func() error {
				store, err := torch.NewStore("127.0.0.1", port, (*os.File)(nil), "test", timeout)
				if err != nil {
					return err
				}
				defer store.Close()
				g, err := torch.NewProcessGroup(store, rank, size, timeout, "127.0.0.1", "")
				if err != nil {
					return err
				}
				defer g.Close()
				s := torch.NewScope()
				defer s.Close()
				return f(g)
			}()
		}()
	}
	all.Wait()
	return errs
}

func TestCollectives(t *testing.T) {
	const size = 3
	for rank, err := range inRanks(t, size, 20*time.Second, func(g *torch.ProcessGroup) error {
		own := func() torch.Tensor { return torch.NewTensor([]float32{float32(g.Rank()), 1, float32(-g.Rank())}) }
		for op, want := range map[torch.ReduceOp][]float32{torch.ReduceSum: {3, 3, -3}} {
			x := own()
			if err := g.AllReduce(x, op); err != nil {
				return err
			}
			wantValues(t, "all-reduce", x, want)
		}
		for _, c := range []struct {
			op   torch.ReduceOp
			want []float32
		}{{torch.ReduceMax, []float32{2, 1, 0}}, {torch.ReduceMin, []float32{0, 1, -2}}} {
			x := own()
			if err := g.AllReduce(x, c.op); err != nil {
				return err
			}
			wantValues(t, "all-reduce", x, c.want)
		}
		// A parameter laid out as NHWC is sent, too.
		image := torch.Full([]int64{1, 2, 2, 2}, float32(g.Rank()), false).ChannelsLast()
		if err := g.Broadcast(image, 2); err != nil {
			return err
		}
		wantValues(t, "broadcast", image, []float32{2, 2, 2, 2, 2, 2, 2, 2})
		all, err := g.AllGather(own())
		if err != nil {
			return err
		}
		for rank, x := range all {
			wantValues(t, "all-gather", x, []float32{float32(rank), 1, float32(-rank)})
		}
		if len(all) != size {
			t.Errorf("%d tensors gathered, want %d", len(all), size)
		}
		return g.Barrier()
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

func wantValues(t *testing.T, what string, x torch.Tensor, want []float32) {
	t.Helper()
	for i, v := range torch.Values[float32](x) {
		if v != want[i] {
			t.Errorf("%s gave %v, want %v", what, torch.Values[float32](x), want)
			return
		}
	}
}

// TestReducer: each rank's gradients are the mean of all ranks', in every step, in several buckets.
func TestReducer(t *testing.T) {
	const size = 2
	for rank, err := range inRanks(t, size, 20*time.Second, func(g *torch.ProcessGroup) error {
		var params []torch.Tensor
		for range 3 {
			params = append(params, torch.Ones([]int64{300}, true))
		}
		reducer, err := torch.NewReducer(g, params, 1500)
		if err != nil {
			return err
		}
		defer reducer.Close()
		for step := range 3 {
			for _, p := range params {
				p.SetGrad(torch.Tensor{})
			}
			if err := reducer.BeforeForward(); err != nil {
				return err
			}
			loss := torch.Zeros(nil, false)
			for i, p := range params {
				loss = loss.Add(p.Sum().MulScalar(float64((i+1)*(g.Rank()+1)*(step+1))), 1)
			}
			if err := reducer.BeforeBackward(); err != nil {
				return err
			}
			if err := torch.Try(func() { loss.Backward() }); err != nil {
				return err
			}
			for i, p := range params {
				if got, want := p.Grad().Mean().ItemFloat64(), 1.5*float64((i+1)*(step+1)); got != want {
					t.Errorf("step %d: the gradient of parameter %d is %v, want %v", step, i, got, want)
				}
			}
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// TestAbsentRank: who waits for a rank that does not come gets an error within the timeout.
func TestAbsentRank(t *testing.T) {
	began := time.Now()
	errs := inRanks(t, 2, 2*time.Second, func(g *torch.ProcessGroup) error {
		if g.Rank() == 1 {
			time.Sleep(3 * time.Second)
			return nil
		}
		return g.AllReduce(torch.Ones([]int64{4}, false), torch.ReduceSum)
	})
	var e *torch.Error
	if !errors.As(errs[0], &e) || !strings.Contains(e.Message, "gloo/") || errs[1] != nil {
		t.Errorf("rank 0: %v, rank 1: %v; want an error of gloo and none", errs[0], errs[1])
	}
	if took := time.Since(began); took > 60*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestStoreRefuses(t *testing.T) {
	if _, err := torch.NewStore("127.0.0.1", 1, nil, "", time.Second); err == nil {
		t.Error("connected to a port where nobody listens")
	}
}

// failuresTogether are calls that make the entries of several processes fail, by entry, for a group of
// one and a tensor on the device "meta".
func failuresTogether(t *testing.T, meta torch.Tensor) map[string]func() {
	t.Helper()
	const patience = 300 * time.Millisecond
	served := func() (*torch.Store, int) {
		server, port := serveStore(t, "entries", 20*time.Second)
		t.Cleanup(server.Close)
		return server, port
	}
	store, _ := served()
	g, err := torch.NewProcessGroup(store, 0, 1, 20*time.Second, "127.0.0.1", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	ending, port := served()
	client, err := torch.NewStore("127.0.0.1", port, nil, "entries", patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	params := []torch.Tensor{torch.Ones([]int64{2}, true), torch.Ones([]int64{2}, true)}
	return map[string]func(){
		"cgt_store_new": func() {
			_, err := torch.NewStore("127.0.0.1", 1, nil, "", patience)
			must(nil, err)
		},
		"cgt_group_use_nccl": func() { must(nil, g.UseNCCL(store, torch.NewDevice("cuda:97"), patience)) },
		"cgt_store_get": func() {
			_, err := client.Get("nobody sets this", patience)
			must(nil, err)
		},
		"cgt_store_set": func() { // what is sent first is lost without a word
			ending.Close()
			for range 100 {
				must(nil, client.Set("key", "value"))
				time.Sleep(10 * time.Millisecond)
			}
		},
		"cgt_store_check": func() {
			ending.Close()
			_, err := client.Has("key")
			must(nil, err)
		},
		"cgt_group_new": func() {
			_, err := torch.NewProcessGroup(store, 0, 1, patience, "no address", "")
			must(nil, err)
		},
		"cgt_group_all_reduce": func() { must(nil, g.AllReduce(torch.Ones([]int64{2}, false), 99)) },
		"cgt_group_broadcast":  func() { must(nil, g.Broadcast(torch.Ones([]int64{2}, false), 7)) },
		"cgt_group_all_gather": func() {
			_, err := g.AllGather(meta)
			must(nil, err)
		},
		"cgt_reducer_new": func() {
			_, err := torch.NewReducer(g, nil, torch.DefaultBucketBytes)
			must(nil, err)
		},
		"cgt_reducer_before_forward": func() { // the step before has averaged one of the two gradients
			r, err := torch.NewReducer(g, params, torch.DefaultBucketBytes)
			must(nil, err)
			defer r.Close()
			must(nil, r.BeforeForward())
			must(nil, r.BeforeBackward())
			params[0].Sum().Backward()
			must(nil, r.BeforeForward())
		},
	}
}

// Closing twice is nothing, and what is closed says so.
func TestClosedGroups(t *testing.T) {
	for rank, err := range inRanks(t, 1, 20*time.Second, func(g *torch.ProcessGroup) error {
		r, err := torch.NewReducer(g, []torch.Tensor{torch.Ones([]int64{2}, true)}, torch.DefaultBucketBytes)
		if err != nil {
			return err
		}
		r.Close()
		r.Close()
		g.Close()
		g.Close()
		x := torch.Ones([]int64{2}, false)
		_, gathered := g.AllGather(x)
		_, reduces := torch.NewReducer(g, []torch.Tensor{x}, torch.DefaultBucketBytes)
		for name, err := range map[string]error{
			"AllReduce": g.AllReduce(x, torch.ReduceSum), "Broadcast": g.Broadcast(x, 0), "AllGather": gathered, "Barrier": g.Barrier(),
			"SyncBatchNorm": g.SyncBatchNorm(true), "NewReducer": reduces, "BeforeForward": r.BeforeForward(), "BeforeBackward": r.BeforeBackward(),
		} {
			if err == nil || !strings.Contains(err.Error(), "closed") {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// BenchmarkAllReduce is a sum over two processes on the loopback interface, of as many float32.
func BenchmarkAllReduce(b *testing.B) {
	for _, n := range []int64{256, 262_144, 1_768_644, 25_557_032} { // a layer's statistics, 1 MiB, cnn8, ResNet-50
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(4 * n)
			for rank, err := range inRanks(b, 2, time.Minute, func(g *torch.ProcessGroup) error {
				x := torch.Ones([]int64{n}, false)
				if err := g.Barrier(); err != nil {
					return err
				}
				if g.Rank() == 0 {
					b.ResetTimer() // meeting took long
					defer b.StopTimer()
				}
				for range b.N {
					if err := g.AllReduce(x, torch.ReduceMax); err != nil {
						return err
					}
				}
				return nil
			}) {
				if err != nil {
					b.Errorf("rank %d: %v", rank, err)
				}
			}
		})
	}
}
