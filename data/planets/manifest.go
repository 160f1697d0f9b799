package planets

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// ManifestName is the file beside the class folders that says what is in them.
const ManifestName = "manifest.json"

// Manifest records a rendered set.
type Manifest struct {
	Renderer string         `json:"renderer"` // Version
	Seed     int64          `json:"seed"`
	Images   int            `json:"images"`
	Classes  map[string]int `json:"classes"` // pictures in each folder
	Wrong    []Wrong        `json:"wrong_labels"`
	Files    []File         `json:"files"`
}

// Wrong is a picture in another class's folder, put there on purpose.
type Wrong struct {
	Path  string `json:"path"` // slash-separated, relative to the set
	Label string `json:"label"`
	Truth string `json:"truth"`
}

// File is a picture and its size in bytes.
type File struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// ReadManifest reads the manifest of the set in dir.
func ReadManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, ManifestName)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// newManifest describes the pictures, whose sizes are given in their order.
func newManifest(seed int64, pictures []picture, bytes []int64) *Manifest {
	m := &Manifest{Renderer: Version, Seed: seed, Images: len(pictures), Classes: map[string]int{}, Wrong: []Wrong{}}
	for i, p := range pictures {
		path := Classes[p.folder] + "/" + p.name
		m.Classes[Classes[p.folder]]++
		m.Files = append(m.Files, File{path, bytes[i]})
		if p.truth != p.folder {
			m.Wrong = append(m.Wrong, Wrong{path, Classes[p.folder], Classes[p.truth]})
		}
	}
	return m
}

func (m *Manifest) write(dir string) error {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ManifestName), append(b, '\n'), 0o644)
}

// complete says whether every file of the manifest is in dir with its size.
func (m *Manifest) complete(dir string) bool {
	if m.Images != len(m.Files) {
		return false
	}
	for _, f := range m.Files {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil || info.Size() != f.Bytes {
			return false
		}
	}
	return true
}
