// Package archtest checks imports against docs/architecture.md: it reads the
// table there, so that the two cannot differ. It consists of tests only.
package archtest
