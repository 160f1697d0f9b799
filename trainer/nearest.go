package trainer

import "fmt"

// Nearest returns the candidate that a mistyped word most likely meant, or ""
// when none is near: at most a third of the word's letters may differ,
// and two of a short word's (Levenshtein distance: swapped letters count twice).
func Nearest(word string, candidates []string) string {
	best, limit := "", min(max(2, len(word)/3), len(word)-1)
	for _, candidate := range candidates {
		if d := editDistance(word, candidate); d <= limit {
			best, limit = candidate, d-1
		}
	}
	return best
}

// suggest is Nearest as the end of an error's line.
func suggest(word string, candidates []string) string {
	if near := Nearest(word, candidates); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// editDistance is Levenshtein's: single-byte insertions, deletions and changes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
