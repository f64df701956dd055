//go:build !race

package attack

// buildFlags build the programs as the tests themselves were built.
func buildFlags() []string { return nil }
