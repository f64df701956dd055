//go:build !amd64 || purego

package cksum

// update adds p to crc.
func update(crc uint32, p []byte) uint32 { return updatePortable(crc, p) }
