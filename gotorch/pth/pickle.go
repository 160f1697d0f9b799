package pth

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// unpickler runs the opcodes of Python's pickle that torch.save writes, over values that are data
// only: nothing in it can call a function that is not in the list of globals.
//
// The opcodes: https://docs.python.org/3/library/pickletools.html.
type unpickler struct {
	b          []byte
	at         int
	stack      []any
	marks      []int
	memo       map[int]any
	persistent func(id []any) (any, error)
}

type (
	// global is a name that a pickle refers to, as in torch.FloatStorage.
	global string
	// dict keeps its keys, turned into texts, in their order.
	dict struct {
		keys   []any
		values map[string]any
	}
	list  struct{ items []any }
	tuple []any
)

// known are the globals that may occur, and what calling one gives.
var known = map[global]func(args []any) (any, error){
	"collections.OrderedDict":         func([]any) (any, error) { return newDict(), nil },
	"torch._utils._rebuild_tensor_v2": rebuildTensor,
	"torch._utils._rebuild_tensor":    rebuildTensor,
	"torch._utils._rebuild_parameter": first,
	"torch.Size":                      first,
	"torch.nn.parameter.Parameter":    first,
}

func newDict() *dict { return &dict{values: map[string]any{}} }

func first(args []any) (any, error) {
	if len(args) == 0 {
		return tuple{}, nil
	}
	return args[0], nil
}

// maxStack bounds the values that a hostile file can pile up.
const maxStack = 1 << 24

func (u *unpickler) fail(format string, a ...any) error {
	return fmt.Errorf("byte %d of the pickle: %s", u.at, fmt.Sprintf(format, a...))
}

func (u *unpickler) take(n uint64) ([]byte, error) {
	if n > uint64(len(u.b)-u.at) {
		return nil, u.fail("expected %d bytes more, found %d", n, len(u.b)-u.at)
	}
	b := u.b[u.at : u.at+int(n)]
	u.at += int(n)
	return b, nil
}

// number reads n bytes, the low ones first.
func (u *unpickler) number(n uint64) (uint64, error) {
	b, err := u.take(n)
	if err != nil {
		return 0, err
	}
	var x [8]byte
	copy(x[:], b)
	return binary.LittleEndian.Uint64(x[:]), nil
}

func (u *unpickler) text(size uint64) (string, error) {
	n, err := u.number(size)
	if err != nil {
		return "", err
	}
	b, err := u.take(n)
	return string(b), err
}

func (u *unpickler) line() (string, error) {
	i := strings.IndexByte(string(u.b[u.at:min(len(u.b), u.at+1000)]), '\n')
	if i < 0 {
		return "", u.fail("a line without end")
	}
	b, err := u.take(uint64(i) + 1)
	return string(b[:max(0, len(b)-1)]), err
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

func (u *unpickler) pop() (any, error) {
	floor := 0
	if len(u.marks) > 0 {
		floor = u.marks[len(u.marks)-1]
	}
	if len(u.stack) <= floor {
		return nil, u.fail("the stack is empty")
	}
	v := u.stack[len(u.stack)-1]
	u.stack = u.stack[:len(u.stack)-1]
	return v, nil
}

// popMark returns what was pushed since the last mark.
func (u *unpickler) popMark() ([]any, error) {
	if len(u.marks) == 0 {
		return nil, u.fail("there is no mark")
	}
	m := u.marks[len(u.marks)-1]
	u.marks = u.marks[:len(u.marks)-1]
	items := append([]any(nil), u.stack[m:]...)
	u.stack = u.stack[:m]
	return items, nil
}

func (u *unpickler) top() (any, error) {
	if len(u.stack) == 0 {
		return nil, u.fail("the stack is empty")
	}
	return u.stack[len(u.stack)-1], nil
}

// run runs one pickle and returns its value; u.at is behind it then.
func (u *unpickler) run() (any, error) {
	u.stack, u.marks, u.memo = nil, nil, map[int]any{}
	for {
		op, err := u.take(1)
		if err != nil {
			return nil, err
		}
		if op[0] == '.' {
			return u.pop()
		}
		if err := u.step(op[0]); err != nil {
			return nil, err
		}
		if len(u.stack) > maxStack {
			return nil, u.fail("more than %d values", maxStack)
		}
	}
}

func (u *unpickler) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		_, err := u.take(1)
		return err
	case 0x95: // FRAME
		_, err := u.take(8)
		return err
	case '(':
		u.marks = append(u.marks, len(u.stack))
	case '0': // POP
		_, err := u.pop()
		return err
	case 'N':
		u.push(nil)
	case 0x88:
		u.push(true)
	case 0x89:
		u.push(false)
	case '}':
		u.push(newDict())
	case ']':
		u.push(&list{})
	case ')':
		u.push(tuple{})
	case 'J', 'K', 'M', 0x8a, 'G':
		return u.pushNumber(op)
	case 'X', 'T', 'B':
		return u.pushText(4)
	case 0x8c, 'U', 'C':
		return u.pushText(1)
	case 0x8d:
		return u.pushText(8)
	case 'c', 0x93, 'R', 0x81, 'b', 'Q':
		return u.objects(op)
	case 'q', 'r', 'h', 'j', 0x94:
		return u.remember(op)
	case 't', 0x85, 0x86, 0x87:
		return u.pushTuple(op)
	case 's', 'u', 'a', 'e':
		return u.fill(op)
	default:
		return u.fail("the opcode %#x is none that torch.save writes", op)
	}
	return nil
}

func (u *unpickler) pushNumber(op byte) error {
	size := map[byte]uint64{'J': 4, 'K': 1, 'M': 2, 'G': 8, 0x8a: 1}[op]
	n, err := u.number(size)
	if err != nil {
		return err
	}
	switch op {
	case 'J':
		u.push(int64(int32(n)))
	case 'G': // the high byte first
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], n)
		u.push(math.Float64frombits(binary.BigEndian.Uint64(b[:])))
	case 0x8a: // LONG1: n bytes of two's complement
		b, err := u.take(n)
		if err != nil {
			return err
		}
		if n > 8 {
			u.push(string(b))
			return nil
		}
		var x int64
		for i, c := range b {
			x |= int64(c) << (8 * i)
		}
		if n > 0 && n < 8 && b[n-1]&0x80 != 0 {
			x -= 1 << (8 * n)
		}
		u.push(x)
	default:
		u.push(int64(n))
	}
	return nil
}

func (u *unpickler) pushText(size uint64) error {
	s, err := u.text(size)
	if err == nil {
		u.push(s)
	}
	return err
}

func (u *unpickler) pushTuple(op byte) error {
	if op == 't' {
		items, err := u.popMark()
		u.push(tuple(items))
		return err
	}
	t := make(tuple, int(op-0x84))
	for i := len(t) - 1; i >= 0; i-- {
		v, err := u.pop()
		if err != nil {
			return err
		}
		t[i] = v
	}
	u.push(t)
	return nil
}

func (u *unpickler) remember(op byte) error {
	size := map[byte]uint64{'q': 1, 'h': 1, 'r': 4, 'j': 4}[op]
	i, err := u.number(size)
	if err != nil {
		return err
	}
	if op == 'h' || op == 'j' {
		v, ok := u.memo[int(i)]
		if !ok {
			return u.fail("nothing is remembered as %d", i)
		}
		u.push(v)
		return nil
	}
	if op == 0x94 { // MEMOIZE
		i = uint64(len(u.memo))
	}
	v, err := u.top()
	u.memo[int(i)] = v
	return err
}

// fill runs SETITEM, SETITEMS, APPEND and APPENDS.
func (u *unpickler) fill(op byte) error {
	var items []any
	if op == 'u' || op == 'e' {
		var err error
		if items, err = u.popMark(); err != nil {
			return err
		}
	} else {
		for range map[byte]int{'s': 2, 'a': 1}[op] {
			v, err := u.pop()
			if err != nil {
				return err
			}
			items = append([]any{v}, items...)
		}
	}
	into, err := u.top()
	if err != nil {
		return err
	}
	switch c := into.(type) {
	case *list:
		c.items = append(c.items, items...)
	case *dict:
		if len(items)%2 != 0 || op == 'a' || op == 'e' {
			return u.fail("a dictionary is filled with %d values", len(items))
		}
		for i := 0; i < len(items); i += 2 {
			c.set(items[i], items[i+1])
		}
	default:
		return u.fail("a %T cannot be filled", into)
	}
	return nil
}

func (d *dict) set(key, value any) {
	name, ok := key.(string)
	if !ok {
		name = fmt.Sprint(key)
	}
	if _, there := d.values[name]; !there {
		d.keys = append(d.keys, name)
	}
	d.values[name] = value
}

// objects runs GLOBAL, STACK_GLOBAL, REDUCE, NEWOBJ, BUILD and BINPERSID.
func (u *unpickler) objects(op byte) error {
	switch op {
	case 'c':
		module, err := u.line()
		if err != nil {
			return err
		}
		name, err := u.line()
		if err != nil {
			return err
		}
		return u.global(module, name)
	case 'Q':
		v, err := u.pop()
		if err != nil {
			return err
		}
		id, ok := v.(tuple)
		if !ok || u.persistent == nil {
			return u.fail("a storage is named by a %T", v)
		}
		s, err := u.persistent(id)
		if err != nil {
			return u.fail("%v", err)
		}
		u.push(s)
		return nil
	}
	second, err := u.pop()
	if err != nil {
		return err
	}
	if op == 'b' {
		return nil // the attributes of an OrderedDict, such as _metadata, are none of ours
	}
	what, err := u.pop()
	if err != nil {
		return err
	}
	if op == 0x93 {
		module, ok1 := what.(string)
		name, ok2 := second.(string)
		if !ok1 || !ok2 {
			return u.fail("a global is named by a %T and a %T", what, second)
		}
		return u.global(module, name)
	}
	args, ok := second.(tuple)
	if !ok {
		return u.fail("a call is given a %T", second)
	}
	name, _ := what.(global)
	f := known[name]
	if f == nil {
		return u.fail("%v cannot be called", what)
	}
	v, err := f(args)
	if err != nil {
		return u.fail("%s: %v", name, err)
	}
	u.push(v)
	return nil
}

func (u *unpickler) global(module, name string) error {
	g := global(module + "." + name)
	_, isStorage := storages[g]
	if _, ok := known[g]; !ok && !isStorage && module != "torch" {
		return u.fail("it wants %s, which only Python could run; save the state_dict alone", g)
	}
	u.push(g)
	return nil
}
