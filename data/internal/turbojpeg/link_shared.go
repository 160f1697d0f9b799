//go:build turbojpeg_shared

package turbojpeg

// #cgo LDFLAGS: -lturbojpeg
import "C"
