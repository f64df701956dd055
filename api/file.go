package api

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"

	"coffer/api/contract"
	"coffer/client"
	"coffer/internal/content"
	"coffer/protocol"
)

const defaultPage = 100

// ListFiles lists files, newest version each: GET /api/v1/files.
func (g *Gateway) ListFiles(w http.ResponseWriter, r *http.Request, params contract.ListFilesParams) {
	answer, err := g.listFiles(r, params)
	if err == nil && answer.Next != nil {
		w.Header().Set("Link", "<"+*answer.Next+`>; rel="next"`)
	}
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) listFiles(r *http.Request, params contract.ListFilesParams) (*contract.FileList, error) {
	id, err := g.identify(r, nil)
	if err != nil {
		return nil, err
	}
	m := protocol.ListFiles{Limit: defaultPage}
	if params.Limit != nil {
		m.Limit = uint16(*params.Limit)
	}
	if params.After != nil {
		m.AfterName = *params.After
	}
	list, err := g.page(r, id, m)
	if err != nil {
		return nil, err
	}
	answer := &contract.FileList{Files: files(list.Files)}
	if list.More && len(list.Files) > 0 {
		next := "/api/v1/files?" + url.Values{
			"after": {list.Files[len(list.Files)-1].Name}, "limit": {strconv.Itoa(int(m.Limit))},
		}.Encode()
		answer.Next = &next
	}
	return answer, nil
}

func (g *Gateway) page(r *http.Request, id protocol.ClientID, m protocol.ListFiles) (*protocol.FileList, error) {
	return ask(r.Context(), g.core, idempotent, func(conn *client.Conn) (*protocol.FileList, error) {
		return conn.ListFiles(r.Context(), id, m)
	})
}

// GetFile describes a file: GET /api/v1/files/{filename}.
func (g *Gateway) GetFile(w http.ResponseWriter, r *http.Request, filename contract.PathFilename, params contract.GetFileParams) {
	answer, err := g.getFile(r, filename, params.Version)
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) getFile(r *http.Request, filename string, version *contract.Version) (*contract.FileDetails, error) {
	id, err := g.identify(r, nil)
	if err != nil {
		return nil, err
	}
	info, err := g.fileInfo(r, id, filename, version)
	if err != nil {
		return nil, err
	}
	versions, err := g.page(r, id, protocol.ListFiles{Limit: protocol.MaxListFiles, Only: filename})
	if err != nil {
		return nil, err
	}
	hash := contract.FileDetailsOaepHash(hashName(info.OAEPHash))
	return &contract.FileDetails{
		File: file(info.FileEntry), Versions: files(versions.Files),
		AesKeyEncrypted: base64.StdEncoding.EncodeToString(info.WrappedKey), KeySize: len(info.WrappedKey), OaepHash: &hash,
		KeyFingerprint: hex.EncodeToString(info.KeyFingerprint[:]),
	}, nil
}

func (g *Gateway) fileInfo(r *http.Request, id protocol.ClientID, filename string, version *contract.Version) (*protocol.FileInfo, error) {
	if _, err := nameField("filename", filename); err != nil {
		return nil, err
	}
	return ask(r.Context(), g.core, idempotent, func(conn *client.Conn) (*protocol.FileInfo, error) {
		return conn.AskFile(r.Context(), id, filename, number(version))
	})
}

// DeleteFile removes a version of a file, or all: DELETE
// /api/v1/files/{filename}.
func (g *Gateway) DeleteFile(w http.ResponseWriter, r *http.Request, filename contract.PathFilename, params contract.DeleteFileParams) {
	id, err := g.identify(r, nil)
	if err == nil {
		_, err = nameField("filename", filename)
	}
	if err == nil && conditional(r) {
		err = g.checkPrecondition(r, id, filename, params.Version)
	}
	if err == nil {
		err = g.core.do(r.Context(), once, func(conn *client.Conn) error {
			return conn.DeleteFile(r.Context(), id, filename, number(params.Version))
		})
	}
	g.answers.Reply(w, r, http.StatusNoContent, nil, err)
}

// conditional reports whether a request is to be served only if what is there
// is what its caller takes it for.
func conditional(r *http.Request) bool {
	return r.Header.Get("If-Match")+r.Header.Get("If-None-Match")+r.Header.Get("If-Unmodified-Since") != ""
}

// checkPrecondition holds a request against the version that it is about, or
// the newest.
func (g *Gateway) checkPrecondition(r *http.Request, id protocol.ClientID, filename string, version *contract.Version) error {
	info, err := g.fileInfo(r, id, filename, version)
	if err == nil && !content.Met(r, etag(info), info.Created) {
		err = notMet()
	}
	return err
}

// number is the version's number, 0 where none was given.
func number(version *contract.Version) uint32 {
	if version == nil {
		return 0
	}
	return uint32(*version)
}

func files(entries []protocol.FileEntry) []contract.File {
	list := make([]contract.File, 0, len(entries))
	for _, entry := range entries {
		list = append(list, file(entry))
	}
	return list
}

func file(e protocol.FileEntry) contract.File {
	return contract.File{
		Filename: e.Name, Version: int64(e.Version), Size: int64(e.Size), OriginalSize: int64(e.OriginalSize),
		Crc: formatChecksum(e.Cksum), Sha256: hex.EncodeToString(e.SHA256[:]), Format: formatName(e.Format),
		Verified: e.Verified, Created: e.Created,
	}
}
