package api

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"

	"coffer/api/contract"
	"coffer/api/relay"
	"coffer/client"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// BeginUpload begins an upload: POST /api/v1/uploads.
func (g *Gateway) BeginUpload(w http.ResponseWriter, r *http.Request, _ contract.BeginUploadParams) {
	answer, err := g.beginUpload(r)
	if err == nil {
		w.Header().Set("Location", "/api/v1/uploads/"+answer.UploadId)
	}
	g.answers.Reply(w, r, http.StatusCreated, answer, err)
}

func (g *Gateway) beginUpload(r *http.Request) (*contract.UploadBegun, error) {
	body, err := openapi.Decode[contract.UploadRequest](r)
	if err != nil {
		return nil, err
	}
	if _, err := nameField("filename", body.Filename); err != nil {
		return nil, err
	}
	id, err := g.identify(r, nil)
	if err != nil {
		return nil, err
	}
	m := protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: body.Filename, Format: parseFormat(body.Format)}
	if body.OriginalSize != nil {
		m.OriginalSize = uint64(*body.OriginalSize)
	}
	if body.TotalPackets != nil {
		m.Total = uint32(*body.TotalPackets)
	}
	begun, err := ask(r.Context(), g.core, once, func(conn *client.Conn) (*protocol.UploadBegun, error) {
		return conn.BeginUpload(r.Context(), id, m)
	})
	if err != nil {
		return nil, err
	}
	hash := contract.UploadBegunOaepHash(hashName(begun.OAEPHash))
	return &contract.UploadBegun{
		UploadId: begun.Upload.String(), AesKeyEncrypted: base64.StdEncoding.EncodeToString(begun.WrappedKey),
		KeySize: len(begun.WrappedKey), OaepHash: &hash,
		MaxPacket: min(g.cfg.MaxPacket, int64(begun.MaxPacket)), Expires: begun.Expires,
	}, nil
}

// PutPacket takes a packet as bytes: PUT
// /api/v1/uploads/{upload_id}/packets/{n}.
func (g *Gateway) PutPacket(w http.ResponseWriter, r *http.Request, uploadID contract.PathUploadID, n int64, params contract.PutPacketParams) {
	answer, err := g.putPacket(r, uploadID, uint32(n), params.Last != nil && *params.Last)
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) putPacket(r *http.Request, uploadID string, number uint32, last bool) (*contract.PacketReceived, error) {
	ref, err := uploadRef(uploadID)
	if err != nil {
		return nil, err
	}
	id, err := g.identify(r, nil)
	if err != nil {
		return nil, err
	}
	limit := g.cfg.MaxPacket
	if r.ContentLength > limit {
		return nil, relay.TooLarge(limit)
	}
	if r.ContentLength >= 0 {
		limit = r.ContentLength
	}
	out := g.relay.Packet(r.Context(), id, relay.Identified{Upload: ref.Upload, Number: number, Last: last}, limit)
	defer g.close(r, out)
	if _, err := out.ReadFrom(r.Body); err != nil {
		return nil, err
	}
	state, err := out.Finish()
	if err != nil {
		return nil, err
	}
	return packetReceived(number, state), nil
}

// GetUpload tells how far an upload is: GET /api/v1/uploads/{upload_id}.
func (g *Gateway) GetUpload(w http.ResponseWriter, r *http.Request, uploadID contract.PathUploadID, _ contract.GetUploadParams) {
	answer, err := g.getUpload(r, uploadID)
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) getUpload(r *http.Request, uploadID string) (*contract.Upload, error) {
	ref, err := uploadRef(uploadID)
	if err != nil {
		return nil, err
	}
	id, err := g.identify(r, nil)
	if err != nil {
		return nil, err
	}
	state, err := ask(r.Context(), g.core, idempotent, func(conn *client.Conn) (*protocol.UploadState, error) {
		return conn.AskUpload(r.Context(), id, ref)
	})
	if err != nil {
		return nil, err
	}
	u := upload(state)
	list := awaiting(state)
	u.AwaitingPackets = &list
	return &u, nil
}

// CancelUpload drops an upload: DELETE /api/v1/uploads/{upload_id}.
func (g *Gateway) CancelUpload(w http.ResponseWriter, r *http.Request, uploadID contract.PathUploadID, _ contract.CancelUploadParams) {
	ref, err := uploadRef(uploadID)
	var id protocol.ClientID
	if err == nil {
		id, err = g.identify(r, nil)
	}
	if err == nil {
		err = g.core.do(r.Context(), once, func(conn *client.Conn) error {
			return conn.CancelUpload(r.Context(), id, ref)
		})
	}
	g.answers.Reply(w, r, http.StatusNoContent, nil, err)
}

// ListUploads lists unfinished uploads: GET /api/v1/uploads.
func (g *Gateway) ListUploads(w http.ResponseWriter, r *http.Request, _ contract.ListUploadsParams) {
	id, err := g.identify(r, nil)
	answer := contract.UploadList{Uploads: []contract.Upload{}}
	if err == nil {
		var list *protocol.UploadList
		list, err = ask(r.Context(), g.core, idempotent, func(conn *client.Conn) (*protocol.UploadList, error) {
			return conn.ListUploads(r.Context(), id)
		})
		if err == nil {
			for i := range list.Uploads {
				answer.Uploads = append(answer.Uploads, upload(&list.Uploads[i]))
			}
		}
	}
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func upload(state *protocol.UploadState) contract.Upload {
	left := int(state.AttemptsLeft)
	u := contract.Upload{
		UploadId: state.Upload.String(), Filename: state.Name, Complete: state.Complete,
		PacketsReceived: int64(state.Received), BytesReceived: int64(state.Bytes), AwaitingCount: int64(state.MissingCount),
		AttemptsLeft: &left, Created: state.Created, Expires: state.Expires,
	}
	if state.Total > 0 {
		total := int64(state.Total)
		u.TotalPackets = &total
	}
	if state.OriginalSize != protocol.UnknownSize {
		size := int64(state.OriginalSize)
		u.OriginalSize = &size
	}
	if state.Complete {
		sum := formatChecksum(state.Cksum)
		u.ServerCrc = &sum
	}
	return u
}

func uploadRef(uploadID string) (protocol.UploadRef, error) {
	ref := protocol.UploadRef{ByID: true}
	id, err := hex.DecodeString(uploadID)
	if err != nil || len(id) != len(ref.Upload) {
		return ref, problem.Field("upload_id", "not an upload id")
	}
	copy(ref.Upload[:], id)
	return ref, nil
}
