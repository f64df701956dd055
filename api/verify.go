package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"coffer/api/contract"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// VerifyFile confirms a file by its name: POST /api/v1/files/verify.
func (g *Gateway) VerifyFile(w http.ResponseWriter, r *http.Request, _ contract.VerifyFileParams) {
	g.handle(w, r, http.StatusOK, func(context.Context) (any, error) {
		body, err := openapi.Decode[contract.VerifyFileRequest](r)
		if err != nil {
			return nil, err
		}
		if _, err := nameField("filename", body.Filename); err != nil {
			return nil, err
		}
		return g.verify(r, body.ClientId, body.ClientCrc, protocol.UploadRef{Name: body.Filename})
	})
}

// VerifyUpload confirms an upload by its id: POST
// /api/v1/uploads/{upload_id}/verify.
func (g *Gateway) VerifyUpload(w http.ResponseWriter, r *http.Request, uploadID contract.PathUploadID, _ contract.VerifyUploadParams) {
	g.handle(w, r, http.StatusOK, func(context.Context) (any, error) {
		body, err := openapi.Decode[contract.VerifyUploadRequest](r)
		if err != nil {
			return nil, err
		}
		ref, err := uploadRef(uploadID)
		if err != nil {
			return nil, err
		}
		return g.verify(r, nil, body.ClientCrc, ref)
	})
}

func (g *Gateway) verify(r *http.Request, inBody *contract.ClientID, checksum string, ref protocol.UploadRef) (*contract.Verified, error) {
	sum, err := parseChecksum("client_crc", checksum)
	if err != nil {
		return nil, err
	}
	id, err := g.identify(r, inBody)
	if err != nil {
		return nil, err
	}
	result, err := g.core.VerifyUpload(r.Context(), id, protocol.VerifyUpload{Cksum: sum, Ref: ref})
	if err != nil {
		return nil, err
	}
	if result.Verified {
		return &contract.Verified{ServerCrc: formatChecksum(result.Cksum), Verified: true, Status: contract.CrcMatch, Version: new(int64(result.Version))}, nil
	}
	return &contract.Verified{ServerCrc: formatChecksum(result.Cksum), Status: contract.CrcMismatch, AttemptsLeft: new(int(result.AttemptsLeft))}, nil
}

// parseChecksum reads a checksum in hexadecimal, with 0x before it, or in
// decimal.
func parseChecksum(field, text string) (uint32, error) {
	base, digits := 10, text
	if len(text) > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') {
		base, digits = 16, text[2:]
	}
	sum, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, problem.Field(field, "not a 32-bit checksum in hexadecimal (0x...) or decimal")
	}
	return uint32(sum), nil
}

func formatChecksum(sum uint32) string { return fmt.Sprintf("0x%08x", sum) }
