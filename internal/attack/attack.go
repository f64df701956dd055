// Package attack has tests alone: what a stranger, a flood, or a hostile
// server can do to the real programs, each attack with its measure (queries,
// seconds, bytes, versions lost). docs/security.md promises what they check.
package attack
