package server_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/server"
	"coffer/store"
)

// happened are the activities, the oldest first, in one line each.
func (c *core) happened() (list []string) {
	c.t.Helper()
	all, err := c.srv.Admin().Activities(c.t.Context(), store.ActivityFilter{Limit: 1000})
	if err != nil {
		c.t.Fatal(err)
	}
	slices.Reverse(all)
	for _, a := range all {
		line := fmt.Sprintf("%s %s %s", a.Kind, a.Outcome, a.Name)
		if a.File != "" {
			line += fmt.Sprintf(" %s/%d", a.File, a.Version)
		}
		list = append(list, strings.TrimSpace(line))
	}
	return list
}

// Everything that an operator wants to know of is noted, once, with whom and
// what it concerns.
func TestActivities(t *testing.T) {
	c := startCore(t, nil)
	eventually(t, "the start is noted", func() bool { return len(c.happened()) == 1 })
	w := c.newClient("ada")
	w.reconnect()
	w.prove()
	plain := content(1, 100_000)
	w.store("base", plain, 30_000)

	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 1, Name: "ext"})
	ref := protocol.UploadRef{ByID: true, Upload: id}
	w.packet(id, 1, true, encrypt(up.key, plain))
	var r protocol.VerifyResult
	w.ask(&protocol.VerifyUpload{Ref: ref, Cksum: cksum.Sum(plain) + 1}, nil, &r)
	w.packet(id, 1, true, encrypt(up.key, plain))
	w.ask(&protocol.VerifyUpload{Ref: ref, Cksum: cksum.Sum(plain)}, nil, &r)

	size := uint32(len(plain) + 16)
	w.read("ext", 0, 0, 5000)
	w.read("ext", 0, 5000, 5000)
	w.read("ext", 0, uint64(size)-100, 0) // the end
	w.read("ext", 0, uint64(size)-100, 0) // again

	w.write(w.packetFrame("bad", 32, 20, 1, 1, make([]byte, 32))) // no padding
	w.expectEmpty(1607)
	w.write(w.frames("wrong", plain, 200_000)[0])
	w.expect(1603)
	w.send(1031, field("wrong"))
	w.expectID(1604)
	id, _ = w.begin(&protocol.BeginUpload{OriginalSize: 10, Total: 1, Name: "cancelled"})
	w.done(&protocol.CancelUpload{Ref: protocol.UploadRef{ByID: true, Upload: id}})
	w.done(&protocol.DeleteFile{Name: "base"})

	g := c.gateway(w)
	w.revokeTokens(&protocol.SetPassword{Password: "secret", Bundle: []byte("bundle")})
	if g.signsIn("ada", "sesame") || !g.signsIn("ada", "secret") {
		t.Error("the password does not work")
	}
	w.done(&protocol.RemoveAccount{Password: "secret"})

	want := []string{
		"server ok", "registration ok ada", "key_exchange ok ada", "sign_in ok ada",
		"upload ok ada base/1", "mismatch warning ada ext/0", "upload ok ada ext/1", "restore ok ada ext/1",
		"upload failed ada bad/0", "mismatch failed ada wrong/0", "upload_dropped ok ada cancelled/0", "removal ok ada base/0",
		"password ok ada", "sign_in failed ada", "sign_in ok ada", "removal ok ada",
	}
	if got := c.happened(); !slices.Equal(got, want) {
		t.Errorf("happened:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	all, err := c.srv.Admin().Activities(t.Context(), store.ActivityFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		for _, secret := range []string{"secret", "sesame", "bundle", fmt.Sprintf("%x", w.id)} {
			if strings.Contains(fmt.Sprint(a), secret) {
				t.Errorf("%s tells %q", a.Kind, secret)
			}
		}
		if a.Kind == store.ActivityUpload && a.Outcome == store.OutcomeOK && (a.Bytes != int64(size) || a.Took <= 0) {
			t.Errorf("upload of %d bytes in %v", a.Bytes, a.Took)
		}
	}
	c.restart()
	if got := c.happened(); len(got) < len(want)+1 || !slices.Equal(got[:len(want)], want) || got[len(want)] != "server ok" {
		t.Errorf("after a restart: %v", got)
	}
}

// What goes wrong in the server is noted, but not as often as it happens.
func TestErrorsAreNoted(t *testing.T) {
	c := startOnDisk(t, nil)
	w := c.proven("ada")
	w.store("f", content(2, 100_000), 200_000)
	if err := os.Remove(c.blobFile(w, "f")); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		w.fails(&protocol.ReadFile{Name: "f"}, nil, protocol.StatusInternal)
	}
	count := 0
	for _, line := range c.happened() {
		if strings.HasPrefix(line, "error") {
			count++
			if line != "error failed ada" {
				t.Errorf("noted: %s", line)
			}
		}
	}
	if count == 0 || count > 10 {
		t.Errorf("noted %d times", count)
	}
}

// A subscriber hears of activities at once and of figures each second. One that
// does not listen delays nobody, and learns how much it missed.
func TestSubscribe(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.RegistrationRate = 0 })
	events := c.srv.Admin().Subscribe(t.Context())
	slow := c.srv.Admin().Subscribe(t.Context())
	c.newClient("ada")
	var figures, registered bool
	for !figures || !registered {
		e := <-events
		figures = figures || e.Stats != nil && e.Stats.Clients == 1 && e.Stats.Requests >= 2
		registered = registered || e.Activity != nil && e.Activity.Kind == store.ActivityRegistration && e.Activity.Name == "ada" && e.Activity.ID > 0
	}
	for i := range 400 {
		c.newClientNamed(fmt.Sprint("client ", i))
	}
	heard, missed := 0, 0
	for missed == 0 {
		e := <-slow
		heard++
		missed = e.Missed
		if heard > 1000 {
			t.Fatal("nothing was missed")
		}
	}
	c.stop()
	for range events { // ends with the server
	}
	for range c.srv.Admin().Subscribe(t.Context()) {
		t.Error("an event of a server that stopped")
	}
}

// newClientNamed registers a client, and no more.
func (c *core) newClientNamed(name string) {
	c.t.Helper()
	w := dial(c.t, c.public)
	w.register(name)
	w.nc.Close()
}

// What happens has the address that it came from.
func TestActivitiesHaveAddresses(t *testing.T) {
	c := startCore(t, nil)
	w := dialFrom(t, "127.0.0.5", c.public)
	w.register("somebody")
	w.sendKey("rsa1024_e17")
	w.store("f", []byte("content"), 100)
	w.reconnect()
	w.prove()
	w.fetch("f", 0)
	w.done(&protocol.DeleteFile{Name: "f"})
	found, err := c.srv.Admin().Activities(t.Context(), store.ActivityFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	reported := 0
	for _, a := range found {
		switch {
		case a.Kind == store.ActivityServer:
		case a.Address != "127.0.0.5":
			t.Errorf("%s came from %q", a.Kind, a.Address)
		default:
			reported++
		}
	}
	if reported < 5 {
		t.Errorf("%d activities of a client: %v", reported, found)
	}
}
