package api

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"coffer/api/contract"
	"coffer/client"
	"coffer/internal/httpkit"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// SendPublicKey brings the public key: POST /api/v1/keys/public.
func (g *Gateway) SendPublicKey(w http.ResponseWriter, r *http.Request, _ contract.SendPublicKeyParams) {
	answer, err := g.sendPublicKey(r)
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) sendPublicKey(r *http.Request) (*contract.SessionKey, error) {
	body, err := openapi.Decode[contract.PublicKeyRequest](r)
	if err != nil {
		return nil, err
	}
	der, err := base64.StdEncoding.DecodeString(body.PublicKeyDer)
	if err != nil {
		return nil, problem.Field("public_key_der", "not base64")
	}
	if len(der) > 4<<10 {
		return nil, problem.Field("public_key_der", "longer than 4096 bytes")
	}
	id, err := g.identify(r, body.ClientId)
	if err != nil {
		return nil, err
	}
	m, err := g.publicKey(r, der, body.Password)
	if err != nil {
		return nil, err
	}
	issued, err := ask(r.Context(), g.core, once, func(conn *client.Conn) (*protocol.SessionKeyIssued, error) {
		return conn.SetPublicKey(r.Context(), id, m)
	})
	if err != nil && callerIn(r).proof == byPassword && !m.Replace && strings.HasPrefix(err.Error(), "another public key") {
		return nil, &problem.Problem{Kind: problem.SignInAgain, Detail: "another public key is on record: to replace it, sign in again, or give the password", Cause: err}
	}
	if client.IsStatus(err, protocol.StatusInvalid) {
		return nil, &problem.Problem{Kind: problem.Invalid, Detail: "public_key_der: " + err.Error(), Cause: err}
	}
	return sessionKey(issued), err
}

// publicKey says whether the key may take the place of another: for an account
// that is signed in with its password, if its owner is there.
func (g *Gateway) publicKey(r *http.Request, der []byte, password *string) (protocol.SetPublicKey, error) {
	m := protocol.SetPublicKey{DER: der}
	if callerIn(r).proof != byPassword {
		return m, nil
	}
	given := ""
	if password != nil {
		given = *password
	}
	err := g.confirm(r, "password", given)
	var p *problem.Problem
	if errors.As(err, &p) && p.Kind == problem.SignInAgain {
		return m, nil // the first key, and the same again, need no more
	}
	m.Replace = err == nil
	return m, err
}

// NewSessionKey gets a fresh session key: POST /api/v1/keys/session.
func (g *Gateway) NewSessionKey(w http.ResponseWriter, r *http.Request, _ contract.NewSessionKeyParams) {
	answer, err := g.newSessionKey(r)
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) newSessionKey(r *http.Request) (*contract.SessionKey, error) {
	body, err := openapi.Decode[contract.SessionKeyRequest](r)
	if err != nil {
		return nil, err
	}
	id, err := g.identify(r, body.ClientId)
	if err != nil {
		return nil, err
	}
	issued, err := ask(r.Context(), g.core, idempotent, func(conn *client.Conn) (*protocol.SessionKeyIssued, error) {
		return conn.NewSession(r.Context(), id)
	})
	return sessionKey(issued), err
}

func sessionKey(m *protocol.SessionKeyIssued) *contract.SessionKey {
	if m == nil {
		return nil
	}
	hash := contract.SessionKeyOaepHash(hashName(m.OAEPHash))
	return &contract.SessionKey{AesKeyEncrypted: base64.StdEncoding.EncodeToString(m.WrappedKey), KeySize: len(m.WrappedKey), OaepHash: &hash}
}

func hashName(hash uint8) string {
	if hash == protocol.OAEPSHA1 {
		return "sha1"
	}
	return "sha256"
}

// GetKeyBundle returns the key bundle: GET /api/v1/keys/bundle.
func (g *Gateway) GetKeyBundle(w http.ResponseWriter, r *http.Request, _ contract.GetKeyBundleParams) {
	id, err := g.identify(r, nil)
	var bundle []byte
	if err == nil {
		bundle, err = ask(r.Context(), g.core, idempotent, func(conn *client.Conn) ([]byte, error) {
			return conn.GetKeyBundle(r.Context(), id)
		})
	}
	if err != nil {
		g.answers.Fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", httpkit.TypeOctets)
	if _, err := w.Write(bundle); err != nil {
		g.log.Debug("an answer did not reach its caller", requestAttr(r))
	}
}

// PutKeyBundle replaces the key bundle: PUT /api/v1/keys/bundle.
func (g *Gateway) PutKeyBundle(w http.ResponseWriter, r *http.Request, params contract.PutKeyBundleParams) {
	g.answers.Reply(w, r, http.StatusNoContent, nil, g.putKeyBundle(w, r, params.XPassword))
}

func (g *Gateway) putKeyBundle(w http.ResponseWriter, r *http.Request, encoded *string) error {
	id, err := g.identify(r, nil)
	if err != nil {
		return err
	}
	var password []byte
	if encoded != nil {
		if password, err = base64.StdEncoding.DecodeString(*encoded); err != nil || !utf8.Valid(password) {
			return problem.Field(headerPassword, "not base64 of UTF-8")
		}
	}
	if err := g.confirm(r, headerPassword, string(password)); err != nil {
		return err
	}
	bundle, err := io.ReadAll(http.MaxBytesReader(w, r.Body, protocol.MaxKeyBundle))
	if err != nil {
		return problem.OfBody(err)
	}
	if len(bundle) == 0 {
		return &problem.Problem{Kind: problem.Invalid, Detail: "body: empty", Cause: errors.New("no bundle")}
	}
	return g.core.do(r.Context(), idempotent, func(conn *client.Conn) error {
		return conn.PutKeyBundle(r.Context(), id, bundle)
	})
}
