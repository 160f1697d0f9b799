package live

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// marks are the files that make a folder a run.
var marks = []string{"recipe.yaml", "steps.csv", "history.csv", "result.json"}

// maxRuns is how many runs the page lists.
const maxRuns = 500

// isRun tells whether a folder holds a run.
func isRun(root *os.Root) bool {
	for _, name := range marks {
		if _, err := regular(root, name); err == nil {
			return true
		}
	}
	return false
}

// findRuns lists the runs at or directly below root, newest first. The root
// itself has the name ".".
func findRuns(root *os.Root) []string {
	if isRun(root) {
		return []string{"."}
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil
	}
	type found struct {
		name string
		time int64
	}
	var list []found
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		sub, err := root.OpenRoot(e.Name())
		if err != nil {
			continue
		}
		if isRun(sub) {
			list = append(list, found{e.Name(), changed(sub)})
		}
		release(sub)
	}
	slices.SortFunc(list, func(a, b found) int {
		if a.time != b.time {
			if a.time > b.time {
				return -1
			}
			return 1
		}
		if a.name < b.name {
			return -1
		}
		return 1
	})
	names := make([]string, 0, len(list))
	for _, f := range list[:min(len(list), maxRuns)] {
		names = append(names, f.name)
	}
	return names
}

// changed is when a run last wrote, in nanoseconds.
func changed(root *os.Root) int64 {
	latest := int64(0)
	for _, name := range marks {
		if info, err := regular(root, name); err == nil {
			latest = max(latest, info.ModTime().UnixNano())
		}
	}
	return latest
}

// title is what people call a run: its folder's name.
func title(root *os.Root, name string) string {
	if name != "." {
		return name
	}
	full, err := filepath.Abs(root.Name())
	if err != nil {
		return root.Name()
	}
	return filepath.Base(full)
}
