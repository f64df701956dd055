package api

import (
	"context"
	"encoding/base64"
	"net/http"

	"coffer/api/contract"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// BeginRun begins a run: POST /api/v1/runs.
func (g *Gateway) BeginRun(w http.ResponseWriter, r *http.Request, _ contract.BeginRunParams) {
	g.handleClient(w, r, http.StatusCreated, func(ctx context.Context, id protocol.ClientID) (any, error) {
		body, err := openapi.Decode[contract.RunRequest](r)
		if err != nil {
			return nil, err
		}
		m := protocol.BeginRun{Name: body.Name}
		if err := parseID("run_id", body.RunId, m.Run[:]); err != nil {
			return nil, err
		}
		if body.Base != nil {
			m.Base = uint32(*body.Base)
		}
		begun, err := g.core.BeginRun(ctx, id, m)
		if err != nil {
			return nil, err
		}
		w.Header().Set("Location", "/api/v1/runs/"+body.RunId)
		return contract.RunBegun{Newest: int64(begun.Newest), RunSeconds: int64(begun.TTL.Seconds()), MaxPack: int64(begun.MaxPack)}, nil
	})
}

// ListRuns lists unfinished runs: GET /api/v1/runs.
func (g *Gateway) ListRuns(w http.ResponseWriter, r *http.Request, _ contract.ListRunsParams) {
	g.handleClient(w, r, http.StatusOK, func(ctx context.Context, id protocol.ClientID) (any, error) {
		runs, err := g.core.ListRuns(ctx, id)
		if err != nil {
			return nil, err
		}
		answer := contract.RunList{Runs: []contract.Run{}}
		for _, run := range runs {
			answer.Runs = append(answer.Runs, contract.Run{RunId: formatID(run.Run[:]), Name: run.Name, Base: int64(run.Base),
				Packs: int64(run.Packs), Bytes: int64(run.Bytes), Begun: run.Begun, Seen: run.Seen})
		}
		return answer, nil
	})
}

// EndRun ends a run without a snapshot: DELETE /api/v1/runs/{run_id}.
func (g *Gateway) EndRun(w http.ResponseWriter, r *http.Request, runID contract.PathRunID, _ contract.EndRunParams) {
	g.handleClient(w, r, http.StatusNoContent, func(ctx context.Context, id protocol.ClientID) (any, error) {
		var run protocol.RunID
		if err := parseID("run_id", runID, run[:]); err != nil {
			return nil, err
		}
		return nil, g.core.EndRun(ctx, id, run)
	})
}

// formatID writes the id of a run or a pack.
func formatID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// parseID reads what formatID wrote.
func parseID(field, text string, id []byte) error {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(id) {
		return problem.Field(field, "not base64url of the right length, without padding")
	}
	copy(id, b)
	return nil
}
