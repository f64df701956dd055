package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"coffer/protocol"
)

// fillDisk takes all the room that is left, and returns what gives it back.
func fillDisk(t *testing.T, folder string) (clear func()) {
	t.Helper()
	f, err := os.Create(filepath.Join(folder, "filler"))
	if err != nil {
		t.Error(err) // it may be another goroutine's call
		return func() {}
	}
	defer f.Close()
	for err == nil {
		_, err = io.WriteString(f, strings.Repeat("x", 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	return func() { os.Remove(f.Name()) }
}

// A full disk burns no name: where the keys cannot be written, the server hears
// of nothing; where it fills up right after the server has heard, the same
// command goes on with the same keys once there is room.
func TestRegistrationOnAFullDisk(t *testing.T) {
	for _, test := range []struct {
		name  string
		early bool
	}{{"before the keys are written", true}, {"after the name is registered", false}} {
		t.Run(test.name, func(t *testing.T) {
			disk := t.TempDir()
			if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
				t.Fatalf("mount a small disk: %v", err)
			}
			t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) })
			home := filepath.Join(disk, "home")
			r := startRegistrar(t)
			clear := func() {}
			if test.early {
				clear = fillDisk(t, disk)
			} else {
				r.registered = func() { clear = fillDisk(t, disk) }
			}
			register := []string{"register", "--server", r.addr, "--name", "ada", "--rsa-bits", "1024"}
			code, _, stderr := coffer(t, home, nil, register...)
			if code != 1 || !strings.Contains(stderr, "no space left") {
				t.Fatalf("exit code %d\n%s", code, stderr)
			}
			if zero := (r.id == protocol.ClientID{}); zero != test.early || r.key != nil {
				t.Errorf("the server knows the id %v and the key %v", r.id, r.key)
			}
			a := &app{ctx: t.Context(), env: func(string) (string, bool) { return home, true }}
			begun, err := a.loadBegun()
			if err != nil || (begun == nil) != test.early {
				t.Fatalf("kept: %v, %v", begun, err)
			}
			clear()
			r.registered = nil
			if code, _, stderr := coffer(t, home, nil, register...); code != 0 {
				t.Fatalf("with room: exit code %d\n%s", code, stderr)
			}
			p, err := a.loadProfile()
			if err != nil {
				t.Fatal(err)
			}
			credentials, err := p.credentials()
			if err != nil || credentials.Client != r.id || !credentials.Key.PublicKey.Equal(r.key) {
				t.Errorf("the profile is not the account's: %v", err)
			}
			if begun != nil && p.Identity != begun.Identity {
				t.Error("the keys are others than those that were written")
			}
		})
	}
}
