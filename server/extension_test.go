package server_test

import (
	"bytes"
	"fmt"
	"testing"

	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/server"
)

func TestExtensionsNeedProof(t *testing.T) {
	c := startCore(t, nil)
	w := c.newClient("client")
	w.fails(listAll(), nil, protocol.StatusUnauthenticated)
	w.fails(&protocol.Prove{}, nil, protocol.StatusConflict)
	var issued protocol.ChallengeIssued
	w.ask(&protocol.Challenge{}, nil, &issued)
	w.fails(&protocol.Prove{Proof: [32]byte{1}}, nil, protocol.StatusUnauthenticated)
	w.fails(&protocol.Prove{}, nil, protocol.StatusConflict) // a challenge serves once
	w.fails(listAll(), nil, protocol.StatusUnauthenticated)
	w.prove()
	w.list(listAll())

	other := c.newClient("other")
	w.id = other.id
	w.fails(listAll(), nil, protocol.StatusUnauthenticated)
	for _, m := range []protocol.Message{
		&protocol.CreateAccount{Name: "n", Kind: "api_client"}, &protocol.SignIn{Name: "client"},
		&protocol.SetPublicKey{DER: []byte{1}}, &protocol.NewSession{}, &protocol.GetStatus{},
		&protocol.RevokeToken{}, &protocol.RevokeTokens{}, &protocol.CheckToken{},
	} {
		w.fails(m, nil, protocol.StatusForbidden)
	}

	inside := c.gateway(other)
	inside.list(listAll())
	inside.id = [16]byte{7}
	inside.fails(listAll(), nil, protocol.StatusUnauthenticated)
}

// begin begins an upload and takes its key.
func (w *wire) begin(m *protocol.BeginUpload) (protocol.UploadID, *wire) {
	w.t.Helper()
	var begun protocol.UploadBegun
	w.ask(m, nil, &begun)
	v := *w
	v.setKey(begun.WrappedKey)
	return begun.Upload, &v
}

func (w *wire) packet(id protocol.UploadID, number int, last bool, content []byte) protocol.UploadState {
	w.t.Helper()
	var s protocol.UploadState
	w.ask(&protocol.UploadPacket{Upload: id, Number: uint32(number), Last: last}, content, &s)
	return s
}

func TestUploadByID(t *testing.T) {
	c := startCore(t, func(cfg *server.Config) { cfg.MaxUploads = 2 })
	w := c.proven("client")
	plain := content(50, 400_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Format: protocol.FormatSealedFile, Name: "f"})
	ref := protocol.UploadRef{ByID: true, Upload: id}
	packets := cut(encrypt(up.key, plain), 50_000)
	n := len(packets)
	w.packet(id, n, true, packets[n-1]) // the last comes early
	w.packet(id, 1, false, packets[0])
	s := w.packet(id, 4, false, packets[3])
	if s.Received != 3 || int(s.Total) != n || int(s.MissingCount) != n-3 ||
		fmt.Sprint(s.Missing) != fmt.Sprint([]protocol.Range{{From: 2, To: 3}, {From: 5, To: uint32(n - 1)}}) {
		t.Errorf("state: %+v", s)
	}
	w.fails(&protocol.VerifyUpload{Ref: ref}, nil, protocol.StatusConflict)
	w.fails(&protocol.UploadPacket{Upload: id, Number: uint32(n + 1)}, []byte{1}, protocol.StatusInvalid)
	w.fails(&protocol.UploadPacket{Upload: id}, []byte{1}, protocol.StatusInvalid)

	c.restart()
	w = w.beside(c.public)
	var again protocol.UploadState
	w.ask(&protocol.GetUpload{Ref: ref}, nil, &again)
	if again.Received != 3 || int(again.Total) != n || fmt.Sprint(again.Missing) != fmt.Sprint(s.Missing) {
		t.Errorf("state after a restart: %+v", again)
	}
	for i, p := range packets {
		s = w.packet(id, i+1, i == n-1, p)
	}
	if !s.Complete || s.Cksum != cksum.Sum(plain) || s.OriginalSize != uint64(len(plain)) {
		t.Fatalf("state: %+v", s)
	}
	var first, second protocol.VerifyResult
	w.ask(&protocol.VerifyUpload{Ref: ref, Cksum: s.Cksum}, nil, &first)
	w.ask(&protocol.VerifyUpload{Ref: ref, Cksum: s.Cksum}, nil, &second)
	if !first.Verified || first.Version != 1 || first != second {
		t.Errorf("verified: %+v, then %+v", first, second)
	}
	w.expectStored("f", plain)
	if l := w.list(listAll()); len(l.Files) != 1 || l.Files[0].Format != protocol.FormatSealedFile {
		t.Errorf("listed: %+v", l)
	}

	a, _ := w.begin(&protocol.BeginUpload{OriginalSize: 10, Total: 1, Name: "f"})
	b, _ := w.begin(&protocol.BeginUpload{OriginalSize: 10, Total: 1, Name: "f"})
	w.fails(&protocol.BeginUpload{OriginalSize: 10, Name: "g"}, nil, protocol.StatusTooMany)
	var list protocol.UploadList
	w.ask(&protocol.ListUploads{}, nil, &list)
	if len(list.Uploads) != 2 || list.Uploads[0].Upload != a {
		t.Errorf("uploads: %+v", list)
	}
	w.done(&protocol.CancelUpload{Ref: protocol.UploadRef{ByID: true, Upload: a}})
	w.fails(&protocol.GetUpload{Ref: protocol.UploadRef{ByID: true, Upload: a}}, nil, protocol.StatusNotFound)
	other := c.proven("other")
	other.fails(&protocol.GetUpload{Ref: protocol.UploadRef{ByID: true, Upload: b}}, nil, protocol.StatusNotFound)
	other.fails(&protocol.CancelUpload{Ref: protocol.UploadRef{ByID: true, Upload: b}}, nil, protocol.StatusNotFound)
}

func TestUploadMismatchFourTimes(t *testing.T) {
	w := startCore(t, nil).proven("client")
	plain := content(51, 100_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: uint64(len(plain)), Total: 3, Name: "f"})
	ref := protocol.UploadRef{ByID: true, Upload: id}
	for left := 3; left >= 0; left-- {
		for i, p := range cut(encrypt(up.key, plain), 40_000) {
			w.packet(id, i+1, false, p)
		}
		var r protocol.VerifyResult
		w.ask(&protocol.VerifyUpload{Ref: ref, Cksum: cksum.Sum(plain) + 1}, nil, &r)
		if r.Verified || int(r.AttemptsLeft) != left || r.Cksum != cksum.Sum(plain) {
			t.Errorf("%d left: %+v", left, r)
		}
	}
	w.fails(&protocol.GetUpload{Ref: ref}, nil, protocol.StatusNotFound)
}

func TestNamedPackets(t *testing.T) {
	w := startCore(t, nil).proven("client")
	plain := content(52, 5000)
	var s protocol.UploadState
	for i, p := range cut(encrypt(w.key, plain), 1000) {
		m := &protocol.NamedPacket{OriginalSize: 5000, Number: uint32(i + 1), Total: 6, Name: protocol.Field(field("f"))}
		w.ask(m, p, &s)
	}
	if !s.Complete || s.Cksum != cksum.Sum(plain) {
		t.Fatalf("state: %+v", s)
	}
	var r protocol.VerifyResult
	w.ask(&protocol.VerifyUpload{Cksum: s.Cksum, Ref: protocol.UploadRef{Name: "f"}}, nil, &r)
	w.expectStored("f", plain)
}

func TestFiles(t *testing.T) {
	w := startCore(t, func(cfg *server.Config) { cfg.KeepVersions, cfg.MinVersionAge = 3, 0 }).proven("client")
	for i := range 5 {
		w.store("many", content(uint64(i), 100+i), 1000)
	}
	for _, name := range []string{"b", "a", "c"} {
		w.store(name, []byte(name), 1000)
	}
	var names []string
	page := protocol.ListFiles{Limit: 2, AllVersions: true}
	for more := true; more; {
		l := w.list(&page)
		for _, f := range l.Files {
			names = append(names, fmt.Sprint(f.Name, f.Version))
			page.AfterName, page.AfterVersion = f.Name, f.Version
		}
		more = l.More
	}
	if got := fmt.Sprint(names); got != "[a1 b1 c1 many5 many4 many3]" {
		t.Errorf("listed %s", got)
	}
	if n := len(w.list(listAll()).Files); n != 4 {
		t.Errorf("%d files", n)
	}
	w.fails(&protocol.ListFiles{}, nil, protocol.StatusInvalid)
	w.fails(&protocol.ListFiles{Limit: 1001}, nil, protocol.StatusInvalid)
	if !bytes.Equal(w.fetch("many", 4), content(3, 103)) {
		t.Error("version 4 is not what was stored")
	}
	whole := w.read("many", 5, 0, 0)
	if got := w.read("many", 5, 10, 20); !bytes.Equal(got, whole[10:30]) {
		t.Error("a range is not of the whole")
	}
	if got := w.read("many", 5, uint64(len(whole)), 0); len(got) != 0 {
		t.Error("something is beyond the end")
	}
	w.fails(&protocol.ReadFile{Name: "many", Offset: 1 << 40}, nil, protocol.StatusInvalid)
	w.fails(&protocol.GetFile{Name: "none"}, nil, protocol.StatusNotFound)
	w.done(&protocol.DeleteFile{Name: "many", Version: 4})
	w.fails(&protocol.DeleteFile{Name: "many", Version: 4}, nil, protocol.StatusNotFound)
	if n := w.has("many"); n != 2 {
		t.Errorf("%d versions", n)
	}
	w.done(&protocol.DeleteFile{Name: "many"})
	w.fails(&protocol.ReadFile{Name: "many"}, nil, protocol.StatusNotFound)
}

func TestAccounts(t *testing.T) {
	c := startCore(t, nil)
	w := c.proven("client")
	w.fails(&protocol.GetKeyBundle{}, nil, protocol.StatusNotFound)
	w.done(&protocol.PutKeyBundle{Bundle: []byte("opaque")})
	var bundle protocol.KeyBundle
	w.ask(&protocol.GetKeyBundle{}, nil, &bundle)
	var info protocol.AccountInfo
	w.ask(&protocol.GetAccount{}, nil, &info)
	if string(bundle.Bundle) != "opaque" || info.Name != "client" || !info.HasBundle || info.HasPassword || info.KeyBits != 1024 {
		t.Errorf("account: %+v", info)
	}

	g := dial(t, c.internal)
	var made protocol.AccountCreated
	g.ask(&protocol.CreateAccount{Name: "web", Kind: "web_client", Password: "secret"}, nil, &made)
	g.fails(&protocol.CreateAccount{Name: "web", Kind: "web_client"}, nil, protocol.StatusConflict)
	g.fails(&protocol.CreateAccount{Name: "x", Kind: "other"}, nil, protocol.StatusInvalid)
	inside := c.gateway(w)
	var wrong []string
	for _, m := range []*protocol.SignIn{
		{Method: protocol.SignInByPassword, Name: "web", Password: "wrong"}, {Method: protocol.SignInByPassword, Name: "nobody", Password: "secret"},
		{Method: protocol.SignInByPassword, Name: "client", Password: ""}, {Method: protocol.SignInByName, Name: "web"},
		{Method: protocol.SignInByName, Name: "nobody"}, {Method: protocol.SignInByClientID, Name: "client"},
		{Method: protocol.SignInByClientID, Name: "client", Client: w.id},
		{Method: protocol.SignInByClientID, Name: "web", Client: made.Client},
	} {
		wrong = append(wrong, g.fails(m, nil, protocol.StatusUnauthenticated))
	}
	for _, message := range wrong {
		if message != wrong[0] {
			t.Errorf("answers tell apart what is wrong: %q", wrong)
		}
	}
	for _, tt := range []struct {
		m      protocol.SignIn
		proven bool
	}{
		{protocol.SignIn{Method: protocol.SignInByPassword, Name: "web", Password: "secret"}, true},
		{protocol.SignIn{Method: protocol.SignInByClientID, Name: "client", Client: inside.id}, true},
		{protocol.SignIn{Method: protocol.SignInByName, Name: "client"}, false},
	} {
		var in protocol.SignedIn
		g.ask(&tt.m, nil, &in)
		if in.Proven != tt.proven {
			t.Errorf("method %d: proven %v", tt.m.Method, in.Proven)
		}
		if none := in.Client == (protocol.ClientID{}); none == tt.proven {
			t.Errorf("method %d: proven %v, and the answer has an id: %v", tt.m.Method, in.Proven, !none)
		}
	}
	g.id, g.priv = made.Client, privateKey(t, key3072)
	var issued protocol.SessionKeyIssued
	g.fails(&protocol.NewSession{}, nil, protocol.StatusNoSession)
	g.ask(&protocol.SetPublicKey{DER: publicDER(t, key1024)}, nil, &issued)
	g.fails(&protocol.SetPublicKey{DER: publicDER(t, key3072)}, nil, protocol.StatusForbidden)
	g.ask(&protocol.SetPublicKey{DER: publicDER(t, key3072), Replace: true}, nil, &issued)
	g.setKey(issued.WrappedKey)
	g.ask(&protocol.NewSession{}, nil, &issued)
	g.setKey(issued.WrappedKey)
	var status protocol.ServerStatus
	g.ask(&protocol.GetStatus{}, nil, &status)
	if status.Clients != 2 || status.Connections != 1 || status.Requests == 0 || status.Database != "operational" {
		t.Errorf("status: %+v", status)
	}
}
