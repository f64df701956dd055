//go:build !unix

package main

import "log/slog"

// warnOfModes has nothing to say where modes say nothing.
func warnOfModes(string, *slog.Logger) {}
