//go:build !unix

package program

import "os"

// Closed reports a standard stream that its process was started without.
func Closed(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := f.Stat()
	return err != nil
}
