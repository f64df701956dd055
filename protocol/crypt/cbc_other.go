//go:build !amd64 || purego

package crypt

// schedule is a key made ready for use; it is never written after.
type schedule = portable

func newSchedule(key *SessionKey) *schedule { return newPortable(key) }
