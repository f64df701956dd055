package console

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"coffer/console/contract"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
	"coffer/server/admin"
	"coffer/store"
)

// ListClients lists clients: GET /api/clients.
func (c *Console) ListClients(w http.ResponseWriter, r *http.Request, params contract.ListClientsParams) {
	list, total, err := c.core.Clients(r.Context(), store.ClientQuery{Search: value(params.Search, ""),
		Sort: store.ClientSort(value(params.Sort, "")), Descending: value(params.Descending, false),
		Offset: value(params.Offset, 0), Limit: value(params.Limit, 50)})
	c.answers.Reply(w, r, http.StatusOK, contract.ClientList{Clients: clients(list), Total: total}, err)
}

func clients(list []admin.ClientInfo) []contract.Client {
	answer := make([]contract.Client, 0, len(list))
	for _, one := range list {
		answer = append(answer, client(one))
	}
	return answer
}

func client(m admin.ClientInfo) contract.Client {
	answer := contract.Client{Name: m.Name, LooksLike: nonZero(m.LooksLike), Fingerprint: m.Fingerprint, Kind: m.Kind, Created: m.Created.UTC(), LastSeen: m.LastSeen.UTC(),
		Suspended: m.Suspended, BaseOpen: m.BaseOpen, Session: m.InSession, SessionEnds: when(m.SessionEnds), Uploads: m.Uploads, KeyBits: m.KeyBits,
		Files: m.Files, Versions: m.Versions, Verified: m.Verified, Bytes: m.Bytes}
	if m.KeyBits > 0 {
		answer.KeyKind, answer.OaepHash = "RSA", m.OAEPHash
	}
	return answer
}

// GetClient describes a client: GET /api/clients/{name}.
func (c *Console) GetClient(w http.ResponseWriter, r *http.Request, name contract.Name) {
	one, err := c.core.Client(r.Context(), openapi.Unescape(name))
	c.answers.Reply(w, r, http.StatusOK, client(one), err)
}

// RemoveClient removes a client with all its files: DELETE /api/clients/{name}.
func (c *Console) RemoveClient(w http.ResponseWriter, r *http.Request, name contract.Name, params contract.RemoveClientParams) {
	plain := openapi.Unescape(name)
	if params.Confirm != plain {
		c.answers.Fail(w, r, problem.Field("confirm", "is not the client's name"))
		return
	}
	c.answers.Reply(w, r, http.StatusNoContent, nil, c.core.RemoveClient(r.Context(), plain))
}

// EndSession ends a client's session: POST /api/clients/{name}/end-session.
func (c *Console) EndSession(w http.ResponseWriter, r *http.Request, name contract.Name, _ contract.EndSessionParams) {
	c.answers.Reply(w, r, http.StatusNoContent, nil, c.core.EndSession(r.Context(), openapi.Unescape(name)))
}

// SuspendClient has a client refused: POST /api/clients/{name}/suspend.
func (c *Console) SuspendClient(w http.ResponseWriter, r *http.Request, name contract.Name, _ contract.SuspendClientParams) {
	c.answers.Reply(w, r, http.StatusNoContent, nil, c.core.SuspendClient(r.Context(), openapi.Unescape(name)))
}

// ResumeClient has a client served again: POST /api/clients/{name}/resume.
func (c *Console) ResumeClient(w http.ResponseWriter, r *http.Request, name contract.Name, _ contract.ResumeClientParams) {
	c.answers.Reply(w, r, http.StatusNoContent, nil, c.core.ResumeClient(r.Context(), openapi.Unescape(name)))
}

// OpenBase has a client's base requests taken: POST
// /api/clients/{name}/open-base.
func (c *Console) OpenBase(w http.ResponseWriter, r *http.Request, name contract.Name, _ contract.OpenBaseParams) {
	c.answers.Reply(w, r, http.StatusNoContent, nil, c.core.SetBaseAccess(r.Context(), openapi.Unescape(name), true))
}

// CloseBase has a client's base requests refused: POST
// /api/clients/{name}/close-base.
func (c *Console) CloseBase(w http.ResponseWriter, r *http.Request, name contract.Name, _ contract.CloseBaseParams) {
	c.answers.Reply(w, r, http.StatusNoContent, nil, c.core.SetBaseAccess(r.Context(), openapi.Unescape(name), false))
}

// ListFiles lists a client's file versions: GET /api/clients/{name}/files.
func (c *Console) ListFiles(w http.ResponseWriter, r *http.Request, name contract.Name, params contract.ListFilesParams) {
	after, err := parseCursor(value(params.After, ""))
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	limit := value(params.Limit, 100)
	list, err := c.core.Versions(r.Context(), openapi.Unescape(name), after, limit)
	answer := contract.FileList{Files: make([]contract.FileVersion, 0, len(list))}
	for _, v := range list {
		answer.Files = append(answer.Files, contract.FileVersion{Name: v.Name, Version: int64(v.Number), Bytes: v.Size, OriginalBytes: v.OriginalSize,
			Format: format(protocol.Format(v.Format)), Verified: v.Verified, Created: v.Created.UTC(),
			Checksum: fmt.Sprintf("0x%08x", v.Cksum), Sha256: hex.EncodeToString(v.SHA256[:])})
	}
	if len(list) == limit {
		last := list[len(list)-1]
		answer.Next = nonZero(formatCursor(store.Cursor{Name: last.Name, Number: last.Number}))
	}
	c.answers.Reply(w, r, http.StatusOK, answer, err)
}

// format returns the contract's name for a format of the wire.
func format(f protocol.Format) contract.Format {
	switch f {
	case protocol.FormatFile:
		return contract.FormatFile
	case protocol.FormatSealedFile:
		return contract.FormatSealedFile
	case protocol.FormatFolder:
		return contract.FormatFolder
	case protocol.FormatSealedFolder:
		return contract.FormatSealedFolder
	case protocol.FormatSnapshot:
		return contract.FormatSnapshot
	}
	return contract.FormatUnknown
}

// formatCursor writes where a page ends so that it fits into a query.
func formatCursor(at store.Cursor) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatUint(uint64(at.Number), 10) + ":" + at.Name))
}

// parseCursor reads what formatCursor wrote; nothing is the beginning.
func parseCursor(text string) (at store.Cursor, err error) {
	if text == "" {
		return at, nil
	}
	plain, err := base64.RawURLEncoding.DecodeString(text)
	number, name, found := strings.Cut(string(plain), ":")
	n, numberErr := strconv.ParseUint(number, 10, 32)
	if err != nil || numberErr != nil || !found || protocol.CheckName(name) != nil {
		return at, problem.Field("after", "not the next of a page")
	}
	return store.Cursor{Name: name, Number: uint32(n)}, nil
}
