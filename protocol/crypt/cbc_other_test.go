//go:build !amd64 || purego

package crypt

// runsAssembly reports whether this build has a schedule that is not portable.
const runsAssembly = false

// schedules are the ways in which this build can run CBC.
func schedules(key SessionKey) map[string]*schedule {
	return map[string]*schedule{"portable": newSchedule(&key)}
}
