//go:build !turbojpeg_shared

package turbojpeg

// Debian's and Ubuntu's libturbojpeg0-dev bring the archive; linking it in
// leaves the binary with one library less to find. Where there is none, build
// with -tags turbojpeg_shared.

// #cgo LDFLAGS: -l:libturbojpeg.a
import "C"
