// Package protocol is Coffer's wire protocol, version 3: the framing, the
// codes, and one type per message with its encoder and decoder.
//
// It knows bytes and nothing else: it opens no sockets beyond io.Reader and
// io.Writer, keeps no state, and decides nothing about who may do what.
// Decoding never allocates by a length that the peer merely claims.
//
// All integers are little-endian. A request is a 23-byte header and a payload,
// a response a 7-byte header and a payload:
//
//	request:  client id [16], version u8 = 3, code u16, payload size u32
//	response: version u8 = 3, code u16, payload size u32
//
// In the layouts below, name[255] is a Field: text up to the first NUL, zero
// padded. text is a u16 length and that many bytes of UTF-8; bytes is a u16
// length and that many bytes; time is i64 microseconds since 1970 UTC. A
// message that ends in "content" is followed by file content up to the end of
// the payload. See docs/protocol.md.
package protocol

// Version is the protocol version that every header bears.
const Version = 3

// Sizes of what every message is made of, in bytes.
const (
	RequestHeaderSize  = 23
	ResponseHeaderSize = 7
	FieldSize          = 255 // a name or file name in a base message
	MaxName            = 254 // longest content of a Field
)

// MaxPayload is the largest payload that a header can announce, in bytes.
const MaxPayload = 1<<32 - 1

// Public and default TCP ports.
const (
	DefaultPort         = 1256 // for clients
	DefaultInternalPort = 1257 // for the gateway, on loopback
)

// A Code says what a message is.
type Code uint16

// Base requests, spoken by clients deployed in the field.
const (
	CodeRegister       Code = 1025 // name[255]                                  → Registered | RegisterRefused
	CodeSendPublicKey  Code = 1026 // name[255], DER SubjectPublicKeyInfo        → KeyReceived | Error
	CodeReconnect      Code = 1027 // name[255]                                  → Reconnected | ReconnectDenied
	CodeSendFile       Code = 1028 // u32, u32, u16, u16, filename[255], content → nothing until complete, then FileReceived
	CodeChecksumOK     Code = 1029 // filename[255]                              → Acknowledged
	CodeChecksumRetry  Code = 1030 // filename[255]                              → Acknowledged, if the client then stays silent
	CodeChecksumGiveUp Code = 1031 // filename[255]                              → Acknowledged
)

// Base responses.
const (
	CodeRegistered      Code = 1600 // client id[16]
	CodeRegisterRefused Code = 1601 // empty
	CodeKeyReceived     Code = 1602 // client id[16], RSA-OAEP(session key)
	CodeFileReceived    Code = 1603 // client id[16], content size u32, filename[255], cksum u32
	CodeAcknowledged    Code = 1604 // client id[16]
	CodeReconnected     Code = 1605 // client id[16], RSA-OAEP(new session key)
	CodeReconnectDenied Code = 1606 // client id[16]
	CodeError           Code = 1607 // empty
)

// Extension requests. Each is answered with the response named here or with a
// Failure. On the public listener all but the first two and the last are served
// only on a connection that has proven to hold a session key of its client.
const (
	CodeChallenge    Code = 1032 // empty                                        → ChallengeIssued
	CodeProve        Code = 1033 // proof[32]                                    → Done
	CodeBeginUpload  Code = 1034 // original size u64, total u32, format u8, filename text → UploadBegun
	CodeUploadPacket Code = 1035 // upload id[16], number u32, last u8, content  → UploadState
	CodeNamedPacket  Code = 1036 // original size u64, number u32, total u32, filename[255], content → UploadState
	CodeGetUpload    Code = 1037 // upload                                       → UploadState
	CodeVerifyUpload Code = 1038 // cksum u32, upload                            → VerifyResult
	CodeCancelUpload Code = 1039 // upload                                       → Done
	CodeListUploads  Code = 1040 // empty                                        → UploadList
	CodeListFiles    Code = 1041 // limit u16, all versions u8, after version u32, after text, only text → FileList
	CodeGetFile      Code = 1042 // version u32, filename text                   → FileInfo
	CodeReadFile     Code = 1043 // version u32, offset u64, length u32, filename text → FileContent
	CodeDeleteFile   Code = 1044 // version u32, filename text                   → Done
	CodePutKeyBundle Code = 1045 // bundle, to the end                           → Done
	CodeGetKeyBundle Code = 1046 // empty                                        → KeyBundle
	CodeGetAccount   Code = 1047 // empty                                        → AccountInfo

	CodeOpenPacket      Code = 1048 // transfer id[16], room u32, upload id[16], number u32, last u8 → Done
	CodeOpenNamedPacket Code = 1049 // transfer id[16], room u32, original size u64, number u32, total u32, filename[255] → Done
	CodePacketPiece     Code = 1050 // transfer id[16], offset u32, end u8, content → Done, or at the end UploadState
	CodeDropPacket      Code = 1051 // transfer id[16]                              → Done

	CodeSetPassword   Code = 1052 // current text, password text, bundle, to the end → TokensRevoked
	CodeRemoveAccount Code = 1053 // password text                               → Done
	CodeSetBaseAccess Code = 1054 // open u8                                     → Done
	CodeMakeAPIID     Code = 1055 // empty                                       → APIIDMade
	CodeGetIdentity   Code = 1056 // empty                                       → Identity
	CodeGetRefusal    Code = 1057 // empty                                       → Failure, or Done if there was no refusal
)

// Extension requests of the gateway, refused on the public listener. On the
// internal one they are served, like all others, only on a connection that has
// proven by ProveGateway to know the core's secret.
const (
	CodeCreateAccount Code = 1064 // name text, kind text, password text         → AccountCreated
	CodeSignIn        Code = 1065 // method u8, API id[16], name text, password text → SignedIn
	CodeSetPublicKey  Code = 1067 // replace u8, DER SubjectPublicKeyInfo        → SessionKeyIssued
	CodeNewSession    Code = 1068 // empty                                       → SessionKeyIssued
	CodeGetStatus     Code = 1069 // empty                                       → ServerStatus
	CodeRevokeToken   Code = 1070 // token id[16], expires time, proven u8       → Done
	CodeCheckToken    Code = 1071 // token id[16], issued time, name text        → Done, or Failure if it was revoked
	CodeRevokeTokens  Code = 1072 // empty                                       → TokensRevoked
	CodeListFailures  Code = 1080 // empty                                       → Failures
	CodeProveGateway  Code = 1082 // nonce[32], proof[32]                        → CoreProven
	CodeCaller        Code = 1083 // address[16]                                 → nothing
)

// Extension requests about snapshots.
const (
	CodeBeginRun       Code = 1084 // run[16], base version u32, name text         → RunBegun
	CodeAskPacks       Code = 1085 // run[16], count u16, then as many ids[32]     → PacksMissing
	CodePutPack        Code = 1086 // run[16], id[32], content                     → Done
	CodeCommitSnapshot Code = 1087 // see CommitSnapshot                           → SnapshotCommitted, or PacksMissing
	CodeReadPack       Code = 1088 // id[32], offset u64, length u32               → PackContent
	CodeMendSnapshot   Code = 1089 // run[16], version u32, count u16, ids[32], name text, record, to the end → Done, or PacksMissing
	CodeListSnapshots  Code = 1090 // limit u16, all versions u8, after version u32, after text, only text → SnapshotList
	CodeEndRun         Code = 1091 // run[16]                                      → Done
	CodeListRuns       Code = 1092 // empty                                        → RunList
	CodeSnapshotPacks  Code = 1093 // version u32, after u32, limit u16, name text → PackList
	CodeListMends      Code = 1094 // version u32, after u16, name text            → Mends
	CodeCheckPack      Code = 1095 // id[32]                                       → Done
	CodeReportVerified Code = 1096 // version u32, packs u32, bytes u64, name text → Done
)

// Extension requests about send-only machines.
const (
	CodeOpenMachine   Code = 1097 // empty                                       → SessionKeyIssued
	CodeAddMachine    Code = 1098 // machine[16], rights u8, name text, DER      → Done
	CodeListMachines  Code = 1099 // empty                                       → MachineList
	CodeRemoveMachine Code = 1100 // machine[16]                                 → Done
)

// Extension responses.
const (
	CodeFailure          Code = 1608 // status u16, message text
	CodeChallengeIssued  Code = 1609 // challenge[32]
	CodeDone             Code = 1610 // empty
	CodeUploadBegun      Code = 1611 // upload id[16], max packet u32, expires time, OAEP hash u8, wrapped key bytes
	CodeUploadState      Code = 1612 // see UploadState
	CodeVerifyResult     Code = 1613 // verified u8, attempts left u8, cksum u32, version u32
	CodeUploadList       Code = 1614 // count u16, then as many UploadStates
	CodeFileList         Code = 1615 // more u8, count u16, then as many FileEntries
	CodeFileInfo         Code = 1616 // FileEntry, OAEP hash u8, key fingerprint[32], wrapped key bytes
	CodeFileContent      Code = 1617 // version u32, size u64, offset u64, content
	CodeKeyBundle        Code = 1618 // bundle, to the end
	CodeAccountInfo      Code = 1619 // see AccountInfo
	CodeAccountCreated   Code = 1620 // API id[16]
	CodeSignedIn         Code = 1621 // proven u8, API id[16], at time
	CodeSessionKeyIssued Code = 1622 // OAEP hash u8, wrapped key bytes
	CodeServerStatus     Code = 1623 // see ServerStatus
	CodeTokensRevoked    Code = 1630 // until time
	CodeAPIIDMade        Code = 1631 // API id[16]
	CodeIdentity         Code = 1632 // client id[16], base open u8, has API id u8
	CodeFailures         Code = 1640 // count u16, then as many FailedExchanges
	CodeCoreProven       Code = 1642 // proof[32]

	CodeRunBegun          Code = 1643 // newest version u32, run seconds u32, max pack u32
	CodePacksMissing      Code = 1644 // count u16, then as many ids[32]
	CodeSnapshotCommitted Code = 1645 // version u32
	CodePackContent       Code = 1646 // size u64, offset u64, content
	CodeSnapshotList      Code = 1647 // more u8, count u16, then as many SnapshotEntries
	CodeRunList           Code = 1648 // count u16, then as many RunEntries
	CodePackList          Code = 1649 // more u8, count u16, then as many PackEntries
	CodeMends             Code = 1650 // more u8, count u16, then as many of size u32 and record
	CodeMachineList       Code = 1651 // count u16, then as many MachineEntries
)
