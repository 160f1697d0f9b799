// Command gen makes the code around gotorch's C interface from its two sources: native/cgotorch.h
// (declarations written by hand) and native/ops.def (the regular operations). It writes
// native/ops_gen.h, native/ops_gen.cpp, native/abi_gen.h, stubs_gen.c, abi_gen.go and ops_gen.go.
// With -check it writes nothing and fails when a file is not up to date.
//
// It runs in the folder of the module: go generate.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"sort"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail when a generated file is out of date")
	dir := flag.String("dir", ".", "folder of the module")
	flag.Parse()
	if err := run(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	files, err := Generate(dir)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		path := dir + "/" + name
		old, _ := os.ReadFile(path)
		if bytes.Equal(old, files[name]) {
			continue
		}
		if check {
			return fmt.Errorf("%s is out of date; run go generate in the folder of gotorch", name)
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	return nil
}
