package protocol

import "fmt"

// An audience is who may send a message of a code, and where.
type audience uint8

const (
	core    audience = iota // nobody: it is a response
	base                    // a deployed client, on either listener
	anyone                  // any connection, before any proof
	owner                   // a client that has proven itself, or the gateway for it
	sender                  // the same, or a send-only machine that has proven itself
	gateway                 // the gateway, on the internal listener alone
)

// A spec is what the protocol fixes about the messages of a code.
type spec struct {
	name  string
	from  audience
	limit SizeLimit
}

// specs is the one table of codes: what each is called, who may send it, and
// how large its payload may be.
var specs = map[Code]spec{
	CodeRegister:       {"register", base, exactly(FieldSize)},
	CodeSendPublicKey:  {"send public key", base, between(FieldSize+1, FieldSize+maxPublicKey)},
	CodeReconnect:      {"reconnect", base, exactly(FieldSize)},
	CodeSendFile:       {"send file", base, withContent(sendFileSize)},
	CodeChecksumOK:     {"checksum matches", base, exactly(FieldSize)},
	CodeChecksumRetry:  {"checksum differs, again", base, exactly(FieldSize)},
	CodeChecksumGiveUp: {"checksum differs, giving up", base, exactly(FieldSize)},

	CodeRegistered:      {"registered", core, exactly(16)},
	CodeRegisterRefused: {"register refused", core, exactly(0)},
	CodeKeyReceived:     {"key received", core, between(16+1, 16+maxWrapped)},
	CodeFileReceived:    {"file received", core, exactly(16 + 4 + FieldSize + 4)},
	CodeAcknowledged:    {"acknowledged", core, exactly(16)},
	CodeReconnected:     {"reconnected", core, between(16+1, 16+maxWrapped)},
	CodeReconnectDenied: {"reconnect denied", core, exactly(16)},
	CodeError:           {"error", core, exactly(0)},

	CodeChallenge:    {"challenge", anyone, exactly(0)},
	CodeProve:        {"prove", anyone, exactly(32)},
	CodeGetRefusal:   {"get refusal", anyone, exactly(0)},
	CodeBeginUpload:  {"begin upload", owner, between(8+4+1+2, 8+4+1+2+maxText)},
	CodeUploadPacket: {"upload packet", owner, withContent(uploadPacketSize)},
	CodeNamedPacket:  {"named packet", owner, withContent(namedPacketSize)},
	CodeGetUpload:    {"get upload", owner, between(1+2, 1+2+maxText)},
	CodeVerifyUpload: {"verify upload", owner, between(4+1+2, 4+1+2+maxText)},
	CodeCancelUpload: {"cancel upload", owner, between(1+2, 1+2+maxText)},
	CodeListUploads:  {"list uploads", owner, exactly(0)},
	CodeListFiles:    {"list files", owner, between(2+1+4+2+2, 2+1+4+2*(2+maxText))},
	CodeGetFile:      {"get file", owner, between(4+2, 4+2+maxText)},
	CodeReadFile:     {"read file", owner, between(4+8+4+2, 4+8+4+2+maxText)},
	CodeDeleteFile:   {"delete file", owner, between(4+2, 4+2+maxText)},
	CodePutKeyBundle: {"put key bundle", owner, between(0, MaxKeyBundle)},
	CodeGetKeyBundle: {"get key bundle", owner, exactly(0)},
	CodeGetAccount:   {"get account", owner, exactly(0)},

	CodeOpenPacket:      {"open packet", owner, exactly(16 + 4 + uploadPacketSize)},
	CodeOpenNamedPacket: {"open named packet", owner, exactly(16 + 4 + namedPacketSize)},
	CodePacketPiece:     {"packet piece", owner, withContent(packetPieceSize)},
	CodeDropPacket:      {"drop packet", owner, exactly(16)},

	CodeSetPassword:   {"set password", owner, between(2*2, 2*(2+maxText)+MaxKeyBundle)},
	CodeRemoveAccount: {"remove account", owner, between(2, 2+maxText)},
	CodeSetBaseAccess: {"set base access", owner, exactly(1)},
	CodeMakeAPIID:     {"make API id", owner, exactly(0)},
	CodeGetIdentity:   {"get identity", owner, exactly(0)},

	CodeBeginRun:       {"begin run", sender, between(16+4+2, 16+4+2+maxText)},
	CodeAskPacks:       {"ask packs", sender, between(16+2, 16+2+32*MaxAskPacks)},
	CodePutPack:        {"put pack", sender, withContentUpTo(putPackSize, MaxPack)},
	CodeCommitSnapshot: {"commit snapshot", sender, withContentUpTo(commitSnapshotSize, maxCommit)},
	CodeReadPack:       {"read pack", owner, exactly(32 + 8 + 4)},
	CodeMendSnapshot:   {"mend snapshot", owner, between(16+4+2+2+1, 16+4+2+32*MaxAskPacks+2+maxText+MaxMendRecord)},
	CodeListSnapshots:  {"list snapshots", sender, between(2+1+4+2+2, 2+1+4+2*(2+maxText))},
	CodeEndRun:         {"end run", sender, exactly(16)},
	CodeListRuns:       {"list runs", owner, exactly(0)},
	CodeSnapshotPacks:  {"snapshot packs", owner, between(4+4+2+2, 4+4+2+2+maxText)},
	CodeListMends:      {"list mends", owner, between(4+2+2, 4+2+2+maxText)},
	CodeCheckPack:      {"check pack", owner, exactly(32)},
	CodeReportVerified: {"report verified", owner, between(4+4+8+2, 4+4+8+2+maxText)},

	CodeOpenMachine:   {"open machine", anyone, exactly(0)},
	CodeAddMachine:    {"add machine", owner, between(16+1+2+1, 16+1+2+maxText+maxPublicKey)},
	CodeListMachines:  {"list machines", owner, exactly(0)},
	CodeRemoveMachine: {"remove machine", owner, exactly(16)},

	CodeCreateAccount: {"create account", gateway, between(3*2, 3*(2+maxText))},
	CodeSignIn:        {"sign in", gateway, between(1+16+2*2, 1+16+2*(2+maxText))},
	CodeSetPublicKey:  {"set public key", gateway, between(1+1, 1+maxPublicKey)},
	CodeNewSession:    {"new session", gateway, exactly(0)},
	CodeGetStatus:     {"get status", gateway, exactly(0)},
	CodeRevokeToken:   {"revoke token", gateway, exactly(16 + 8 + 1)},
	CodeCheckToken:    {"check token", gateway, between(16+8+2, 16+8+2+maxText)},
	CodeRevokeTokens:  {"revoke tokens", gateway, exactly(0)},
	CodeListFailures:  {"list failures", gateway, exactly(0)},
	CodeProveGateway:  {"prove gateway", gateway, exactly(32 + 32)},
	CodeCaller:        {"caller", gateway, exactly(16)},

	CodeFailure:          {"failure", core, between(2+2, 2+2+maxText)},
	CodeChallengeIssued:  {"challenge issued", core, exactly(32)},
	CodeDone:             {"done", core, exactly(0)},
	CodeUploadBegun:      {"upload begun", core, between(16+4+8+1+2, 16+4+8+1+2+maxWrapped)},
	CodeUploadState:      {"upload state", core, between(2, maxList)},
	CodeVerifyResult:     {"verify result", core, exactly(1 + 1 + 4 + 4)},
	CodeUploadList:       {"upload list", core, between(2, maxList)},
	CodeFileList:         {"file list", core, between(2, maxList)},
	CodeFileInfo:         {"file info", core, between(1, 1<<10+maxText+maxWrapped)},
	CodeFileContent:      {"file content", core, withContent(fileContentSize)},
	CodeKeyBundle:        {"key bundle", core, between(0, MaxKeyBundle)},
	CodeAccountInfo:      {"account info", core, between(1, 4<<10)},
	CodeAccountCreated:   {"account created", core, exactly(16)},
	CodeSignedIn:         {"signed in", core, exactly(1 + 16 + 8)},
	CodeSessionKeyIssued: {"session key issued", core, between(1+2, 1+2+maxWrapped)},
	CodeServerStatus:     {"server status", core, between(1, 4<<10)},
	CodeTokensRevoked:    {"tokens revoked", core, exactly(8)},
	CodeAPIIDMade:        {"API id made", core, exactly(16)},
	CodeIdentity:         {"identity", core, exactly(16 + 1 + 1)},
	CodeFailures:         {"failures", core, between(2, maxList)},
	CodeCoreProven:       {"core proven", core, exactly(32)},

	CodeRunBegun:          {"run begun", core, exactly(3 * 4)},
	CodePacksMissing:      {"packs missing", core, between(2, 2+32*MaxAskPacks)},
	CodeSnapshotCommitted: {"snapshot committed", core, exactly(4)},
	CodePackContent:       {"pack content", core, withContentUpTo(packContentSize, MaxPack)},
	CodeSnapshotList:      {"snapshot list", core, between(1+2, maxList)},
	CodeRunList:           {"run list", core, between(2, maxList)},
	CodePackList:          {"pack list", core, between(1+2, 1+2+packEntrySize*MaxListPacks)},
	CodeMends:             {"mends", core, between(1+2, maxList)},
	CodeMachineList:       {"machine list", core, between(2, maxList)},
}

// Canonical maps the request codes of a sister dialect, otherwise alike, to
// those of this protocol: 825 to 828 and 900 to 902 are 1025 to 1031.
func (c Code) Canonical() Code {
	switch {
	case c >= 825 && c <= 828:
		return c - 825 + CodeRegister
	case c >= 900 && c <= 902:
		return c - 900 + CodeChecksumOK
	}
	return c
}

// Limit returns the bounds of the code's payload; known is false for a code
// that this protocol does not have. The bounds are checked before anything is
// allocated.
func (c Code) Limit() (limit SizeLimit, known bool) {
	s, known := specs[c.Canonical()]
	return s.limit, known
}

// IsBase reports whether c is a base request, in either dialect.
func (c Code) IsBase() bool { return specs[c.Canonical()].from == base }

// IsRequest reports whether c is a request of this protocol, in either dialect.
func (c Code) IsRequest() bool { return specs[c.Canonical()].from != core }

// NeedsProof reports whether c is a request that is served to a client that
// has proven itself, and to the gateway on behalf of any.
func (c Code) NeedsProof() bool { return specs[c].from == owner || c.ForMachines() }

// ForMachines reports whether c is also served to a send-only machine that has
// proven itself, as far as the request is about the machine's own snapshots.
func (c Code) ForMachines() bool { return specs[c].from == sender }

// Internal reports whether c is for the gateway's listener alone.
func (c Code) Internal() bool { return specs[c].from == gateway }

// String is the code's name and number.
func (c Code) String() string {
	if s, known := specs[c.Canonical()]; known {
		return fmt.Sprintf("%s (%d)", s.name, uint16(c))
	}
	return fmt.Sprintf("code %d", uint16(c))
}

// Requests returns the code of every request, in this protocol's own numbers.
func Requests() []Code {
	var all []Code
	for c, s := range specs {
		if s.from != core {
			all = append(all, c)
		}
	}
	return all
}
