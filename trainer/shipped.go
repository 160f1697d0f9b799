package trainer

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed recipes/*.yaml
var shippedFiles embed.FS

// A Shipped is a recipe that comes with Orrery.
type Shipped struct {
	Name     string `json:"name"`
	About    string `json:"about"`
	Command  string `json:"command"`
	Measured string `json:"measured"` // result, duration and machine, or "not yet"
	YAML     string `json:"yaml"`
}

// ShippedRecipes lists them by name.
func ShippedRecipes() ([]Shipped, error) {
	entries, err := shippedFiles.ReadDir("recipes")
	if err != nil {
		return nil, err
	}
	var list []Shipped
	for _, e := range entries {
		text, err := shippedFiles.ReadFile(path.Join("recipes", e.Name()))
		if err != nil {
			return nil, err
		}
		s := Shipped{Name: strings.TrimSuffix(e.Name(), ".yaml"), YAML: string(text)}
		for _, line := range strings.Split(s.YAML, "\n") {
			comment, ok := strings.CutPrefix(line, "# ")
			if !ok {
				break
			}
			if command, ok := strings.CutPrefix(comment, "command: "); ok {
				s.Command = command
			} else if measured, ok := strings.CutPrefix(comment, "measured: "); ok {
				s.Measured = measured
			} else {
				s.About = strings.TrimSpace(s.About + " " + comment)
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// shipped finds a recipe by name.
func shipped(name string) (Shipped, bool) {
	list, err := ShippedRecipes()
	if err != nil {
		return Shipped{}, false
	}
	for _, s := range list {
		if s.Name == name {
			return s, true
		}
	}
	return Shipped{}, false
}

// shippedNames lists the names, for an error's line.
func shippedNames() string {
	list, err := ShippedRecipes()
	if err != nil {
		return fmt.Sprint(err)
	}
	var names []string
	for _, s := range list {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
