package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"

	"coffer/api/contract"
	"coffer/api/relay"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// BeginUpload begins an upload: POST /api/v1/uploads.
func (g *Gateway) BeginUpload(w http.ResponseWriter, r *http.Request, _ contract.BeginUploadParams) {
	g.handleClient(w, r, http.StatusCreated, func(ctx context.Context, id protocol.ClientID) (any, error) {
		body, err := openapi.Decode[contract.UploadRequest](r)
		if err != nil {
			return nil, err
		}
		if _, err := nameField("filename", body.Filename); err != nil {
			return nil, err
		}
		m := protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: body.Filename, Format: parseFormat(body.Format)}
		if body.OriginalSize != nil {
			m.OriginalSize = uint64(*body.OriginalSize)
		}
		if body.TotalPackets != nil {
			m.Total = uint32(*body.TotalPackets)
		}
		begun, err := g.core.BeginUpload(ctx, id, m)
		if err != nil {
			return nil, err
		}
		w.Header().Set("Location", "/api/v1/uploads/"+begun.Upload.String())
		hash := contract.UploadBegunOaepHash(hashName(begun.OAEPHash))
		return contract.UploadBegun{
			UploadId: begun.Upload.String(), AesKeyEncrypted: base64.StdEncoding.EncodeToString(begun.WrappedKey),
			KeySize: len(begun.WrappedKey), OaepHash: &hash,
			MaxPacket: min(g.cfg.MaxPacket, int64(begun.MaxPacket)), Expires: begun.Expires,
		}, nil
	})
}

// PutPacket takes a packet as bytes: PUT
// /api/v1/uploads/{upload_id}/packets/{n}.
func (g *Gateway) PutPacket(w http.ResponseWriter, r *http.Request, uploadID contract.PathUploadID, n int64, params contract.PutPacketParams) {
	g.handleClient(w, r, http.StatusOK, func(ctx context.Context, id protocol.ClientID) (any, error) {
		ref, err := uploadRef(uploadID)
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
		m := relay.Identified{Upload: ref.Upload, Number: uint32(n), Last: params.Last != nil && *params.Last}
		out := g.relay.Packet(ctx, id, m, limit)
		defer g.close(r, out)
		if _, err := out.ReadFrom(r.Body); err != nil {
			return nil, err
		}
		return received(m.Number, out)
	})
}

// GetUpload describes how far an upload is: GET /api/v1/uploads/{upload_id}.
func (g *Gateway) GetUpload(w http.ResponseWriter, r *http.Request, uploadID contract.PathUploadID, _ contract.GetUploadParams) {
	g.handleClient(w, r, http.StatusOK, func(ctx context.Context, id protocol.ClientID) (any, error) {
		ref, err := uploadRef(uploadID)
		if err != nil {
			return nil, err
		}
		state, err := g.core.GetUpload(ctx, id, ref)
		if err != nil {
			return nil, err
		}
		u := upload(state)
		list := awaiting(state)
		u.AwaitingPackets = &list
		return u, nil
	})
}

// CancelUpload drops an upload: DELETE /api/v1/uploads/{upload_id}.
func (g *Gateway) CancelUpload(w http.ResponseWriter, r *http.Request, uploadID contract.PathUploadID, _ contract.CancelUploadParams) {
	g.handleClient(w, r, http.StatusNoContent, func(ctx context.Context, id protocol.ClientID) (any, error) {
		ref, err := uploadRef(uploadID)
		if err != nil {
			return nil, err
		}
		return nil, g.core.CancelUpload(ctx, id, ref)
	})
}

// ListUploads lists unfinished uploads: GET /api/v1/uploads.
func (g *Gateway) ListUploads(w http.ResponseWriter, r *http.Request, _ contract.ListUploadsParams) {
	g.handleClient(w, r, http.StatusOK, func(ctx context.Context, id protocol.ClientID) (any, error) {
		list, err := g.core.ListUploads(ctx, id)
		if err != nil {
			return nil, err
		}
		answer := contract.UploadList{Uploads: []contract.Upload{}}
		for i := range list.Uploads {
			answer.Uploads = append(answer.Uploads, upload(&list.Uploads[i]))
		}
		return answer, nil
	})
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
