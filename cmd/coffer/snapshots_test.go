package main

import (
	"testing"
	"time"
)

func TestParseTarget(t *testing.T) {
	day := func(text string) time.Time {
		at, err := time.ParseInLocation(time.DateTime, text, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		return at.Add(time.Second - time.Nanosecond)
	}
	tests := []struct {
		text string
		want target
	}{
		{"home", target{name: "home"}},
		{"a/b", target{name: "a/b"}},
		{"home@3", target{name: "home", version: 3}},
		{"home:docs/a b", target{name: "home", path: "docs/a b"}},
		{"home@3:/docs/", target{name: "home", version: 3, path: "docs"}},
		{"home:a@2:b", target{name: "home", path: "a@2:b"}},
		{"home@2026-11-01", target{name: "home", until: day("2026-11-01 23:59:59")}},
		{"home@2026-11-01T15:04", target{name: "home", until: day("2026-11-01 15:04:59")}},
		{"home@2026-11-01T15:04:05:x", target{name: "home", until: day("2026-11-01 15:04:05"), path: "x"}},
		{"home@2026-11-01:x", target{name: "home", until: day("2026-11-01 23:59:59"), path: "x"}},
		{"me@here", target{name: "me@here"}}, // no version: part of a name
	}
	for _, test := range tests {
		got, err := parseTarget(test.text)
		test.want.text = test.text
		if err != nil || got.name != test.want.name || got.version != test.want.version || got.path != test.want.path || !got.until.Equal(test.want.until) {
			t.Errorf("%q: %+v, %v, want %+v", test.text, got, err, test.want)
		}
	}
	for _, bad := range []string{"", ":x", "@3", "home@0", "home@2026-13-01", "home@99999999999"} {
		if got, err := parseTarget(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestSlices(t *testing.T) {
	for text, want := range map[string]slice{"1/1": {1, 1}, "3/7": {3, 7}, "0/1": {0, 1}} {
		var got slice
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "1", "2/1", "1/0", "-1/2", "a/b", "1/2/3"} {
		if new(slice).UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is a slice", bad)
		}
	}
}
