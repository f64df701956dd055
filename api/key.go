package api

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"

	"coffer/client"
	"coffer/protocol"
)

// SendPublicKey brings the public key: POST /api/v1/keys/public.
func (g *Gateway) SendPublicKey(w http.ResponseWriter, r *http.Request, _ SendPublicKeyParams) {
	answer, err := g.sendPublicKey(r)
	g.reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) sendPublicKey(r *http.Request) (*SessionKey, error) {
	body, err := decode[PublicKeyRequest](r)
	if err != nil {
		return nil, err
	}
	der, err := base64.StdEncoding.DecodeString(body.PublicKeyDer)
	if err != nil {
		return nil, invalid("public_key_der", "not base64")
	}
	if len(der) > 4<<10 {
		return nil, invalid("public_key_der", "longer than 4096 bytes")
	}
	id, err := g.identify(r, body.ClientId)
	if err != nil {
		return nil, err
	}
	m := protocol.SetPublicKey{Replace: callerIn(r).proof == byPassword, DER: der}
	issued, err := ask(r.Context(), g.core, once, func(conn *client.Conn) (*protocol.SessionKeyIssued, error) {
		return conn.SetPublicKey(r.Context(), id, m)
	})
	if client.IsStatus(err, protocol.StatusInvalid) {
		return nil, &problem{kind: kindInvalid, message: "public_key_der: " + err.Error(), cause: err}
	}
	return sessionKey(issued), err
}

// NewSessionKey gets a fresh session key: POST /api/v1/keys/session.
func (g *Gateway) NewSessionKey(w http.ResponseWriter, r *http.Request, _ NewSessionKeyParams) {
	answer, err := g.newSessionKey(r)
	g.reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) newSessionKey(r *http.Request) (*SessionKey, error) {
	body, err := decode[SessionKeyRequest](r)
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

func sessionKey(m *protocol.SessionKeyIssued) *SessionKey {
	if m == nil {
		return nil
	}
	hash := SessionKeyOaepHash(hashName(m.OAEPHash))
	return &SessionKey{AesKeyEncrypted: base64.StdEncoding.EncodeToString(m.WrappedKey), KeySize: len(m.WrappedKey), OaepHash: &hash}
}

func hashName(hash uint8) string {
	if hash == protocol.OAEPSHA1 {
		return "sha1"
	}
	return "sha256"
}

// GetKeyBundle returns the key bundle: GET /api/v1/keys/bundle.
func (g *Gateway) GetKeyBundle(w http.ResponseWriter, r *http.Request, _ GetKeyBundleParams) {
	id, err := g.identify(r, nil)
	var bundle []byte
	if err == nil {
		bundle, err = ask(r.Context(), g.core, idempotent, func(conn *client.Conn) ([]byte, error) {
			return conn.GetKeyBundle(r.Context(), id)
		})
	}
	if err != nil {
		g.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", typeOctets)
	if _, err := w.Write(bundle); err != nil {
		g.log.Debug("an answer did not reach its caller", requestAttr(r))
	}
}

// PutKeyBundle replaces the key bundle: PUT /api/v1/keys/bundle.
func (g *Gateway) PutKeyBundle(w http.ResponseWriter, r *http.Request, _ PutKeyBundleParams) {
	g.reply(w, r, http.StatusNoContent, nil, g.putKeyBundle(w, r))
}

func (g *Gateway) putKeyBundle(w http.ResponseWriter, r *http.Request) error {
	id, err := g.identify(r, nil)
	if err != nil {
		return err
	}
	bundle, err := io.ReadAll(http.MaxBytesReader(w, r.Body, protocol.MaxKeyBundle))
	if err != nil {
		return bodyProblem(err)
	}
	if len(bundle) == 0 {
		return &problem{kind: kindInvalid, message: "body: empty", cause: errors.New("no bundle")}
	}
	return g.core.do(r.Context(), idempotent, func(conn *client.Conn) error {
		return conn.PutKeyBundle(r.Context(), id, bundle)
	})
}
