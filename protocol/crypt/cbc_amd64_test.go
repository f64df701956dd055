//go:build !purego

package crypt

// runsAssembly reports whether the "native" schedule is not the portable one.
var runsAssembly = hasAES()

// schedules are the ways in which this build can run CBC.
func schedules(key SessionKey) map[string]*schedule {
	return map[string]*schedule{
		"native":   newSchedule(&key),
		"portable": {portable: newPortable(&key)},
	}
}
