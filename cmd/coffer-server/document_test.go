package main

import (
	"testing"

	"github.com/alecthomas/kong"

	"coffer/internal/program/programtest"
)

func TestFlagsAreDocumented(t *testing.T) {
	programtest.Documented(t, "coffer-server", "serve", new(cli), kong.DefaultEnvars("COFFER"))
}
