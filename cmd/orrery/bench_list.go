package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A listValue is a flag's comma-separated list, whose first value stands for the
// whole where a single one is asked for.
type listValue[T int | string] struct{ all []T }

func newList[T int | string](values ...T) *listValue[T] { return &listValue[T]{values} }

// Set takes the place of what was there.
func (l *listValue[T]) Set(text string) error {
	var all []T
	for _, word := range strings.Split(text, ",") {
		word = strings.TrimSpace(word)
		if word == "" {
			return fmt.Errorf("%q has an empty place", text)
		}
		var value T
		switch v := any(&value).(type) {
		case *string:
			*v = word
		case *int:
			var err error
			if *v, err = strconv.Atoi(word); err != nil {
				return fmt.Errorf("%q is no whole number", word)
			}
		}
		all = append(all, value)
	}
	l.all = all
	return nil
}

// String is the first value.
func (l *listValue[T]) String() string {
	if l == nil || len(l.all) == 0 {
		return ""
	}
	return fmt.Sprint(l.all[0])
}

// Get is the first value, too.
func (l *listValue[T]) Get() any { return l.all[0] }

// Serialize is the whole list, from which a flag's other name takes its value.
func (l *listValue[T]) Serialize() string {
	words := make([]string, len(l.all))
	for i, v := range l.all {
		words[i] = fmt.Sprint(v)
	}
	return strings.Join(words, ",")
}
