package gotorch

// What the benchmarks and tests outside the package see of its inside.
var (
	NativeAdd = nativeAdd
	NativeNop = nativeNop
	Fits      = fits
	VersionIn = versionIn
)
