package main

import (
	"testing"

	"coffer/internal/program/programtest"
)

func TestFlagsAreDocumented(t *testing.T) {
	programtest.Documented(t, "coffer-server", "serve", new(cli))
}
