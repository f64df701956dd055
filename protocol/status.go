package protocol

import (
	"fmt"
	"strings"
	"time"
)

// A Status says why a request failed, for programs to branch on.
type Status uint16

// Statuses of a Failure.
const (
	StatusInvalid         Status = 1  // the message names the field and what is wrong with it
	StatusUnauthenticated Status = 2  // who is asking was not proven
	StatusForbidden       Status = 3  // proven, and not allowed
	StatusNotFound        Status = 4  // no such file, version or upload
	StatusConflict        Status = 5  // taken, or not in the state for this
	StatusTooLarge        Status = 6  // over a limit that the message names
	StatusTooMany         Status = 7  // over a count that the message names
	StatusNoSession       Status = 8  // needs a public key and a live session key
	StatusNoSpace         Status = 9  // the server's storage is full
	StatusUnavailable     Status = 10 // try again later
	StatusInternal        Status = 11 // the server's fault; its log says more
	StatusBusy            Status = 12 // nothing was done; ask again in a moment
)

// String is what the status is called.
func (s Status) String() string {
	names := [...]string{1: "invalid request", "not authenticated", "forbidden", "not found", "conflict",
		"too large", "too many", "no session", "no space", "unavailable", "internal error", "busy"}
	if int(s) < len(names) && names[s] != "" {
		return names[s]
	}
	return fmt.Sprintf("status %d", uint16(s))
}

// Failure answers an extension request that cannot be served: 1608, status
// u16, message text, which a person can read; a message longer than a text can
// be is cut. It is an error.
type Failure struct {
	Status  Status
	Message string
}

func (*Failure) Code() Code { return CodeFailure }
func (m *Failure) AppendPayload(b []byte) []byte {
	message := m.Message
	if len(message) > maxText {
		message = strings.ToValidUTF8(message[:maxText], "")
	}
	return appendText(le.AppendUint16(b, uint16(m.Status)), message)
}
func (m *Failure) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Status, m.Message = Status(r.u16()), r.text()
	return r.end()
}

// Error is the message.
func (m *Failure) Error() string {
	if m.Message == "" {
		return m.Status.String()
	}
	return m.Message
}

// Is matches any Failure of the same status whose message is empty or equal.
func (m *Failure) Is(target error) bool {
	f, ok := target.(*Failure)
	return ok && f.Status == m.Status && (f.Message == "" || f.Message == m.Message)
}

// Done answers an extension request that returns nothing: 1610, empty.
type Done struct{}

func (*Done) Code() Code                    { return CodeDone }
func (*Done) AppendPayload(b []byte) []byte { return b }
func (*Done) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// GetStatus asks how the server is: 1069, empty. Answered with ServerStatus.
type GetStatus struct{}

func (*GetStatus) Code() Code                    { return CodeGetStatus }
func (*GetStatus) AppendPayload(b []byte) []byte { return b }
func (*GetStatus) DecodePayload(p []byte) error  { return decodeEmpty(p) }

// ServerStatus answers GetStatus: 1623, started time, connections u32, clients
// connected u32, clients registered u64, clients suspended u64, files u64,
// versions u64, versions verified u64, bytes stored u64, uploads u32, free u64,
// disk total u64, bytes received u64, bytes sent u64, requests u64, failures
// u64, max packet u32, session seconds u32, upload seconds u32, database text,
// storage text, version text. Database and storage are "operational" or say
// what is wrong.
type ServerStatus struct {
	Started                          time.Time
	Connections, ClientsConnected    uint32
	Clients, Suspended               uint64
	Files, Versions, Verified, Bytes uint64 // Verified versions: their client confirmed the checksum
	Uploads                          uint32
	Free, DiskTotal                  uint64 // bytes
	BytesReceived, BytesSent         uint64 // since the start
	Requests, Failures               uint64 // since the start
	MaxPacket                        uint32
	SessionTTL, UploadTTL            time.Duration // whole seconds
	Database, Storage, ServerVersion string
}

func (*ServerStatus) Code() Code { return CodeServerStatus }
func (m *ServerStatus) AppendPayload(b []byte) []byte {
	b = appendTime(b, m.Started)
	b = le.AppendUint32(le.AppendUint32(b, m.Connections), m.ClientsConnected)
	for _, v := range []uint64{m.Clients, m.Suspended, m.Files, m.Versions, m.Verified, m.Bytes} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, m.Uploads)
	for _, v := range []uint64{m.Free, m.DiskTotal, m.BytesReceived, m.BytesSent, m.Requests, m.Failures} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, m.MaxPacket)
	b = le.AppendUint32(b, uint32(m.SessionTTL/time.Second))
	b = le.AppendUint32(b, uint32(m.UploadTTL/time.Second))
	return appendText(appendText(appendText(b, m.Database), m.Storage), m.ServerVersion)
}
func (m *ServerStatus) DecodePayload(p []byte) error {
	r := reader{p: p}
	m.Started = r.time()
	m.Connections, m.ClientsConnected = r.u32(), r.u32()
	m.Clients, m.Suspended = r.u64(), r.u64()
	m.Files, m.Versions, m.Verified, m.Bytes = r.u64(), r.u64(), r.u64(), r.u64()
	m.Uploads = r.u32()
	m.Free, m.DiskTotal = r.u64(), r.u64()
	m.BytesReceived, m.BytesSent, m.Requests, m.Failures = r.u64(), r.u64(), r.u64(), r.u64()
	m.MaxPacket = r.u32()
	m.SessionTTL = time.Duration(r.u32()) * time.Second
	m.UploadTTL = time.Duration(r.u32()) * time.Second
	m.Database, m.Storage, m.ServerVersion = r.text(), r.text(), r.text()
	return r.end()
}
