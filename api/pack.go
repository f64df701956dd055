package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"time"

	"coffer/api/contract"
	"coffer/api/relay"
	"coffer/internal/content"
	"coffer/internal/httpkit"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// AskPacks says which packs the server lacks: POST
// /api/v1/runs/{run_id}/packs/missing.
func (g *Gateway) AskPacks(w http.ResponseWriter, r *http.Request, runID contract.PathRunID, _ contract.AskPacksParams) {
	g.handleClient(w, r, http.StatusOK, func(ctx context.Context, id protocol.ClientID) (any, error) {
		var run protocol.RunID
		if err := parseID("run_id", runID, run[:]); err != nil {
			return nil, err
		}
		body, err := openapi.Decode[contract.PacksRequest](r)
		if err != nil {
			return nil, err
		}
		packs := make([]protocol.PackID, len(body.Packs))
		for i, text := range body.Packs {
			if err := parseID("packs", text, packs[i][:]); err != nil {
				return nil, err
			}
		}
		missing, err := g.core.AskPacks(ctx, id, run, packs)
		return packsMissing(missing), err
	})
}

func packsMissing(ids []protocol.PackID) contract.PacksMissing {
	answer := contract.PacksMissing{Missing: []contract.PackID{}}
	for _, id := range ids {
		answer.Missing = append(answer.Missing, formatID(id[:]))
	}
	return answer
}

// PutPack takes a pack: PUT /api/v1/packs/{pack_id}. It goes to the core once it
// is there whole, so that no connection waits for a slow caller.
func (g *Gateway) PutPack(w http.ResponseWriter, r *http.Request, packID contract.PathPackID, params contract.PutPackParams) {
	g.handleClient(w, r, http.StatusNoContent, func(ctx context.Context, id protocol.ClientID) (any, error) {
		var run protocol.RunID
		if err := parseID("run_id", params.RunId, run[:]); err != nil {
			return nil, err
		}
		var pack protocol.PackID
		if err := parseID("pack_id", packID, pack[:]); err != nil {
			return nil, err
		}
		sum := sha256.New()
		body, size, err := g.spool(r, id, protocol.MaxPack, sum)
		if body != nil {
			defer g.close(r, body)
		}
		switch {
		case err != nil:
			return nil, err
		case size == 0:
			return nil, problem.Field("body", "empty")
		case !bytes.Equal(sum.Sum(nil), pack[:]):
			return nil, problem.Field("pack_id", "not the SHA-256 of the body")
		}
		return nil, g.core.PutPack(ctx, id, run, pack, body, size)
	})
}

// spool takes in a body of at most limit bytes, of which sum learns, too. What it
// returns must be closed, if it is not nil.
func (g *Gateway) spool(r *http.Request, id protocol.ClientID, limit int64, sum io.Writer) (body *relay.Spool, size int64, err error) {
	if r.ContentLength > limit {
		return nil, 0, relay.TooLarge(limit)
	}
	body = g.relay.Spool(id, limit)
	if size, err = io.Copy(io.MultiWriter(body, sum), r.Body); err != nil {
		err = problem.OfBody(err)
	}
	return body, size, err
}

// GetPack sends a pack: GET /api/v1/packs/{pack_id}.
func (g *Gateway) GetPack(w http.ResponseWriter, r *http.Request, packID contract.PathPackID, _ contract.GetPackParams) {
	id, err := g.identify(r, nil)
	var pack protocol.PackID
	if err == nil {
		err = parseID("pack_id", packID, pack[:])
	}
	var size int64
	if err == nil {
		size, err = g.core.PackSize(r.Context(), id, pack)
	}
	if err != nil {
		g.answers.Fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", httpkit.TypeOctets)
	h.Set("ETag", `"`+packID+`"`)
	h.Set("Cache-Control", "private, max-age=31536000, immutable")
	content.Serve(w, r, time.Time{}, size, &remoteFile{size: size, read: func(offset int64, p []byte) error {
		return g.core.ReadPack(r.Context(), id, protocol.ReadPack{ID: pack, Offset: uint64(offset), Length: uint32(len(p))}, p)
	}}, func(status int) { g.answers.Fail(w, r, notServed(status)) })
}
