package storetest

import (
	"testing"
	"time"

	"coffer/store"
)

func newMachine(n byte, client store.ClientID, name string) store.Machine {
	return store.Machine{ID: store.MachineID{n}, Client: client, Name: name, PublicKey: []byte{n, 1}, OAEPHash: "sha256", Rights: 1, Created: noon}
}

func testMachines(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	ada, bob := newClient(1), newClient(2)
	must(t, "add", c.AddClient(ctx, ada))
	must(t, "add", c.AddClient(ctx, bob))
	web, db := newMachine(1, ada.ID, "web"), newMachine(2, ada.ID, "db")
	must(t, "add web", c.AddMachine(ctx, web))
	must(t, "add web again", c.AddMachine(ctx, web))
	must(t, "add db", c.AddMachine(ctx, db))
	must(t, "a name of another account", c.AddMachine(ctx, newMachine(3, bob.ID, "web")))
	wantErr(t, "an id that is taken", c.AddMachine(ctx, newMachine(1, bob.ID, "other")), store.ErrNameTaken)
	wantErr(t, "another key", c.AddMachine(ctx, store.Machine{ID: web.ID, Client: ada.ID, Name: "web", PublicKey: []byte("other")}), store.ErrNameTaken)
	wantErr(t, "a name that is taken", c.AddMachine(ctx, newMachine(4, ada.ID, "web")), store.ErrNameTaken)
	wantErr(t, "for nobody", c.AddMachine(ctx, newMachine(4, clientID(9), "x")), store.ErrNoClient)

	list := func(want ...store.Machine) {
		t.Helper()
		got, err := c.ListMachines(ctx, ada.ID)
		must(t, "list", err)
		wantEqual(t, "machines", got, want)
	}
	list(db, web)
	got, err := c.Machine(ctx, web.ID)
	must(t, "find", err)
	wantEqual(t, "machine", got, web)
	_, err = c.Machine(ctx, store.MachineID{9})
	wantErr(t, "find none", err, store.ErrNoMachine)

	web.Used = noon.Add(time.Hour)
	must(t, "touch", c.TouchMachine(ctx, web.ID, web.Used))
	must(t, "touch none", c.TouchMachine(ctx, store.MachineID{9}, web.Used))
	list(db, web)

	wantErr(t, "remove a machine of another account", c.RemoveMachine(ctx, bob.ID, web.ID, noon), store.ErrNoMachine)
	must(t, "claim", c.ClaimLabel(ctx, ada.ID, web.ID, "s/1"))
	web.Labels, web.Removed = 1, noon.Add(2*time.Hour)
	must(t, "remove", c.RemoveMachine(ctx, ada.ID, web.ID, web.Removed))
	must(t, "remove again", c.RemoveMachine(ctx, ada.ID, web.ID, web.Removed.Add(time.Hour)))
	must(t, "remove one that began nothing", c.RemoveMachine(ctx, ada.ID, db.ID, noon))
	list(web)
	wantErr(t, "add a removed one", c.AddMachine(ctx, newMachine(1, ada.ID, "web")), store.ErrNameTaken)
	wantErr(t, "remove one that is forgotten", c.RemoveMachine(ctx, ada.ID, db.ID, noon), store.ErrNoMachine)

	_, err = c.RemoveClient(ctx, ada.ID)
	must(t, "remove the client", err)
	_, err = c.Machine(ctx, web.ID)
	wantErr(t, "of a client that is gone", err, store.ErrNoMachine)
	must(t, "add the client again", c.AddClient(ctx, ada))
	list()
	id, err := c.LabelMachine(ctx, ada.ID, "s/1")
	must(t, "label", err)
	wantEqual(t, "a label that went with the client", id, store.MachineID{})
}

func testMachineLabels(t *testing.T, c store.Catalog) {
	ctx := t.Context()
	ada, bob := newClient(1), newClient(2)
	must(t, "add", c.AddClient(ctx, ada))
	must(t, "add", c.AddClient(ctx, bob))
	web, db := newMachine(1, ada.ID, "web"), newMachine(2, ada.ID, "db")
	must(t, "add web", c.AddMachine(ctx, web))
	must(t, "add db", c.AddMachine(ctx, db))
	of := func(label string, want store.MachineID) {
		t.Helper()
		id, err := c.LabelMachine(ctx, ada.ID, label)
		must(t, "label", err)
		wantEqual(t, "who began "+label, id, want)
	}
	of("s/web", store.MachineID{})
	must(t, "claim", c.ClaimLabel(ctx, ada.ID, web.ID, "s/web"))
	must(t, "claim again", c.ClaimLabel(ctx, ada.ID, web.ID, "s/web"))
	must(t, "claim another", c.ClaimLabel(ctx, ada.ID, db.ID, "s/db"))
	of("s/web", web.ID)
	of("s/db", db.ID)
	wantErr(t, "claim a label of another machine", c.ClaimLabel(ctx, ada.ID, db.ID, "s/web"), store.ErrNameTaken)
	wantErr(t, "in another account", c.ClaimLabel(ctx, bob.ID, web.ID, "s/x"), store.ErrNoMachine)

	_, _, err := c.Commit(ctx, newVersion(1, "s/owner", 1, "owner"), store.Retention{})
	must(t, "commit", err)
	wantErr(t, "what the owner has", c.ClaimLabel(ctx, ada.ID, web.ID, "s/owner"), store.ErrNameTaken)
	_, err = c.BeginRun(ctx, store.Run{ID: store.RunID{1}, Client: ada.ID, Name: "s/begun", Begun: noon, Seen: noon})
	must(t, "begin", err)
	wantErr(t, "what the owner makes", c.ClaimLabel(ctx, ada.ID, web.ID, "s/begun"), store.ErrNameTaken)
	_, err = c.BeginRun(ctx, store.Run{ID: store.RunID{2}, Client: ada.ID, Name: "s/web", Begun: noon, Seen: noon})
	must(t, "begin", err)
	must(t, "its own with a run", c.ClaimLabel(ctx, ada.ID, web.ID, "s/web"))

	must(t, "remove", c.RemoveMachine(ctx, ada.ID, web.ID, noon))
	wantErr(t, "of a removed machine", c.ClaimLabel(ctx, ada.ID, web.ID, "s/web"), store.ErrNoMachine)
	wantErr(t, "after a removed machine", c.ClaimLabel(ctx, ada.ID, db.ID, "s/web"), store.ErrNameTaken)
	of("s/web", web.ID)
}
