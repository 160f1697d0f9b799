package trainer

import "testing"

func TestReached(t *testing.T) {
	for _, c := range []struct {
		files    []string
		step     int
		finished bool
	}{
		{nil, -1, false},
		{[]string{"recipe.yaml", "checkpoints/best.safetensors", "step-7.safetensors"}, -1, false},
		{[]string{"checkpoints/step-9.safetensors", "checkpoints/step-10.safetensors", "checkpoints/step-11.safetensors.damaged"}, 10, false},
		{[]string{"checkpoints/step-0.safetensors", "result.json"}, 0, true},
	} {
		if step, finished := Reached(c.files); step != c.step || finished != c.finished {
			t.Errorf("%v: %d, %v, want %d, %v", c.files, step, finished, c.step, c.finished)
		}
	}
}
