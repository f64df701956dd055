package api

import (
	"io"
	"net/http"

	"coffer/api/contract"
	"coffer/api/packetjson"
	"coffer/api/relay"
	"coffer/protocol"
)

// maxAwaiting is the most missing packets that an answer lists.
const maxAwaiting = 100

// UploadFilePacket takes a packet in JSON: POST /api/v1/files/upload.
func (g *Gateway) UploadFilePacket(w http.ResponseWriter, r *http.Request, _ contract.UploadFilePacketParams) {
	answer, err := g.uploadFilePacket(w, r)
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) uploadFilePacket(w http.ResponseWriter, r *http.Request) (*contract.PacketReceived, error) {
	const metadata = 1 << 20
	body := http.MaxBytesReader(w, r.Body, g.cfg.MaxPacket/3*4+metadata)
	var out *relay.Sender // as soon as it is known where the content goes
	var kept *relay.Spool // holds the content until then
	p, err := packetjson.Read(body, func(p *packetjson.Packet, known bool) (_ io.Writer, err error) {
		if known {
			if out, err = g.namedSender(r, p); err == nil || p.ClientID != nil {
				return out, err
			}
		}
		// Nothing is held for a caller who has not shown who they are.
		id, err := g.identify(r, p.ClientID)
		if err != nil {
			return nil, err
		}
		kept = g.relay.Spool(id)
		return kept, nil
	})
	if out != nil {
		defer g.close(r, out)
	}
	if kept != nil {
		defer g.close(r, kept)
	}
	if err != nil {
		return nil, err
	}
	if out != nil {
		_, err = g.identify(r, p.ClientID) // the client id may have come last
	} else if out, err = g.namedSender(r, &p); err == nil {
		defer g.close(r, out)
		_, err = kept.WriteTo(out)
	}
	if err != nil {
		return nil, err
	}
	state, err := out.Finish()
	if err != nil {
		return nil, err
	}
	return packetReceived(p.Number, state), nil
}

// namedSender begins to pass a packet on.
func (g *Gateway) namedSender(r *http.Request, p *packetjson.Packet) (*relay.Sender, error) {
	name, err := nameField("filename", p.Filename)
	if err != nil {
		return nil, err
	}
	id, err := g.identify(r, p.ClientID)
	if err != nil {
		return nil, err
	}
	m := relay.Named{OriginalSize: uint64(p.OriginalSize), Number: p.Number, Total: p.Total, Name: name}
	return g.relay.Packet(r.Context(), id, m, g.cfg.MaxPacket), nil
}

// close ends what a call used.
func (g *Gateway) close(r *http.Request, c io.Closer) {
	if err := c.Close(); err != nil {
		g.log.Warn("a packet under way was not cleaned up", requestAttr(r), "error", err)
	}
}

func packetReceived(number uint32, state *protocol.UploadState) *contract.PacketReceived {
	m := &contract.PacketReceived{PacketReceived: int64(number), AwaitingPackets: awaiting(state), AwaitingCount: int64(state.MissingCount)}
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
