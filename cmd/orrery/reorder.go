package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// reorder moves the flags of a verb before its arguments, since users write
// both `orrery train photos --epochs 3` and `orrery train --epochs 3 photos`
// and the flag package stops at the first argument. What follows "--" stays
// where it is.
func reorder(args []string) []string {
	verb, at := verbOf(args)
	if verb == nil {
		return args
	}
	var flags, rest []string
	for i := at + 1; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i:]...)
			break
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			if sub := subcommand(verb, arg); sub != nil && len(rest) == 0 && len(flags) == 0 {
				verb, at = sub, i
				continue
			}
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		if takesValue(verb, arg) && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	ordered := append([]string{}, args[:at+1]...)
	return append(append(ordered, flags...), rest...)
}

// verbOf finds the verb that args run, and where it stands.
func verbOf(args []string) (*cli.Command, int) {
	for i, arg := range args {
		if i > 0 && !strings.HasPrefix(arg, "-") {
			for _, command := range verbs() {
				if command.HasName(arg) {
					return command, i
				}
			}
			return nil, 0
		}
	}
	return nil, 0
}

func subcommand(verb *cli.Command, name string) *cli.Command {
	for _, sub := range verb.Subcommands {
		if sub.HasName(name) {
			return sub
		}
	}
	return nil
}

// takesValue reports whether the next word belongs to the flag.
func takesValue(verb *cli.Command, arg string) bool {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return false
	}
	for _, flag := range verb.Flags {
		for _, known := range flag.Names() {
			if known == name {
				_, isBool := flag.(*cli.BoolFlag)
				return !isBool
			}
		}
	}
	return false
}
