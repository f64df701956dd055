package main

import (
	"slices"
	"testing"

	"github.com/alecthomas/kong"

	"coffer/server/settings"
)

// Each setting has a flag whose default is the setting's own.
func TestSettingFlags(t *testing.T) {
	var cmd serveCmd
	parser, err := kong.New(&cmd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	if got := cmd.settingFlags.values(); got != settings.Defaults() {
		t.Errorf("flags give %+v, the defaults are %+v", got, settings.Defaults())
	}
	for _, flag := range settings.Flags() {
		if !slices.ContainsFunc(parser.Model.Flags, func(f *kong.Flag) bool { return f.Name == flag }) {
			t.Errorf("there is no --%s", flag)
		}
	}
}
