package protocol

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A sample is a message with every field set to something that would be
// noticed in the wrong place.
type sample struct {
	message Decoder
	// open is true if the payload's last part goes to the end, whatever its
	// length; fixed is then the size of what stands before it.
	open  bool
	fixed int
}

var (
	sampleClient = ClientID{0: 0xC1, 7: 0x07, 15: 0x1C}
	sampleUpload = UploadID{0: 0x0A, 8: 0x80, 15: 0xA0}
	sampleHash   = [32]byte{0: 0x5A, 16: 0x10, 31: 0xA5}
	sampleTime   = time.Date(2026, 2, 3, 4, 5, 6, 789_012_000, time.UTC)
	sampleKey    = bytes.Repeat([]byte{0x6B, 0x00, 0xFF}, 128)
	sampleName   = func() Field {
		f, err := NewField("דוח été 2026.pdf")
		if err != nil {
			panic(err)
		}
		f[FieldSize-1] = 0xEE // what deployed clients leave behind the NUL must survive
		return f
	}()
	sampleEntry = FileEntry{
		Version: 7, Size: 1<<40 + 16, OriginalSize: 1<<40 + 3, Cksum: 0xDEADBEEF, SHA256: sampleHash,
		Format: FormatSealedFolder, Verified: true, Created: sampleTime, Name: "photos/2026 été",
	}
	sampleState = UploadState{
		Upload: sampleUpload, Complete: true, AttemptsLeft: 3, Received: 70_000, Total: 70_001,
		Bytes: 1 << 33, OriginalSize: UnknownSize, Cksum: 0x01020304, Created: sampleTime,
		Expires: sampleTime.Add(24 * time.Hour), MissingCount: 3, Missing: []Range{{2, 3}, {70_001, 70_001}},
		Name: "stream",
	}
	sampleRun    = RunID{0: 0x52, 8: 0x08, 15: 0x25}
	samplePacks  = []PackID{PackID(sampleHash), {0: 0x50, 16: 0x01, 31: 0x05}}
	sampleByID   = UploadRef{ByID: true, Upload: sampleUpload}
	sampleByName = UploadRef{Name: "notes/today.txt"}
)

// samples has every message at least once; TestEveryCodeHasASample sees to it.
var samples = []sample{
	{message: &Register{Name: sampleName}},
	{message: &SendPublicKey{Name: sampleName, DER: sampleKey}, open: true, fixed: FieldSize},
	{message: &Reconnect{Name: sampleName}},
	{message: &SendFile{ContentSize: 0x01020304, OriginalSize: 0x05060708, Number: 0x090A, Total: 0x0B0C, Name: sampleName}},
	{message: &ChecksumOK{Name: sampleName}},
	{message: &ChecksumRetry{Name: sampleName}},
	{message: &ChecksumGiveUp{Name: sampleName}},

	{message: &Registered{Client: sampleClient}},
	{message: &RegisterRefused{}},
	{message: &KeyReceived{Client: sampleClient, WrappedKey: sampleKey}, open: true, fixed: 16},
	{message: &FileReceived{Client: sampleClient, ContentSize: 0xFFFFFFF0, Name: sampleName, Cksum: 0xCAFEF00D}},
	{message: &Acknowledged{Client: sampleClient}},
	{message: &Reconnected{Client: sampleClient, WrappedKey: sampleKey}, open: true, fixed: 16},
	{message: &ReconnectDenied{Client: sampleClient}},
	{message: &Error{}},

	{message: &Challenge{}},
	{message: &Prove{Proof: sampleHash}},
	{message: &ProveGateway{Nonce: sampleHash, Proof: [32]byte{1: 0x0F, 30: 0xF0}}},
	{message: &CoreProven{Proof: sampleHash}},
	{message: &Caller{}},
	{message: &Caller{Address: netip.MustParseAddr("192.0.2.7")}},
	{message: &Caller{Address: netip.MustParseAddr("2001:db8::7")}},
	{message: &BeginUpload{OriginalSize: 1 << 40, Total: 1 << 20, Format: FormatSealedFile, Name: "a/b.txt"}},
	{message: &BeginUpload{OriginalSize: UnknownSize, Name: strings.Repeat("n", MaxName)}},
	{message: &UploadPacket{Upload: sampleUpload, Number: 70_000, Last: true}},
	{message: &NamedPacket{OriginalSize: 1 << 40, Number: 70_000, Total: 80_000, Name: sampleName}},
	{message: &GetUpload{Ref: sampleByID}},
	{message: &GetUpload{Ref: sampleByName}},
	{message: &VerifyUpload{Cksum: 0xFEEDFACE, Ref: sampleByID}},
	{message: &VerifyUpload{Cksum: 0xFEEDFACE, Ref: sampleByName}},
	{message: &CancelUpload{Ref: sampleByID}},
	{message: &CancelUpload{Ref: sampleByName}},
	{message: &ListUploads{}},
	{message: &ListFiles{Limit: MaxListFiles, AllVersions: true, AfterVersion: 9, AfterName: "m", Only: "only"}},
	{message: &ListFiles{Limit: 1}},
	{message: &GetFile{Version: 3, Name: "photos"}},
	{message: &ReadFile{Version: 3, Offset: 1 << 40, Length: MaxReadFile, Name: "photos"}},
	{message: &DeleteFile{Version: 3, Name: "photos"}},
	{message: &PutKeyBundle{Bundle: sampleKey}, open: true},
	{message: &GetKeyBundle{}},
	{message: &GetAccount{}},

	{message: &OpenPacket{Transfer: TransferID(sampleClient), Room: 1 << 30, Packet: UploadPacket{Upload: sampleUpload, Number: 70_000, Last: true}}},
	{message: &OpenNamedPacket{Transfer: TransferID(sampleClient), Room: 1 << 30,
		Packet: NamedPacket{OriginalSize: 1 << 40, Number: 70_000, Total: 80_000, Name: sampleName}}},
	{message: &PacketPiece{Transfer: TransferID(sampleClient), Offset: 1<<32 - 5, End: true}},
	{message: &DropPacket{Transfer: TransferID(sampleClient)}},

	{message: &BeginRun{Run: sampleRun, Base: 70_000, Name: "s/0123456789abcdef0123456789abcdef"}},
	{message: &BeginRun{}},
	{message: &AskPacks{Run: sampleRun, IDs: samplePacks}},
	{message: &PutPack{Run: sampleRun, ID: samplePacks[0]}},
	{message: &CommitSnapshot{Run: sampleRun, Before: 70_001, Base: 70_000, NameSize: 0x0102, HeadSize: 0x0304, Added: 0x05060708, Dropped: 0x090A0B0C, ManifestSize: 0x0D0E0F10}},
	{message: &ReadPack{ID: samplePacks[0], Offset: 1 << 40, Length: 1 << 20}},
	{message: &MendSnapshot{Run: sampleRun, Version: 7, Added: samplePacks, Name: "s/1", Record: sampleKey}, open: true, fixed: 16 + 4 + 2 + 2*32 + 2 + 3},
	{message: &ListSnapshots{Limit: MaxListSnapshots, AllVersions: true, AfterVersion: 9, AfterName: "m", Only: "only"}},
	{message: &EndRun{Run: sampleRun}},
	{message: &ListRuns{}},
	{message: &SnapshotPacks{Version: 7, After: 1 << 20, Limit: MaxListPacks, Name: "s/1"}},
	{message: &ListMends{Version: 7, After: 300, Name: "s/1"}},
	{message: &CheckPack{ID: samplePacks[0]}},
	{message: &ReportVerified{Version: 7, Packs: 70_000, Bytes: 1 << 40, Name: "s/1"}},

	{message: &OpenMachine{}},
	{message: &AddMachine{Machine: MachineID(sampleClient), Rights: RightSend, Name: "web1", DER: sampleKey}, open: true, fixed: 16 + 1 + 2 + 4},
	{message: &ListMachines{}},
	{message: &RemoveMachine{Machine: MachineID(sampleClient)}},
	{message: &MachineList{Machines: []MachineEntry{
		{Machine: MachineID(sampleClient), Rights: RightSend, Fingerprint: [32]byte{1, 31: 2}, Created: sampleTime, Used: sampleTime, Removed: sampleTime, Labels: 70_000, Name: "web1"},
		{}}}},

	{message: &CreateAccount{Name: "ada", Kind: "web_client", Password: "correct horse"}},
	{message: &SignIn{Method: SignInByClientID, Client: sampleClient, Name: "ada", Password: "pâss"}},
	{message: &SetPassword{Current: "before", Password: "pâss", Bundle: sampleKey}, open: true, fixed: 2 + 6 + 2 + 5},
	{message: &RemoveAccount{Password: "pâss"}},
	{message: &SetPublicKey{Replace: true, DER: sampleKey}, open: true, fixed: 1},
	{message: &NewSession{}},
	{message: &GetStatus{}},
	{message: &ListFailures{}},
	{message: &Failures{Exchanges: []FailedExchange{
		{At: sampleTime, Peer: "192.0.2.1", Client: "client:c1071c00", Earlier: 70_000, Version: 3, Code: CodeSendFile, Size: 1 << 31,
			Rule: RulePadding, Reason: "bad padding", Head: sampleKey[:267]},
		{At: sampleTime.Add(-time.Hour), Peer: "192.0.2.2", Version: 0x47, Code: 0x5054, Rule: RuleHTTP},
	}}},
	{message: &RevokeToken{Token: TokenID(sampleUpload), Expires: sampleTime, Proven: true}},
	{message: &CheckToken{Token: TokenID(sampleUpload), Issued: sampleTime, Name: "ada"}},
	{message: &RevokeTokens{}},
	{message: &SetBaseAccess{Open: true}},
	{message: &MakeAPIID{}},
	{message: &GetIdentity{}},
	{message: &GetRefusal{}},

	{message: &Failure{Status: StatusNoSpace, Message: "The server's disk is full; try again later."}},
	{message: &ChallengeIssued{Challenge: sampleHash}},
	{message: &Done{}},
	{message: &UploadBegun{Upload: sampleUpload, MaxPacket: 1 << 30, Expires: sampleTime, OAEPHash: OAEPSHA1, WrappedKey: sampleKey}},
	{message: &sampleState},
	{message: &UploadState{OriginalSize: UnknownSize}},
	{message: &VerifyResult{Verified: true, AttemptsLeft: 2, Cksum: 0x0BADF00D, Version: 5}},
	{message: &UploadList{Uploads: []UploadState{sampleState, {Upload: sampleUpload, Name: "second"}}}},
	{message: &UploadList{}},
	{message: &FileList{More: true, Files: []FileEntry{sampleEntry, {Version: 1, Name: "z"}}}},
	{message: &FileList{}},
	{message: &FileInfo{FileEntry: sampleEntry, OAEPHash: OAEPSHA1, KeyFingerprint: sampleHash, WrappedKey: sampleKey}},
	{message: &FileContent{Version: 3, Size: 1 << 41, Offset: 1 << 40}},
	{message: &KeyBundle{Bundle: sampleKey}, open: true},
	{message: &AccountInfo{
		Files: 1 << 34, Versions: 1 << 35, Bytes: 1 << 50, Uploads: 4, KeyBits: 3072, OAEPHash: OAEPSHA1,
		HasPassword: true, HasBundle: true, Created: sampleTime, SessionTTL: 10 * time.Minute,
		UploadTTL: 24 * time.Hour, MaxPacket: 1<<32 - 1, KeepVersions: 5, Name: "ada",
	}},
	{message: &APIIDMade{ID: sampleClient}},
	{message: &Identity{Client: sampleClient, BaseOpen: true, HasAPIID: true}},
	{message: &RunBegun{Newest: 70_000, TTL: 7 * 24 * time.Hour, MaxPack: MaxPack}},
	{message: &PacksMissing{IDs: samplePacks}},
	{message: &PacksMissing{}},
	{message: &SnapshotCommitted{Version: 70_000}},
	{message: &PackContent{Size: 1 << 24, Offset: 1 << 20}},
	{message: &SnapshotList{More: true, Snapshots: []SnapshotEntry{
		{FileEntry: sampleEntry, Run: sampleRun, Head: sampleKey, Packs: 70_000, Bytes: 1 << 40, Damaged: 3, Mends: 2},
		{FileEntry: FileEntry{Version: 1, Name: "z"}},
	}}},
	{message: &SnapshotList{}},
	{message: &RunList{Runs: []RunEntry{
		{Run: sampleRun, Base: 6, Packs: 70_000, Bytes: 1 << 40, Begun: sampleTime, Seen: sampleTime.Add(time.Hour), Name: "s/1"}, {Name: "s/2"},
	}}},
	{message: &RunList{}},
	{message: &PackList{More: true, Packs: []PackEntry{{Ordinal: 70_000, ID: samplePacks[0], Size: 1 << 24, Damaged: true}, {Ordinal: 70_001}}}},
	{message: &PackList{}},
	{message: &Mends{More: true, Records: [][]byte{sampleKey, sampleKey[:1]}}},
	{message: &Mends{}},

	{message: &AccountCreated{Client: sampleClient}},
	{message: &SignedIn{Proven: true, Client: sampleClient, At: sampleTime}},
	{message: &TokensRevoked{Until: sampleTime}},
	{message: &SessionKeyIssued{OAEPHash: OAEPSHA1, WrappedKey: sampleKey}},
	{message: &ServerStatus{
		Started: sampleTime, Connections: 11, ClientsConnected: 12, Clients: 13, Suspended: 7, Files: 14, Versions: 15, Verified: 1 << 40,
		Bytes: 16, Uploads: 17, Free: 18, DiskTotal: 19, BytesReceived: 20, BytesSent: 21, Requests: 22,
		Failures: 23, MaxPacket: 24, SessionTTL: 25 * time.Second, UploadTTL: 26 * time.Second,
		Database: "operational", Storage: "the disk is full", ServerVersion: "v1.2.3",
	}},
}

// blank returns a new message of the same type.
func blank(m Decoder) Decoder {
	return reflect.New(reflect.TypeOf(m).Elem()).Interface().(Decoder)
}

// codes returns every code that the protocol has, without the sister dialect.
func codes() []Code {
	var all []Code
	for n := range 1 << 16 {
		if c := Code(n); c.Canonical() == c {
			if _, known := c.Limit(); known {
				all = append(all, c)
			}
		}
	}
	return all
}

func TestEveryCodeHasASample(t *testing.T) {
	sampled := map[Code]bool{}
	for _, s := range samples {
		sampled[s.message.Code()] = true
	}
	all := codes()
	for _, c := range all {
		if !sampled[c] {
			t.Errorf("%v has no sample", c)
		}
		delete(sampled, c)
	}
	for c := range sampled {
		t.Errorf("%v has a sample and no limit", c)
	}
	if len(all) == 0 {
		t.Error("no codes")
	}
}

func TestSamples(t *testing.T) {
	for i, s := range samples {
		t.Run(fmt.Sprintf("%d %v", i, s.message.Code()), func(t *testing.T) {
			payload := s.message.AppendPayload(nil)
			checkRoundTrip(t, s, payload)
			checkLimit(t, s, payload)
			checkPrefixes(t, s, payload)
			checkTrailing(t, s, payload)
		})
	}
}

func checkRoundTrip(t *testing.T, s sample, payload []byte) {
	got := blank(s.message)
	if err := got.DecodePayload(payload); err != nil {
		t.Fatalf("decoding what was encoded: %v", err)
	}
	if !reflect.DeepEqual(got, s.message) {
		t.Errorf("decoded\n%#v, want\n%#v", got, s.message)
	}
	// A decoder may be used again, and appends to what is there.
	if err := got.DecodePayload(payload); err != nil {
		t.Fatalf("decoding a second time: %v", err)
	}
	if again := got.AppendPayload([]byte("before")); !bytes.Equal(again, append([]byte("before"), payload...)) {
		t.Errorf("encoded again\n%x, want\n%x", again, payload)
	}
	// It keeps nothing of the buffer that it decoded.
	buffer := bytes.Clone(payload)
	if err := got.DecodePayload(buffer); err != nil {
		t.Fatal(err)
	}
	clear(buffer)
	if again := got.AppendPayload(nil); !bytes.Equal(again, payload) {
		t.Error("the message changed with the buffer it was decoded from")
	}
}

func checkLimit(t *testing.T, s sample, payload []byte) {
	limit, known := s.message.Code().Limit()
	size := uint32(len(payload))
	switch {
	case !known:
		t.Error("no limit")
	case limit.Content && size != limit.Min:
		t.Errorf("%d bytes before the content, the limit says %d", size, limit.Min)
	case !limit.Allows(size):
		t.Errorf("a payload of %d bytes is not within %+v", size, limit)
	}
}

func checkPrefixes(t *testing.T, s sample, payload []byte) {
	for n := range len(payload) {
		err := blank(s.message).DecodePayload(payload[:n:n])
		if mayDecode := s.open && n >= s.fixed; (err == nil) != mayDecode {
			t.Errorf("decoding %d of %d bytes: %v", n, len(payload), err)
		}
	}
}

func checkTrailing(t *testing.T, s sample, payload []byte) {
	for _, b := range []byte{0, 1, 0xFF} {
		longer := append(bytes.Clone(payload), b)
		m := blank(s.message)
		err := m.DecodePayload(longer)
		if (err == nil) != s.open {
			t.Errorf("decoding with a byte %#x too many: %v", b, err)
		}
		if err == nil && !bytes.Equal(m.AppendPayload(nil), longer) {
			t.Errorf("a byte %#x at the end was lost", b)
		}
	}
}

// What a peer can say in only one way, it cannot say in another: otherwise a
// message would not encode to the bytes it came from.
func TestDecodeRefuses(t *testing.T) {
	text := func(n int) []byte {
		return append([]byte{byte(n), byte(n >> 8)}, bytes.Repeat([]byte{'x'}, n)...)
	}
	concat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	yearOne := int64(-62135596800000000) // microseconds at Go's zero time, whose encoding is 0
	tests := []struct {
		name    string
		message Decoder
		payload []byte
	}{
		{"a boolean of 2", &SignedIn{}, concat([]byte{2}, sampleClient[:], make([]byte, 8))},
		{"an upload kind of 2", &GetUpload{}, concat([]byte{2}, text(3))},
		{"text that is not UTF-8", &RemoveAccount{}, []byte{2, 0, 0xC3, 0x28}},
		{"text of 1025 bytes", &RemoveAccount{}, text(maxText + 1)},
		{"a wrapped key of 2049 bytes", &SessionKeyIssued{}, concat([]byte{0}, text(maxWrapped+1))},
		{"a time that would encode as none", &UploadBegun{},
			concat(sampleUpload[:], make([]byte, 4), le.AppendUint64(nil, uint64(yearOne)), make([]byte, 3))},
		{"129 missing ranges", &UploadState{}, func() []byte {
			return (&UploadState{Missing: make([]Range, MaxMissing+1)}).AppendPayload(nil)
		}()},
		{"more files announced than there are", &FileList{}, []byte{0, 0xFF, 0xFF}},
		{"more uploads announced than there are", &UploadList{}, []byte{0xFF, 0xFF}},
		{"more snapshots announced than there are", &SnapshotList{}, []byte{0, 0xFF, 0xFF}},
		{"more runs announced than there are", &RunList{}, []byte{0xFF, 0xFF}},
		{"more packs announced than there are", &PackList{}, []byte{0, 0xFF, 0xFF}},
		{"a page of 10001 packs that lacks the last", &PackList{}, func() []byte {
			p := (&PackList{Packs: make([]PackEntry, MaxListPacks+1)}).AppendPayload(nil)
			return p[:len(p)-1]
		}()},
		{"2001 packs asked about", &AskPacks{}, (&AskPacks{IDs: make([]PackID, MaxAskPacks+1)}).AppendPayload(nil)},
		{"2001 packs missing", &PacksMissing{}, (&PacksMissing{IDs: make([]PackID, MaxAskPacks+1)}).AppendPayload(nil)},
		{"2001 packs mended with", &MendSnapshot{}, (&MendSnapshot{Added: make([]PackID, MaxAskPacks+1)}).AppendPayload(nil)},
		{"a head of 4097 bytes", &SnapshotList{}, (&SnapshotList{Snapshots: []SnapshotEntry{{Head: make([]byte, MaxHead+1)}}}).AppendPayload(nil)},
		{"a mend record beyond its limit", &Mends{}, (&Mends{Records: [][]byte{make([]byte, MaxMendRecord+1)}}).AppendPayload(nil)},
		{"a mend record longer than what follows", &Mends{}, []byte{0, 1, 0, 0xFF, 0xFF, 0x0F, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.message.DecodePayload(test.payload); err == nil {
				t.Errorf("decoded as %#v", test.message)
			}
		})
	}
	for _, n := range []int{0, 1, maxText} {
		if err := new(RemoveAccount).DecodePayload(text(n)); err != nil {
			t.Errorf("text of %d bytes: %v", n, err)
		}
	}
}
