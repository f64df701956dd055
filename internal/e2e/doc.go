// Package e2e tests the programs as they are run: the real binaries, over real
// connections, killed, starved of space, and cut off. It has tests alone.
package e2e
