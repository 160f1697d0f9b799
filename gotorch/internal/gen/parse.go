package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode"
)

// Op is one entry of ops.def.
type Op struct {
	Doc    []string
	Note   string // what ends the documentation
	Kind   string // func, method or both
	Name   string // as in Go
	Params []Param
	Result string // Tensor, pair, triple, list, bool, int64, float64 or self
	Expr   string // C++
	Line   int
}

// Param is one parameter of an operation.
type Param struct{ Name, Type string }

// C returns the operation's name in the C interface.
func (o Op) C() string { return "cgt_op_" + snake(o.Name) }

// snake turns MaxPool2d into max_pool2d and OneHot into one_hot.
func snake(s string) string {
	var b strings.Builder
	r := []rune(s)
	for i, c := range r {
		if unicode.IsUpper(c) {
			afterLower := i > 0 && !unicode.IsUpper(r[i-1])
			beforeLower := i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1])
			if afterLower || beforeLower {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

var results = map[string]string{
	"Tensor": "Tensor", "(Tensor, Tensor)": "pair", "(Tensor, Tensor, Tensor)": "triple",
	"[]Tensor": "list", "bool": "bool", "int64": "int64", "float64": "float64", "self": "self",
}

var signature = regexp.MustCompile(`^(func|method|both) ([A-Za-z]\w*)\((.*?)\) (.+)$`)

// ParseOps reads ops.def.
func ParseOps(path string) ([]Op, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var ops []Op
	var doc []string
	note, inNote := "", false
	seen := map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		at := func(format string, a ...any) error {
			return fmt.Errorf("%s:%d: %s", path, i+1, fmt.Sprintf(format, a...))
		}
		if more, is := strings.CutPrefix(line, "#+"); is {
			if !inNote {
				note = ""
			}
			note, inNote = strings.TrimSpace(note+" "+strings.TrimSpace(more)), true
			continue
		}
		inNote = false
		switch {
		case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "":
			doc = nil
		case strings.HasPrefix(line, "//"):
			doc = append(doc, line)
		case line[0] == ' ':
			if len(ops) == 0 {
				return nil, at("an expression before the first operation")
			}
			o := &ops[len(ops)-1]
			o.Expr = strings.TrimSpace(o.Expr + " " + strings.TrimSpace(line))
		default:
			m := signature.FindStringSubmatch(line)
			if m == nil {
				return nil, at("want KIND Name(parameters) result, found %q", line)
			}
			o := Op{Doc: doc, Note: note, Kind: m[1], Name: m[2], Result: results[m[4]], Line: i + 1}
			if o.Result == "" {
				return nil, at("unknown result %q", m[4])
			}
			if o.Params, err = params(m[3]); err != nil {
				return nil, at("%v", err)
			}
			if o.Kind != "func" && (len(o.Params) == 0 || o.Params[0].Type != "Tensor") {
				return nil, at("%s needs a Tensor as its first parameter to be a method", o.Name)
			}
			if unicode.IsUpper(rune(o.Name[0])) && (len(doc) == 0 || !strings.HasPrefix(doc[0], "// "+o.Name+" ")) {
				return nil, at("the documentation must begin with %s", o.Name)
			}
			if before, ok := seen[o.Name]; ok {
				return nil, at("%s is declared on line %d already", o.Name, before)
			}
			seen[o.Name] = i + 1
			ops = append(ops, o)
			doc = nil
		}
	}
	for _, o := range ops {
		if o.Expr == "" {
			return nil, fmt.Errorf("%s:%d: %s has no expression", path, o.Line, o.Name)
		}
	}
	return ops, nil
}

// params reads "a, b Tensor, dim int64": a name without a type has that of the next one.
func params(s string) ([]Param, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var ps []Param
	for _, f := range strings.Split(s, ",") {
		w := strings.Fields(f)
		switch len(w) {
		case 1:
			ps = append(ps, Param{Name: w[0]})
		case 2:
			if _, ok := types[w[1]]; !ok {
				return nil, fmt.Errorf("unknown parameter type %q", w[1])
			}
			ps = append(ps, Param{w[0], w[1]})
			for i := len(ps) - 2; i >= 0 && ps[i].Type == ""; i-- {
				ps[i].Type = w[1]
			}
		default:
			return nil, fmt.Errorf("cannot read the parameter %q", f)
		}
	}
	if ps[len(ps)-1].Type == "" {
		return nil, fmt.Errorf("the last parameter has no type")
	}
	return ps, nil
}

// Func is one function of the C interface.
type Func struct {
	Result, Name string
	Params       []Param // Type holds the C type
}

var declaration = regexp.MustCompile(`(?s)^(.*?[ *])(cgt_\w+)\((.*)\)$`)

// ParseHeader reads the function declarations of a C header.
func ParseHeader(text string) ([]Func, error) {
	text = regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`//[^\n]*`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?m)^#.*$`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`extern "C" \{`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?s)typedef struct \{.*?\} \w+;`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?m)^\}\s*$`).ReplaceAllString(text, "")
	var fs []Func
	for _, d := range strings.Split(text, ";") {
		d = strings.Join(strings.Fields(d), " ")
		m := declaration.FindStringSubmatch(d)
		if m == nil || strings.HasPrefix(d, "typedef") {
			continue
		}
		f := Func{Result: strings.TrimSpace(m[1]), Name: m[2]}
		if m[3] != "void" {
			for _, p := range strings.Split(m[3], ",") {
				p = strings.TrimSpace(p)
				i := strings.LastIndexAny(p, " *")
				if i < 0 {
					return nil, fmt.Errorf("%s: cannot read the parameter %q", f.Name, p)
				}
				f.Params = append(f.Params, Param{p[i+1:], strings.TrimSpace(p[:i+1])})
			}
		}
		fs = append(fs, f)
	}
	return fs, nil
}
