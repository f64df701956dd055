package api

import (
	"net/http"

	"coffer/client"
	"coffer/protocol"
)

// maxAwaiting is the most missing packets that an answer lists.
const maxAwaiting = 100

// UploadFilePacket takes a packet in JSON: POST /api/v1/files/upload.
func (g *Gateway) UploadFilePacket(w http.ResponseWriter, r *http.Request, _ UploadFilePacketParams) {
	answer, err := g.uploadFilePacket(w, r)
	g.reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) uploadFilePacket(w http.ResponseWriter, r *http.Request) (*PacketReceived, error) {
	content := &spool{dir: g.cfg.TempDir, limit: g.cfg.MaxPacket}
	defer g.drop(r, content)
	const metadata = 1 << 20
	p, err := readFilePacket(http.MaxBytesReader(w, r.Body, g.cfg.MaxPacket/3*4+metadata), content)
	if err != nil {
		return nil, err
	}
	name, err := nameField("filename", p.Filename)
	if err != nil {
		return nil, err
	}
	id, err := g.identify(r, p.ClientID)
	if err != nil {
		return nil, err
	}
	m := protocol.NamedPacket{OriginalSize: uint64(p.OriginalSize), Number: p.Number, Total: p.Total, Name: name}
	again := idempotent
	if p.Number == 1 {
		again = once // a second time it starts the file over
	}
	state, err := ask(r.Context(), g.core, again, func(conn *client.Conn) (*protocol.UploadState, error) {
		return conn.NamedPacket(r.Context(), id, m, content.reader(), uint32(content.size))
	})
	if err != nil {
		return nil, err
	}
	return packetReceived(p.Number, state), nil
}

// drop drops a packet that was passed on.
func (g *Gateway) drop(r *http.Request, content *spool) {
	if err := content.Close(); err != nil {
		g.log.Warn("a packet under way was not removed", requestAttr(r), "error", err)
	}
}

func packetReceived(number uint32, state *protocol.UploadState) *PacketReceived {
	m := &PacketReceived{PacketReceived: int64(number), AwaitingPackets: awaiting(state), AwaitingCount: int64(state.MissingCount)}
	if state.Complete {
		sum := formatChecksum(state.Cksum)
		m.ServerCrc = &sum
	}
	return m
}

// awaiting lists the first missing packets.
func awaiting(state *protocol.UploadState) []int64 {
	list := []int64{}
	for _, missing := range state.Missing {
		for n := int64(missing.From); n <= int64(missing.To); n++ {
			if len(list) == maxAwaiting {
				return list
			}
			list = append(list, n)
		}
	}
	return list
}
