package augment_test

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/wangkuiyi/orrery/augment"
)

// A recipe's transforms, in the order they run.
func ExampleList() {
	var list augment.List
	err := yaml.Unmarshal([]byte(`
- random_resized_crop: {size: 128, min_scale: 0.35}
- flip
- trivial_augment
`), &list)
	fmt.Println(err)

	_, err = augment.NewFromList(list, augment.Exact)
	fmt.Println(err)
	// Output:
	// <nil>
	// augment: trivial_augment comes after flip: put (rand_augment, trivial_augment) before (flip, alternating_flip, shift, dihedral, rotate, zoom)
}
