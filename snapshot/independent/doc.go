// Package independent has a reader of snapshots that shares no code with the
// project: what docs/snapshots.md says, age and zstd are enough. It has tests
// alone.
package independent
