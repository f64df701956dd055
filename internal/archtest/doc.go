// Package archtest checks who imports whom against docs/architecture.md: it
// reads the table there, so that the two cannot differ. It has tests alone.
package archtest
