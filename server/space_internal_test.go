package server

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestSpaceReserve(t *testing.T) {
	reserve := filepath.Join(t.TempDir(), "reserve")
	free, failing := uint64(1<<40), error(nil)
	s := NewSpace(1<<30, func() (uint64, uint64, error) { return free, 1 << 40, failing }, reserve, slog.New(slog.DiscardHandler))
	for _, tt := range []struct {
		name      string
		free      uint64
		err       error
		full      bool
		low, kept bool
	}{
		{name: "room", free: 1 << 40, kept: true},
		{name: "below the minimum", free: 1<<30 - 1, low: true, kept: true},
		{name: "all but full", free: 1 << 20, low: true},
		{name: "room, but not for the reserve", free: 1 << 30, low: true},
		{name: "room again", free: 1 << 40, kept: true},
		{name: "cannot tell", err: errors.New("failing"), kept: true},
		{name: "a write found none", free: 1 << 40, full: true, low: true},
	} {
		free, failing = tt.free, tt.err
		s.check()
		if tt.full {
			s.Full()
		}
		_, err := os.Stat(reserve)
		if s.Low() != tt.low || (err == nil) != tt.kept {
			t.Errorf("%s: low %v, reserve %v", tt.name, s.Low(), err)
		}
	}
	var none *Space
	none.Full()
	if none.Low() {
		t.Error("no Space is low")
	}
}
