// Package variadic reads optional named parameters that are passed as maps.
package variadic

// Has tells whether the option key was given.
func Has(opts []map[string]interface{}, key string) bool {
	_, ok := Lookup(opts, key)
	return ok
}

// Get returns the option key; dft, or nil without one, when it was not given.
func Get(opts []map[string]interface{}, key string, dft ...interface{}) interface{} {
	if v, ok := Lookup(opts, key); ok {
		return v
	}
	if len(dft) > 0 {
		return dft[0]
	}
	return nil
}

// Lookup returns the option key and whether it was given. The first map that has it counts.
func Lookup(opts []map[string]interface{}, key string) (interface{}, bool) {
	for _, o := range opts {
		if v, ok := o[key]; ok {
			return v, true
		}
	}
	return nil, false
}
