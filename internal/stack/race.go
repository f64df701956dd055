//go:build race

package stack

// Racing is whether the race detector watches the tests, and so the programs
// that they start.
const Racing = true
