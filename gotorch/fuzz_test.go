package gotorch_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// pool makes tensors that operations do and do not expect: empty, 0-dim, integer, large rank.
func pool() []torch.Tensor {
	c := func(t torch.Tensor, d torch.Dtype) torch.Tensor { return t.CastTo(d) }
	r := func(shape ...int64) torch.Tensor { return torch.RandN(shape, false) }
	return []torch.Tensor{
		{}, r(), r(0), r(3), r(2, 3), r(3, 3), r(1, 2, 3), r(2, 3, 4, 4), r(1, 1, 2, 2, 2), r(0, 3, 4, 4), r(2, 0),
		r(2, 3, 4, 4).ChannelsLast(), r(3, 2).Transpose(0, 1), r(1).Expand([]int64{4}),
		torch.RandInt(0, 3, []int64{3}), torch.RandInt(-9, 9, []int64{2, 3}), c(r(2, 3), torch.Double),
		c(r(2, 3), torch.Half), c(r(2, 3), torch.BFloat16), c(r(2, 3), torch.Byte), c(r(2, 3), torch.Bool),
		c(r(2, 3), torch.ComplexFloat), torch.Full([]int64{2, 3}, 1e38, true), torch.Zeros([]int64{2, 3}, true),
	}
}

// arguments draws the arguments of one call.
func arguments(t reflect.Type, r *rand.Rand, tensors []torch.Tensor) []reflect.Value {
	ints := []int64{0, 1, 2, 3, -1, -2, 5, 1 << 62, -(1 << 62), 1 << 50}
	floats := []float64{0, 1, -1, 0.5, 1e300, -1e300}
	words := []string{"", "mean", "sum", "none", "bilinear", "zeros", "reflect", "circular", "tanh", "ij,jk->ik", "->", "λ"}
	pick := func(n int) int { return r.IntN(n) }
	var args []reflect.Value
	for i := range t.NumIn() {
		var v any
		switch in := t.In(i); in {
		case reflect.TypeFor[torch.Tensor]():
			v = tensors[pick(len(tensors))]
		case reflect.TypeFor[[]torch.Tensor]():
			list := make([]torch.Tensor, pick(4))
			for j := range list {
				list[j] = tensors[pick(len(tensors))]
			}
			v = list
		case reflect.TypeFor[[]int64]():
			list := make([]int64, pick(5))
			for j := range list {
				list[j] = ints[pick(7)]
				if pick(12) == 0 {
					list[j] = ints[pick(len(ints))]
				}
			}
			v = list
		case reflect.TypeFor[int64]():
			v = ints[pick(7)]
			if pick(8) == 0 {
				v = ints[pick(len(ints))]
			}
		case reflect.TypeFor[float64]():
			v = floats[pick(len(floats))]
		case reflect.TypeFor[float32]():
			v = float32(floats[pick(4)])
		case reflect.TypeFor[bool]():
			v = pick(2) == 0
		case reflect.TypeFor[string]():
			v = words[pick(len(words))]
		case reflect.TypeFor[torch.Dtype]():
			v = torch.Dtype(pick(20) - 2)
		default:
			panic(fmt.Sprint("no values for ", in))
		}
		args = append(args, reflect.ValueOf(v))
	}
	return args
}

// Every operation answers whatever it is given with a result or with an *Error that begins with its
// name: no other panic, no abort, no leak. GOTORCH_FUZZ=N sets the number of calls for each,
// GOTORCH_FUZZ_OP=Name picks one, GOTORCH_FUZZ_TRACE=1 prints each call before it is made.
func TestEveryOperationRefusesInWords(t *testing.T) {
	calls := 30
	if s := os.Getenv("GOTORCH_FUZZ"); s != "" {
		if _, err := fmt.Sscan(s, &calls); err != nil {
			t.Fatal(err)
		}
	}
	trace := os.Getenv("GOTORCH_FUZZ_TRACE") != ""
	var names []string
	for name := range operations {
		names = append(names, name)
	}
	sort.Strings(names)
	refused := map[string]bool{}
	only := os.Getenv("GOTORCH_FUZZ_OP")
	for n, name := range names {
		if only != "" && only != name {
			continue
		}
		op := reflect.ValueOf(operations[name])
		r := rand.New(rand.NewPCG(uint64(n), 1))
		for i := range calls {
			torch.Scoped(func(*torch.Scope) {
				torch.ManualSeed(int64(i))
				args := arguments(op.Type(), r, pool())
				if trace {
					fmt.Fprintln(os.Stderr, name, i, describe(args))
				}
				err := torch.Try(func() { op.Call(args) })
				if err == nil {
					return
				}
				refused[name] = true
				if !strings.HasPrefix(err.Error(), name+": ") || len(err.Error()) < len(name)+6 {
					t.Errorf("%s says %q", name, err)
				}
			})
		}
	}
	if only == "" && len(refused) < len(names)*9/10 {
		t.Errorf("only %d of %d operations ever refused: the arguments are too tame", len(refused), len(names))
	}
}

func describe(args []reflect.Value) string {
	var s []string
	one := func(x torch.Tensor) string {
		if !x.Defined() {
			return "none"
		}
		return torch.DtypeName(x.Dtype()) + fmt.Sprint(x.Shape())
	}
	for _, a := range args {
		switch v := a.Interface().(type) {
		case torch.Tensor:
			s = append(s, one(v))
		case []torch.Tensor:
			var l []string
			for _, x := range v {
				l = append(l, one(x))
			}
			s = append(s, "{"+strings.Join(l, " ")+"}")
		default:
			s = append(s, fmt.Sprintf("%#v", v))
		}
	}
	return strings.Join(s, ", ")
}
