package protocol

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// decoder is a pointer to a message of type M.
type decoder[M any] interface {
	*M
	Decoder
}

// fuzzDecoder checks that the decoder of M neither panics nor fails with
// anything but ErrMalformed, and that whatever decodes encodes to the same
// bytes.
func fuzzDecoder[M any, P decoder[M]](f *testing.F) {
	code := P(new(M)).Code()
	f.Add([]byte(nil))
	for _, s := range samples {
		if s.message.Code() == code {
			f.Add(s.message.AppendPayload(nil))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m := P(new(M))
		if err := m.DecodePayload(payload); err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("decoding failed with %v, which is not ErrMalformed", err)
			}
			return
		}
		if got := m.AppendPayload(nil); !bytes.Equal(got, payload) {
			t.Errorf("%x\ndecoded to %#v\nwhich encodes to %x", payload, m, got)
		}
	})
}

func FuzzRegister(f *testing.F)         { fuzzDecoder[Register](f) }
func FuzzSendPublicKey(f *testing.F)    { fuzzDecoder[SendPublicKey](f) }
func FuzzReconnect(f *testing.F)        { fuzzDecoder[Reconnect](f) }
func FuzzSendFile(f *testing.F)         { fuzzDecoder[SendFile](f) }
func FuzzChecksumOK(f *testing.F)       { fuzzDecoder[ChecksumOK](f) }
func FuzzChecksumRetry(f *testing.F)    { fuzzDecoder[ChecksumRetry](f) }
func FuzzChecksumGiveUp(f *testing.F)   { fuzzDecoder[ChecksumGiveUp](f) }
func FuzzRegistered(f *testing.F)       { fuzzDecoder[Registered](f) }
func FuzzRegisterRefused(f *testing.F)  { fuzzDecoder[RegisterRefused](f) }
func FuzzKeyReceived(f *testing.F)      { fuzzDecoder[KeyReceived](f) }
func FuzzFileReceived(f *testing.F)     { fuzzDecoder[FileReceived](f) }
func FuzzAcknowledged(f *testing.F)     { fuzzDecoder[Acknowledged](f) }
func FuzzReconnected(f *testing.F)      { fuzzDecoder[Reconnected](f) }
func FuzzReconnectDenied(f *testing.F)  { fuzzDecoder[ReconnectDenied](f) }
func FuzzError(f *testing.F)            { fuzzDecoder[Error](f) }
func FuzzChallenge(f *testing.F)        { fuzzDecoder[Challenge](f) }
func FuzzProve(f *testing.F)            { fuzzDecoder[Prove](f) }
func FuzzBeginUpload(f *testing.F)      { fuzzDecoder[BeginUpload](f) }
func FuzzUploadPacket(f *testing.F)     { fuzzDecoder[UploadPacket](f) }
func FuzzNamedPacket(f *testing.F)      { fuzzDecoder[NamedPacket](f) }
func FuzzAskUpload(f *testing.F)        { fuzzDecoder[GetUpload](f) }
func FuzzVerifyUpload(f *testing.F)     { fuzzDecoder[VerifyUpload](f) }
func FuzzCancelUpload(f *testing.F)     { fuzzDecoder[CancelUpload](f) }
func FuzzListUploads(f *testing.F)      { fuzzDecoder[ListUploads](f) }
func FuzzListFiles(f *testing.F)        { fuzzDecoder[ListFiles](f) }
func FuzzAskFile(f *testing.F)          { fuzzDecoder[GetFile](f) }
func FuzzReadFile(f *testing.F)         { fuzzDecoder[ReadFile](f) }
func FuzzDeleteFile(f *testing.F)       { fuzzDecoder[DeleteFile](f) }
func FuzzPutKeyBundle(f *testing.F)     { fuzzDecoder[PutKeyBundle](f) }
func FuzzGetKeyBundle(f *testing.F)     { fuzzDecoder[GetKeyBundle](f) }
func FuzzAskAccount(f *testing.F)       { fuzzDecoder[GetAccount](f) }
func FuzzOpenPacket(f *testing.F)       { fuzzDecoder[OpenPacket](f) }
func FuzzOpenNamedPacket(f *testing.F)  { fuzzDecoder[OpenNamedPacket](f) }
func FuzzPacketPiece(f *testing.F)      { fuzzDecoder[PacketPiece](f) }
func FuzzDropPacket(f *testing.F)       { fuzzDecoder[DropPacket](f) }
func FuzzCreateAccount(f *testing.F)    { fuzzDecoder[CreateAccount](f) }
func FuzzSignIn(f *testing.F)           { fuzzDecoder[SignIn](f) }
func FuzzRemoveAccount(f *testing.F)    { fuzzDecoder[RemoveAccount](f) }
func FuzzRevokeTokens(f *testing.F)     { fuzzDecoder[RevokeTokens](f) }
func FuzzSetPassword(f *testing.F)      { fuzzDecoder[SetPassword](f) }
func FuzzSetPublicKey(f *testing.F)     { fuzzDecoder[SetPublicKey](f) }
func FuzzNewSession(f *testing.F)       { fuzzDecoder[NewSession](f) }
func FuzzAskFailures(f *testing.F)      { fuzzDecoder[ListFailures](f) }
func FuzzFailures(f *testing.F)         { fuzzDecoder[Failures](f) }
func FuzzAskStatus(f *testing.F)        { fuzzDecoder[GetStatus](f) }
func FuzzSetBaseAccess(f *testing.F)    { fuzzDecoder[SetBaseAccess](f) }
func FuzzMakeAPIID(f *testing.F)        { fuzzDecoder[MakeAPIID](f) }
func FuzzAskIdentity(f *testing.F)      { fuzzDecoder[GetIdentity](f) }
func FuzzAskRefusal(f *testing.F)       { fuzzDecoder[GetRefusal](f) }
func FuzzAPIIDMade(f *testing.F)        { fuzzDecoder[APIIDMade](f) }
func FuzzIdentity(f *testing.F)         { fuzzDecoder[Identity](f) }
func FuzzRevokeToken(f *testing.F)      { fuzzDecoder[RevokeToken](f) }
func FuzzCheckToken(f *testing.F)       { fuzzDecoder[CheckToken](f) }
func FuzzFailure(f *testing.F)          { fuzzDecoder[Failure](f) }
func FuzzChallengeIssued(f *testing.F)  { fuzzDecoder[ChallengeIssued](f) }
func FuzzDone(f *testing.F)             { fuzzDecoder[Done](f) }
func FuzzUploadBegun(f *testing.F)      { fuzzDecoder[UploadBegun](f) }
func FuzzUploadState(f *testing.F)      { fuzzDecoder[UploadState](f) }
func FuzzVerifyResult(f *testing.F)     { fuzzDecoder[VerifyResult](f) }
func FuzzUploadList(f *testing.F)       { fuzzDecoder[UploadList](f) }
func FuzzFileList(f *testing.F)         { fuzzDecoder[FileList](f) }
func FuzzFileInfo(f *testing.F)         { fuzzDecoder[FileInfo](f) }
func FuzzFileContent(f *testing.F)      { fuzzDecoder[FileContent](f) }
func FuzzKeyBundle(f *testing.F)        { fuzzDecoder[KeyBundle](f) }
func FuzzAccountInfo(f *testing.F)      { fuzzDecoder[AccountInfo](f) }
func FuzzAccountCreated(f *testing.F)   { fuzzDecoder[AccountCreated](f) }
func FuzzSignedIn(f *testing.F)         { fuzzDecoder[SignedIn](f) }
func FuzzTokensRevoked(f *testing.F)    { fuzzDecoder[TokensRevoked](f) }
func FuzzSessionKeyIssued(f *testing.F) { fuzzDecoder[SessionKeyIssued](f) }
func FuzzServerStatus(f *testing.F)     { fuzzDecoder[ServerStatus](f) }

func FuzzBeginRun(f *testing.F)          { fuzzDecoder[BeginRun](f) }
func FuzzAskPacks(f *testing.F)          { fuzzDecoder[AskPacks](f) }
func FuzzPutPack(f *testing.F)           { fuzzDecoder[PutPack](f) }
func FuzzCommitSnapshot(f *testing.F)    { fuzzDecoder[CommitSnapshot](f) }
func FuzzReadPack(f *testing.F)          { fuzzDecoder[ReadPack](f) }
func FuzzMendSnapshot(f *testing.F)      { fuzzDecoder[MendSnapshot](f) }
func FuzzListSnapshots(f *testing.F)     { fuzzDecoder[ListSnapshots](f) }
func FuzzEndRun(f *testing.F)            { fuzzDecoder[EndRun](f) }
func FuzzListRuns(f *testing.F)          { fuzzDecoder[ListRuns](f) }
func FuzzSnapshotPacks(f *testing.F)     { fuzzDecoder[SnapshotPacks](f) }
func FuzzListMends(f *testing.F)         { fuzzDecoder[ListMends](f) }
func FuzzCheckPack(f *testing.F)         { fuzzDecoder[CheckPack](f) }
func FuzzReportVerified(f *testing.F)    { fuzzDecoder[ReportVerified](f) }
func FuzzRunBegun(f *testing.F)          { fuzzDecoder[RunBegun](f) }
func FuzzPacksMissing(f *testing.F)      { fuzzDecoder[PacksMissing](f) }
func FuzzSnapshotCommitted(f *testing.F) { fuzzDecoder[SnapshotCommitted](f) }
func FuzzPackContent(f *testing.F)       { fuzzDecoder[PackContent](f) }
func FuzzSnapshotList(f *testing.F)      { fuzzDecoder[SnapshotList](f) }
func FuzzRunList(f *testing.F)           { fuzzDecoder[RunList](f) }
func FuzzPackList(f *testing.F)          { fuzzDecoder[PackList](f) }
func FuzzMends(f *testing.F)             { fuzzDecoder[Mends](f) }

func FuzzOpenMachine(f *testing.F)   { fuzzDecoder[OpenMachine](f) }
func FuzzAddMachine(f *testing.F)    { fuzzDecoder[AddMachine](f) }
func FuzzListMachines(f *testing.F)  { fuzzDecoder[ListMachines](f) }
func FuzzRemoveMachine(f *testing.F) { fuzzDecoder[RemoveMachine](f) }
func FuzzMachineList(f *testing.F)   { fuzzDecoder[MachineList](f) }

func FuzzRequestHeader(f *testing.F) {
	f.Add(AppendRequest(nil, sampleClient, &Register{Name: sampleName}, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := ReadRequestHeader(bytes.NewReader(raw))
		checkHeader(t, raw, RequestHeaderSize, h.Append(nil), h.Version, err)
	})
}

func FuzzResponseHeader(f *testing.F) {
	f.Add(AppendResponse(nil, &Registered{Client: sampleClient}, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := ReadResponseHeader(bytes.NewReader(raw))
		checkHeader(t, raw, ResponseHeaderSize, h.Append(nil), h.Version, err)
	})
}

func checkHeader(t *testing.T, raw []byte, size int, encoded []byte, version uint8, err error) {
	switch {
	case len(raw) == 0:
		if err != io.EOF {
			t.Errorf("no bytes: %v, want io.EOF", err)
		}
	case len(raw) < size:
		if err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes: %v, want io.ErrUnexpectedEOF", len(raw), err)
		}
	case !bytes.Equal(encoded, raw[:size]):
		t.Errorf("%x encodes to %x", raw[:size], encoded)
	case (err == nil) != (version == Version):
		t.Errorf("version %d: %v", version, err)
	}
}
