package api

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"coffer/api/contract"
	"coffer/internal/problem"
	"coffer/protocol"
)

// CommitSnapshot commits a snapshot: POST /api/v1/snapshots.
func (g *Gateway) CommitSnapshot(w http.ResponseWriter, r *http.Request, params contract.CommitSnapshotParams) {
	id, err := g.identify(r, nil)
	var version uint32
	var missing []protocol.PackID
	if err == nil {
		version, missing, err = g.commit(r, id, params)
	}
	switch {
	case err != nil:
		g.answers.Fail(w, r, err)
	case len(missing) > 0:
		g.answers.Reply(w, r, http.StatusOK, packsMissing(missing), nil)
	default:
		g.answers.Reply(w, r, http.StatusCreated, contract.SnapshotCommitted{Version: int64(version)}, nil)
	}
}

func (g *Gateway) commit(r *http.Request, id protocol.ClientID, params contract.CommitSnapshotParams) (version uint32, missing []protocol.PackID, err error) {
	m := &protocol.CommitSnapshot{
		Before: uint32(given(params.Before)), Base: uint32(given(params.Base)), NameSize: uint16(len(params.Name)),
		HeadSize: uint16(given(params.HeadSize)), Added: uint32(given(params.Added)), Dropped: uint32(given(params.Dropped)),
	}
	if err := parseID("run_id", params.RunId, m.Run[:]); err != nil {
		return 0, nil, err
	}
	before := int64(m.ContentSize()) - int64(m.NameSize) // of the manifest, in the body
	body, size, err := g.spool(r, id, before+protocol.MaxManifest, io.Discard)
	if body != nil {
		defer g.close(r, body)
	}
	switch {
	case err != nil:
		return 0, nil, err
	case size <= before:
		return 0, nil, problem.Field("body", "ends before the manifest: head_size, added and dropped determine what precedes it")
	}
	m.ManifestSize = uint32(size - before)
	return g.core.CommitSnapshot(r.Context(), id, m, params.Name, body)
}

// given is a parameter's value, 0 where there is none.
func given[T int | int64](value *T) T {
	if value == nil {
		return 0
	}
	return *value
}

// ListSnapshots lists snapshots: GET /api/v1/snapshots.
func (g *Gateway) ListSnapshots(w http.ResponseWriter, r *http.Request, params contract.ListSnapshotsParams) {
	g.handleClient(w, r, http.StatusOK, func(ctx context.Context, id protocol.ClientID) (any, error) {
		m := protocol.ListSnapshots{Limit: defaultPage, AllVersions: params.All != nil && *params.All, AfterVersion: uint32(given(params.AfterVersion))}
		if params.Limit != nil {
			m.Limit = uint16(*params.Limit)
		}
		if params.After != nil {
			m.AfterName = *params.After
		}
		if params.Only != nil {
			m.Only = *params.Only
		}
		list, err := g.core.ListSnapshots(ctx, id, m)
		if err != nil {
			return nil, err
		}
		answer := contract.SnapshotList{Snapshots: []contract.Snapshot{}}
		for _, s := range list.Snapshots {
			answer.Snapshots = append(answer.Snapshots, contract.Snapshot{File: file(s.FileEntry), RunId: formatID(s.Run[:]),
				Head: base64.StdEncoding.EncodeToString(s.Head), Packs: int64(s.Packs), Bytes: int64(s.Bytes), Damaged: int64(s.Damaged), Mends: int64(s.Mends)})
		}
		if list.More && len(list.Snapshots) > 0 {
			last := list.Snapshots[len(list.Snapshots)-1]
			next := "/api/v1/snapshots?" + url.Values{
				"after": {last.Name}, "after_version": {strconv.Itoa(int(last.Version))}, "limit": {strconv.Itoa(int(m.Limit))},
				"all": {strconv.FormatBool(m.AllVersions)},
			}.Encode()
			if m.Only != "" {
				next += "&" + url.Values{"only": {m.Only}}.Encode()
			}
			answer.Next = &next
			w.Header().Set("Link", "<"+next+`>; rel="next"`)
		}
		return answer, nil
	})
}
