package api

import (
	"fmt"
	"net/http"
	"strconv"

	"coffer/api/contract"
	"coffer/client"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// VerifyFile confirms a file by its name: POST /api/v1/files/verify.
func (g *Gateway) VerifyFile(w http.ResponseWriter, r *http.Request, _ contract.VerifyFileParams) {
	body, err := openapi.Decode[contract.VerifyFileRequest](r)
	if err == nil {
		_, err = nameField("filename", body.Filename)
	}
	var answer *contract.Verified
	if err == nil {
		answer, err = g.verify(r, body.ClientId, body.ClientCrc, protocol.UploadRef{Name: body.Filename})
	}
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

// VerifyUpload confirms an upload by its id: POST
// /api/v1/uploads/{upload_id}/verify.
func (g *Gateway) VerifyUpload(w http.ResponseWriter, r *http.Request, uploadID contract.PathUploadID, _ contract.VerifyUploadParams) {
	body, err := openapi.Decode[contract.VerifyUploadRequest](r)
	var ref protocol.UploadRef
	if err == nil {
		ref, err = uploadRef(uploadID)
	}
	var answer *contract.Verified
	if err == nil {
		answer, err = g.verify(r, nil, body.ClientCrc, ref)
	}
	g.answers.Reply(w, r, http.StatusOK, answer, err)
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
	result, err := ask(r.Context(), g.core, once, func(conn *client.Conn) (*protocol.VerifyResult, error) {
		return conn.VerifyUpload(r.Context(), id, protocol.VerifyUpload{Cksum: sum, Ref: ref})
	})
	if err != nil {
		return nil, err
	}
	answer := &contract.Verified{ServerCrc: formatChecksum(result.Cksum), Verified: result.Verified, Status: contract.CrcMatch}
	if result.Verified {
		version := int64(result.Version)
		answer.Version = &version
		return answer, nil
	}
	left := int(result.AttemptsLeft)
	answer.Status, answer.AttemptsLeft = contract.CrcMismatch, &left
	return answer, nil
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
