package protocol

// A packet whose sender does not have it whole yet, such as a gateway that
// hands on what its own caller sends, comes in pieces: it is opened, its pieces
// follow one after another, each a request of its own over any connection, and
// the last one ends it. Nothing waits on a connection in between, and nobody
// has to know the packet's size beforehand.

// A TransferID names a packet that comes in pieces. Its sender makes it, at
// random, so that opening a packet can be repeated.
type TransferID [16]byte

// packetPieceSize is what stands before a piece's content, in bytes.
const packetPieceSize = 16 + 4 + 1

// OpenPacket announces a packet of an upload that comes in pieces: 1048,
// transfer id[16], room u32 (most bytes of content), upload id[16], number u32
// (from 1), last u8; the last three as in UploadPacket. Answered with Done.
type OpenPacket struct {
	Transfer TransferID
	Room     uint32
	Packet   UploadPacket
}

func (*OpenPacket) Code() Code { return CodeOpenPacket }
func (m *OpenPacket) AppendPayload(b []byte) []byte {
	b = append(b, m.Transfer[:]...)
	b = le.AppendUint32(b, m.Room)
	return m.Packet.AppendPayload(b)
}
func (m *OpenPacket) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Transfer[:])
	m.Room = r.u32()
	r.uploadPacket(&m.Packet)
	return r.end()
}

// OpenNamedPacket announces a packet of the upload that is named by its file
// name: 1049, transfer id[16], room u32 (most bytes of content), original size
// u64, number u32, total u32, filename[255]; the last four as in NamedPacket.
// Answered with Done.
type OpenNamedPacket struct {
	Transfer TransferID
	Room     uint32
	Packet   NamedPacket
}

func (*OpenNamedPacket) Code() Code { return CodeOpenNamedPacket }
func (m *OpenNamedPacket) AppendPayload(b []byte) []byte {
	b = append(b, m.Transfer[:]...)
	b = le.AppendUint32(b, m.Room)
	return m.Packet.AppendPayload(b)
}
func (m *OpenNamedPacket) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Transfer[:])
	m.Room = r.u32()
	r.namedPacket(&m.Packet)
	return r.end()
}

// PacketPiece brings the next piece of an open packet: 1050, transfer id[16],
// offset u32 (of the piece in the packet), end u8, content. What is there
// already is taken as received. End says that the packet ends with this piece.
// Answered with Done, or at the end with UploadState. A server that no longer
// knows the transfer answers StatusUnavailable: the packet is sent again.
type PacketPiece struct {
	Transfer TransferID
	Offset   uint32
	End      bool
}

func (*PacketPiece) Code() Code { return CodePacketPiece }
func (m *PacketPiece) AppendPayload(b []byte) []byte {
	b = append(b, m.Transfer[:]...)
	b = le.AppendUint32(b, m.Offset)
	return appendBool(b, m.End)
}
func (m *PacketPiece) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Transfer[:])
	m.Offset, m.End = r.u32(), r.bool()
	return r.end()
}

// DropPacket gives an open packet up, as if none of it had come: 1051,
// transfer id[16]. Answered with Done, also for one that is not open.
type DropPacket struct{ Transfer TransferID }

func (*DropPacket) Code() Code                      { return CodeDropPacket }
func (m *DropPacket) AppendPayload(b []byte) []byte { return append(b, m.Transfer[:]...) }
func (m *DropPacket) DecodePayload(p []byte) error {
	r := reader{p: p}
	r.fill(m.Transfer[:])
	return r.end()
}
