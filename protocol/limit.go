package protocol

// A SizeLimit bounds the payload of a message.
type SizeLimit struct {
	Min, Max uint32 // payload size in bytes, content included
	// Content is true if content follows; the message itself is then exactly
	// Min bytes.
	Content bool
}

// Allows reports whether a payload of size bytes is within the limit.
func (l SizeLimit) Allows(size uint32) bool { return l.Min <= size && size <= l.Max }

// Bounds of the messages of variable size, in bytes.
const (
	maxPublicKey = 4 << 10  // DER, and what deployed clients leave behind it
	maxText      = 1 << 10  // one text
	maxWrapped   = 2 << 10  // one wrapped key
	MaxKeyBundle = 64 << 10 // a client's key bundle
	maxList      = 2 << 20  // a page of a listing
)

func exactly(n uint32) SizeLimit        { return SizeLimit{Min: n, Max: n} }
func between(min, max uint32) SizeLimit { return SizeLimit{Min: min, Max: max} }
func withContent(meta uint32) SizeLimit { return SizeLimit{Min: meta, Max: MaxPayload, Content: true} }

// Limit returns the bounds of the code's payload; known is false for a code
// that this protocol does not have. They hold before anything is allocated.
func (c Code) Limit() (limit SizeLimit, known bool) {
	switch c.Canonical() {
	case CodeRegister, CodeReconnect, CodeChecksumOK, CodeChecksumRetry, CodeChecksumGiveUp:
		return exactly(FieldSize), true
	case CodeSendPublicKey:
		return between(FieldSize+1, FieldSize+maxPublicKey), true
	case CodeSendFile:
		return withContent(sendFileSize), true

	case CodeRegistered, CodeAcknowledged, CodeReconnectDenied, CodeAccountCreated, CodeAPIIDMade:
		return exactly(16), true
	case CodeRegisterRefused, CodeError, CodeDone:
		return exactly(0), true
	case CodeKeyReceived, CodeReconnected:
		return between(16+1, 16+maxWrapped), true
	case CodeFileReceived:
		return exactly(16 + 4 + FieldSize + 4), true

	case CodeChallenge, CodeListUploads, CodeGetKeyBundle, CodeAskAccount, CodeNewSession, CodeAskStatus, CodeAskFailures, CodeAskFigures:
		return exactly(0), true
	case CodeProve, CodeChallengeIssued, CodeCoreProven:
		return exactly(32), true
	case CodeProveGateway:
		return exactly(32 + 32), true
	case CodeBeginUpload:
		return between(8+4+1+2, 8+4+1+2+maxText), true
	case CodeUploadPacket:
		return withContent(uploadPacketSize), true
	case CodeNamedPacket:
		return withContent(namedPacketSize), true
	case CodeAskUpload, CodeCancelUpload:
		return between(1+2, 1+2+maxText), true
	case CodeVerifyUpload:
		return between(4+1+2, 4+1+2+maxText), true
	case CodeListFiles:
		return between(2+1+4+2+2, 2+1+4+2*(2+maxText)), true
	case CodeAskFile, CodeDeleteFile:
		return between(4+2, 4+2+maxText), true
	case CodeReadFile:
		return between(4+8+4+2, 4+8+4+2+maxText), true
	case CodePutKeyBundle, CodeKeyBundle:
		return between(0, MaxKeyBundle), true

	case CodeOpenPacket:
		return exactly(16 + 4 + uploadPacketSize), true
	case CodeOpenNamedPacket:
		return exactly(16 + 4 + namedPacketSize), true
	case CodePacketPiece:
		return withContent(packetPieceSize), true
	case CodeDropPacket, CodeCaller:
		return exactly(16), true

	case CodeCreateAccount:
		return between(3*2, 3*(2+maxText)), true
	case CodeSignIn:
		return between(1+16+2*2, 1+16+2*(2+maxText)), true
	case CodeSetPassword:
		return between(2*2, 2*(2+maxText)+MaxKeyBundle), true
	case CodeRemoveAccount:
		return between(2, 2+maxText), true
	case CodeSetBaseAccess:
		return exactly(1), true
	case CodeMakeAPIID, CodeAskIdentity, CodeAskRefusal:
		return exactly(0), true
	case CodeIdentity:
		return exactly(16 + 1 + 1), true
	case CodeRevokeToken:
		return exactly(16 + 8 + 1), true
	case CodeCheckToken:
		return between(16+8+2, 16+8+2+maxText), true
	case CodeRevokeTokens:
		return exactly(0), true
	case CodeSetPublicKey:
		return between(1+1, 1+maxPublicKey), true

	case CodeFailure:
		return between(2+2, 2+2+maxText), true
	case CodeUploadBegun:
		return between(16+4+8+1+2, 16+4+8+1+2+maxWrapped), true
	case CodeUploadState, CodeUploadList, CodeFileList, CodeFailures:
		return between(2, maxList), true
	case CodeVerifyResult:
		return exactly(1 + 1 + 4 + 4), true
	case CodeFileInfo:
		return between(1, 1<<10+maxText+maxWrapped), true
	case CodeFileContent:
		return withContent(fileContentSize), true
	case CodeSignedIn:
		return exactly(1 + 16 + 8), true
	case CodeTokensRevoked:
		return exactly(8), true
	case CodeFigures:
		return exactly(2 * 8), true
	case CodeSessionKeyIssued:
		return between(1+2, 1+2+maxWrapped), true
	case CodeAccountInfo, CodeServerStatus:
		return between(1, 4<<10), true
	}
	return SizeLimit{}, false
}
