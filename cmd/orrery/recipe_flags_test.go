package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/wangkuiyi/orrery/trainer"
)

// TestRecipeFlagsNameKeys holds each flag's name against the recipe's keys, which it is laid over by.
func TestRecipeFlagsNameKeys(t *testing.T) {
	for _, flag := range recipeFlags() {
		name := flag.Names()[0]
		if slices.Contains(notKeys, name) {
			continue
		}
		key := strings.ReplaceAll(name, "-", "_")
		if _, err := trainer.ParseRecipe([]byte(key+":\n"), trainer.Article()); err != nil {
			t.Errorf("--%s: %v", name, err)
		}
	}
}
