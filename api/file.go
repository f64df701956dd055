package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"

	"coffer/api/contract"
	"coffer/internal/content"
	"coffer/protocol"
)

const defaultPage = 100

// ListFiles lists files, newest version each: GET /api/v1/files.
func (g *Gateway) ListFiles(w http.ResponseWriter, r *http.Request, params contract.ListFilesParams) {
	g.handleClient(w, r, http.StatusOK, func(ctx context.Context, id protocol.ClientID) (any, error) {
		m := protocol.ListFiles{Limit: defaultPage}
		if params.Limit != nil {
			m.Limit = uint16(*params.Limit)
		}
		if params.After != nil {
			m.AfterName = *params.After
		}
		list, err := g.core.ListFiles(ctx, id, m)
		if err != nil {
			return nil, err
		}
		answer := contract.FileList{Files: files(list.Files)}
		if list.More && len(list.Files) > 0 {
			next := "/api/v1/files?" + url.Values{
				"after": {list.Files[len(list.Files)-1].Name}, "limit": {strconv.Itoa(int(m.Limit))},
			}.Encode()
			answer.Next = &next
			w.Header().Set("Link", "<"+next+`>; rel="next"`)
		}
		return answer, nil
	})
}

// GetFile describes a file: GET /api/v1/files/{filename}.
func (g *Gateway) GetFile(w http.ResponseWriter, r *http.Request, filename contract.PathFilename, params contract.GetFileParams) {
	g.handleClient(w, r, http.StatusOK, func(ctx context.Context, id protocol.ClientID) (any, error) {
		info, err := g.fileInfo(ctx, id, filename, params.Version)
		if err != nil {
			return nil, err
		}
		versions, err := g.core.ListFiles(ctx, id, protocol.ListFiles{Limit: protocol.MaxListFiles, Only: filename})
		if err != nil {
			return nil, err
		}
		hash := contract.FileDetailsOaepHash(hashName(info.OAEPHash))
		return contract.FileDetails{
			File: file(info.FileEntry), Versions: files(versions.Files),
			AesKeyEncrypted: base64.StdEncoding.EncodeToString(info.WrappedKey), KeySize: len(info.WrappedKey), OaepHash: &hash,
			KeyFingerprint: hex.EncodeToString(info.KeyFingerprint[:]),
		}, nil
	})
}

// fileInfo describes a version of a file, or the newest.
func (g *Gateway) fileInfo(ctx context.Context, id protocol.ClientID, filename string, version *contract.Version) (*protocol.FileInfo, error) {
	if _, err := nameField("filename", filename); err != nil {
		return nil, err
	}
	return g.core.GetFile(ctx, id, filename, number(version))
}

// DeleteFile removes a version of a file, or all: DELETE
// /api/v1/files/{filename}.
func (g *Gateway) DeleteFile(w http.ResponseWriter, r *http.Request, filename contract.PathFilename, params contract.DeleteFileParams) {
	g.handleClient(w, r, http.StatusNoContent, func(ctx context.Context, id protocol.ClientID) (any, error) {
		if _, err := nameField("filename", filename); err != nil {
			return nil, err
		}
		if conditional(r) {
			info, err := g.fileInfo(ctx, id, filename, params.Version)
			if err != nil {
				return nil, err
			}
			if !content.Met(r, etag(info), info.Created) {
				return nil, notMet()
			}
		}
		return nil, g.core.DeleteFile(ctx, id, filename, number(params.Version))
	})
}

// conditional reports whether a request is to be served only if what is there
// is what its caller takes it for.
func conditional(r *http.Request) bool {
	return r.Header.Get("If-Match")+r.Header.Get("If-None-Match")+r.Header.Get("If-Unmodified-Since") != ""
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
