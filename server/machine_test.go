package server_test

import (
	"crypto/sha1"
	"errors"
	"strings"
	"testing"

	"coffer/protocol"
	"coffer/server"
	"coffer/store"
)

// addMachine adds a machine with the usual key.
func (w *wire) addMachine(n byte, name string) protocol.MachineID {
	w.t.Helper()
	id := protocol.MachineID{n, 15: n}
	w.done(&protocol.AddMachine{Machine: id, Rights: protocol.RightSend, Name: name, DER: publicDER(w.t, key1024)})
	return id
}

// machine opens a connection of a machine, without proving it.
func (c *core) machine(id protocol.MachineID) *wire {
	c.t.Helper()
	w := dial(c.t, c.public)
	w.id = id
	var issued protocol.SessionKeyIssued
	w.ask(&protocol.OpenMachine{}, nil, &issued)
	w.priv = privateKey(c.t, key1024)
	if issued.OAEPHash == protocol.OAEPSHA1 {
		w.hash = sha1.New
	}
	w.setKey(issued.WrappedKey)
	return w
}

// provenMachine is a machine's connection that may send.
func (c *core) provenMachine(id protocol.MachineID) *wire {
	c.t.Helper()
	w := c.machine(id)
	w.prove()
	return w
}

// What a machine makes: its owner sees it, it sees its own newest version, and
// goes on with it.
func TestMachineSends(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		ada := c.proven("ada")
		w := c.provenMachine(ada.addMachine(1, "web1"))
		a, b := content(1, 1000), content(2, 1000)
		w.beginRun(1, home, 0)
		w.put(1, a, b)
		first := commit{run: 1, name: home, manifest: "m", head: "head", added: [][]byte{a, b}}
		w.commit(first)
		if version := w.commit(first); version != 1 {
			t.Errorf("committed again as version %d", version)
		}
		w = c.provenMachine(protocol.MachineID(w.id))
		if begun := w.beginRun(2, home, 1); begun.Newest != 1 {
			t.Errorf("the newest version is %d", begun.Newest)
		}
		if missing := w.lacks(2, a, b); len(missing) != 0 {
			t.Errorf("missing: %x", missing)
		}
		w.commit(commit{run: 2, name: home, before: 1, base: 1, manifest: "m2", head: "head"})
		var newest protocol.SnapshotList
		w.ask(&protocol.ListSnapshots{Limit: 10, Only: home}, nil, &newest)
		if len(newest.Snapshots) != 1 || newest.Snapshots[0].Version != 2 || string(newest.Snapshots[0].Head) != "head" {
			t.Errorf("the newest: %+v", newest.Snapshots)
		}
		for _, s := range ada.snapshots(true) {
			ada.whole(s)
		}
		if n := len(ada.snapshots(true)); n != 2 {
			t.Errorf("the owner sees %d snapshots", n)
		}
		var list protocol.MachineList
		ada.ask(&protocol.ListMachines{}, nil, &list)
		if len(list.Machines) != 1 || list.Machines[0].Name != "web1" || list.Machines[0].Labels != 1 || list.Machines[0].Used.IsZero() || !list.Machines[0].Removed.IsZero() {
			t.Errorf("machines: %+v", list.Machines)
		}
		var noted []string
		for _, line := range c.happened() {
			if strings.HasPrefix(line, "access") || strings.HasPrefix(line, "upload") {
				noted = append(noted, line)
			}
		}
		if want := []string{"access ok ada", "upload ok ada " + home + "/1", "upload ok ada " + home + "/2"}; !sameOnes(noted, want) {
			t.Errorf("noted: %q", noted)
		}
	})
}

// Labels are of who began them.
func TestMachineLabels(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		ada := c.proven("ada")
		web, db := c.provenMachine(ada.addMachine(1, "web1")), c.provenMachine(ada.addMachine(2, "db1"))
		a := content(1, 1000)
		owners := "s/" + strings.Repeat("01", 16)
		ada.beginRun(1, owners, 0)
		ada.put(1, a)
		web.beginRun(2, home, 0)
		web.put(2, a)

		refused := func(w *wire, m protocol.Message, content []byte) {
			t.Helper()
			w.fails(m, content, protocol.StatusForbidden)
		}
		for _, w := range []*wire{web, db} { // what the owner is making
			refused(w, &protocol.BeginRun{Run: runID(9), Name: owners}, nil)
			refused(w, &protocol.BeginRun{Run: runID(1), Name: owners}, nil)
			refused(w, &protocol.AskPacks{Run: runID(1), IDs: idsOf([][]byte{a})}, nil)
			refused(w, &protocol.PutPack{Run: runID(1), ID: idOf(a)}, a)
			m, body := commit{run: 1, name: owners, manifest: "m", added: [][]byte{a}}.message()
			refused(w, m, body)
			refused(w, &protocol.EndRun{Run: runID(1)}, nil)
		}
		ada.commit(commit{run: 1, name: owners, manifest: "m", added: [][]byte{a}})
		m, body := commit{run: 1, name: owners, manifest: "m", added: [][]byte{a}}.message()
		refused(web, m, body) // again: not its to know
		refused(web, &protocol.BeginRun{Run: runID(9), Name: owners}, nil)
		refused(web, &protocol.ListSnapshots{Limit: 1, Only: owners}, nil)

		refused(db, &protocol.BeginRun{Run: runID(9), Name: home}, nil)
		refused(db, &protocol.BeginRun{Run: runID(2), Name: home}, nil)
		refused(db, &protocol.AskPacks{Run: runID(2), IDs: idsOf([][]byte{a})}, nil)
		refused(db, &protocol.EndRun{Run: runID(2)}, nil)
		web.commit(commit{run: 2, name: home, manifest: "m", added: [][]byte{a}})
		refused(db, &protocol.BeginRun{Run: runID(9), Name: home}, nil)
		refused(db, &protocol.ListSnapshots{Limit: 1, Only: home}, nil)

		// A name stays its machine's when its versions are gone, and the machine.
		ada.done(&protocol.DeleteFile{Name: home})
		refused(db, &protocol.BeginRun{Run: runID(9), Name: home}, nil)
		web.beginRun(3, home, 0)
		ada.done(&protocol.RemoveMachine{Machine: protocol.MachineID(web.id)})
		refused(web, &protocol.AskPacks{Run: runID(3), IDs: idsOf([][]byte{a})}, nil)
		refused(db, &protocol.BeginRun{Run: runID(9), Name: home}, nil)
		gone := dial(t, c.public)
		gone.id = web.id
		gone.fails(&protocol.OpenMachine{}, nil, protocol.StatusForbidden)
		db.beginRun(9, taxes, 0)
	})
}

// What each request is to a machine that has proven itself.
const (
	served  = "served"
	refused = "refused"
)

// machineMay says which requests a machine may make: all codes are in it.
var machineMay = map[protocol.Code]string{
	protocol.CodeRegister: refused, protocol.CodeSendPublicKey: refused, protocol.CodeReconnect: refused, protocol.CodeSendFile: refused,
	protocol.CodeChecksumOK: refused, protocol.CodeChecksumRetry: refused, protocol.CodeChecksumGiveUp: refused,

	protocol.CodeChallenge: served, protocol.CodeProve: served, protocol.CodeGetRefusal: refused,

	protocol.CodeBeginUpload: refused, protocol.CodeUploadPacket: refused, protocol.CodeNamedPacket: refused, protocol.CodeGetUpload: refused,
	protocol.CodeVerifyUpload: refused, protocol.CodeCancelUpload: refused, protocol.CodeListUploads: refused, protocol.CodeListFiles: refused,
	protocol.CodeGetFile: refused, protocol.CodeReadFile: refused, protocol.CodeDeleteFile: refused, protocol.CodePutKeyBundle: refused,
	protocol.CodeGetKeyBundle: refused, protocol.CodeGetAccount: refused, protocol.CodeOpenPacket: refused, protocol.CodeOpenNamedPacket: refused,
	protocol.CodePacketPiece: refused, protocol.CodeDropPacket: refused, protocol.CodeSetPassword: refused, protocol.CodeRemoveAccount: refused,
	protocol.CodeSetBaseAccess: refused, protocol.CodeMakeAPIID: refused, protocol.CodeGetIdentity: refused,

	protocol.CodeBeginRun: served, protocol.CodeAskPacks: served, protocol.CodePutPack: served, protocol.CodeCommitSnapshot: served,
	protocol.CodeListSnapshots: served, protocol.CodeEndRun: served,
	protocol.CodeReadPack: refused, protocol.CodeMendSnapshot: refused, protocol.CodeListRuns: refused, protocol.CodeSnapshotPacks: refused,
	protocol.CodeListMends: refused, protocol.CodeCheckPack: refused, protocol.CodeReportVerified: refused,

	protocol.CodeOpenMachine: refused, protocol.CodeAddMachine: refused, protocol.CodeListMachines: refused, protocol.CodeRemoveMachine: refused,

	protocol.CodeCreateAccount: refused, protocol.CodeSignIn: refused, protocol.CodeSetPublicKey: refused, protocol.CodeNewSession: refused,
	protocol.CodeGetStatus: refused, protocol.CodeRevokeToken: refused, protocol.CodeCheckToken: refused, protocol.CodeRevokeTokens: refused,
	protocol.CodeListFailures: refused, protocol.CodeProveGateway: refused, protocol.CodeCaller: refused,
}

// Each request is served to a machine or refused, as machineMay says. A new
// request that is not in it fails the test.
func TestMachineMatrix(t *testing.T) {
	c := startCore(t, noSweeps)
	ada := c.proven("ada")
	ada.store("f", []byte("file"), 100)
	w := c.provenMachine(ada.addMachine(1, "web1"))
	a := content(1, 1000)
	asked := map[protocol.Code]bool{protocol.CodeChallenge: true, protocol.CodeProve: true} // by provenMachine
	ask := func(m protocol.Message, content []byte, answer protocol.Decoder) {
		t.Helper()
		w.ask(m, content, answer)
		asked[m.Code()] = true
	}
	ask(&protocol.BeginRun{Run: runID(1), Name: home}, nil, new(protocol.RunBegun))
	ask(&protocol.PutPack{Run: runID(1), ID: idOf(a)}, a, new(protocol.Done))
	ask(&protocol.AskPacks{Run: runID(1), IDs: idsOf([][]byte{a})}, nil, new(protocol.PacksMissing))
	m, body := commit{run: 1, name: home, manifest: "m", added: [][]byte{a}}.message()
	ask(m, body, new(protocol.SnapshotCommitted))
	ask(&protocol.ListSnapshots{Limit: 1, Only: home}, nil, new(protocol.SnapshotList))
	w.beginRun(2, home, 1)
	ask(&protocol.EndRun{Run: runID(2)}, nil, new(protocol.Done))
	before := ada.snapshots(true)

	for _, code := range protocol.Requests() {
		may, known := machineMay[code]
		if !known {
			t.Errorf("%v is not in the matrix", code)
			continue
		}
		proof := code == protocol.CodeChallenge || code == protocol.CodeProve // which anyone may send
		if !proof && code.ForMachines() != (may == served) {
			t.Errorf("%v: the wire's table and the matrix differ", code)
		}
		if may == served {
			if !asked[code] {
				t.Errorf("%v was not served", code)
			}
			continue
		}
		limit, _ := code.Limit()
		w.send(uint16(code), make([]byte, limit.Min))
		if code.IsBase() {
			w.expectEmpty(uint16(protocol.CodeError))
			continue
		}
		var f protocol.Failure
		if err := f.DecodePayload(w.expect(uint16(protocol.CodeFailure))); err != nil || f.Status != protocol.StatusForbidden || !strings.Contains(f.Message, "only send") {
			t.Errorf("%v: %v %q, error %v", code, f.Status, f.Message, err)
		}
	}
	for code := range machineMay {
		if !code.IsRequest() {
			t.Errorf("%v is no request", code)
		}
	}
	for _, m := range []*protocol.ListSnapshots{{Limit: 10}, {Limit: 10, Only: "f"}, {Limit: 10, AllVersions: true, Only: home}} {
		w.fails(m, nil, protocol.StatusForbidden)
	}
	if after := ada.snapshots(true); len(after) != len(before) || len(after) != 1 {
		t.Errorf("%d snapshots, there were %d", len(after), len(before))
	}
}

// A connection is a machine's or a client's, never both, and nothing before its
// proof.
func TestMachineConnection(t *testing.T) {
	c := startCore(t, nil)
	ada := c.proven("ada")
	id := ada.addMachine(1, "web1")

	client := ada.id
	ada.id = id // of the machine, on the owner's connection
	ada.fails(&protocol.OpenMachine{}, nil, protocol.StatusConflict)
	ada.fails(&protocol.BeginRun{Run: runID(1), Name: home}, nil, protocol.StatusUnauthenticated)
	ada.id = client

	w := c.machine(id)
	w.fails(&protocol.BeginRun{Run: runID(1), Name: home}, nil, protocol.StatusUnauthenticated)
	var issued protocol.ChallengeIssued
	w.ask(&protocol.Challenge{}, nil, &issued)
	w.fails(&protocol.Prove{Proof: [32]byte{1}}, nil, protocol.StatusUnauthenticated)
	w.fails(&protocol.BeginRun{Run: runID(1), Name: home}, nil, protocol.StatusUnauthenticated)
	w.prove()
	w.beginRun(1, home, 0)
	w.id = client // of the account
	w.fails(&protocol.BeginRun{Run: runID(1), Name: home}, nil, protocol.StatusConflict)
	w.send(1027, field("ada"))
	w.expectEmpty(1607)

	stranger := dial(t, c.public)
	stranger.fails(&protocol.OpenMachine{}, nil, protocol.StatusForbidden)
	stranger.id = client // an account is no machine
	stranger.fails(&protocol.OpenMachine{}, nil, protocol.StatusForbidden)
	c.gateway(ada).fails(&protocol.OpenMachine{}, nil, protocol.StatusForbidden)
}

func TestMachinesAreRefused(t *testing.T) {
	c := startCore(t, nil)
	ada, bob := c.proven("ada"), c.proven("bob")
	id := ada.addMachine(1, "web1")
	ada.addMachine(1, "web1") // once more
	good := protocol.AddMachine{Machine: protocol.MachineID{2}, Rights: protocol.RightSend, Name: "x", DER: publicDER(t, key1024)}
	for what, test := range map[string]struct {
		by     *wire
		change func(*protocol.AddMachine)
		want   protocol.Status
	}{
		"no id":           {ada, func(m *protocol.AddMachine) { m.Machine = protocol.MachineID{} }, protocol.StatusInvalid},
		"another right":   {ada, func(m *protocol.AddMachine) { m.Rights = 2 }, protocol.StatusInvalid},
		"no right":        {ada, func(m *protocol.AddMachine) { m.Rights = 0 }, protocol.StatusInvalid},
		"no key":          {ada, func(m *protocol.AddMachine) { m.DER = []byte{1} }, protocol.StatusInvalid},
		"no name":         {ada, func(m *protocol.AddMachine) { m.Name = "" }, protocol.StatusInvalid},
		"a digit first":   {ada, func(m *protocol.AddMachine) { m.Name = "2026-11-28" }, protocol.StatusInvalid},
		"a slash":         {ada, func(m *protocol.AddMachine) { m.Name = "a/b" }, protocol.StatusInvalid},
		"a name too long": {ada, func(m *protocol.AddMachine) { m.Name = strings.Repeat("a", 65) }, protocol.StatusInvalid},
		"a name again":    {ada, func(m *protocol.AddMachine) { m.Name = "web1" }, protocol.StatusConflict},
		"another's id":    {bob, func(m *protocol.AddMachine) { m.Machine = id }, protocol.StatusConflict},
	} {
		m := good
		test.change(&m)
		test.by.request(&m, nil)
		if got := test.by.failure(); got != test.want {
			t.Errorf("%s: %v, want %v", what, got, test.want)
		}
	}
	bob.fails(&protocol.RemoveMachine{Machine: id}, nil, protocol.StatusNotFound)
	var list protocol.MachineList
	bob.ask(&protocol.ListMachines{}, nil, &list)
	if len(list.Machines) != 0 {
		t.Errorf("bob sees %+v", list.Machines)
	}

	w := c.provenMachine(id)
	if err := c.srv.Admin().SuspendClient(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	w.fails(&protocol.BeginRun{Run: runID(1), Name: home}, nil, protocol.StatusForbidden)
}

// A machine takes up no room of its owner's.
func TestMachineRuns(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxRuns = 2; noSweeps(cfg) })
	ada := c.proven("ada")
	w := c.provenMachine(ada.addMachine(1, "web1"))
	w.beginRun(1, home, 0)
	w.beginRun(2, home, 0)
	w.fails(&protocol.BeginRun{Run: runID(3), Name: home}, nil, protocol.StatusTooMany)
	ada.beginRun(4, taxes, 0)
	ada.beginRun(5, taxes, 0)
	ada.fails(&protocol.BeginRun{Run: runID(6), Name: taxes}, nil, protocol.StatusTooMany)
}

// Machines, and which labels they began, go with the account.
func TestMachineOfRemovedAccount(t *testing.T) {
	onBoth(t, noSweeps, func(t *testing.T, c *core) {
		ada := c.proven("ada")
		w := c.provenMachine(ada.addMachine(1, "web1"))
		w.beginRun(1, home, 0)
		ada.done(&protocol.RemoveAccount{})
		w.fails(&protocol.AskPacks{Run: runID(1), IDs: idsOf([][]byte{{1}})}, nil, protocol.StatusForbidden)
		if _, err := c.catalog.Machine(t.Context(), store.MachineID(w.id)); !errors.Is(err, store.ErrNoMachine) {
			t.Errorf("the machine: %v", err)
		}
	})
}
