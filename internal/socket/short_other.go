//go:build !linux

package socket

// shorten returns the path if it fits into an address.
func shorten(path string) (short string, done func(), err error) {
	if len(path) > maxPath {
		return "", nil, tooLong(path)
	}
	return path, func() {}, nil
}
