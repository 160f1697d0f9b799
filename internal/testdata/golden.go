package testdata

import (
	"encoding/json"
	"os"
	"testing"
)

// Golden reads a JSON file that a script of scripts/golden wrote.
func Golden[T any](t testing.TB, path string) T {
	t.Helper()
	var golden T
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &golden)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return golden
}

// Uniform is the scripts' hash of i and k, a number in [0, 1).
func Uniform(i, k int) float64 {
	h := uint32(i)*0x9E3779B9 + uint32(k)*0x85EBCA6B + 1
	h ^= h >> 16
	h *= 0x85EBCA6B
	h ^= h >> 13
	h *= 0xC2B2AE35
	h ^= h >> 16
	return float64(h>>8) / (1 << 24)
}
