package api

import (
	"context"
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
	g.handle(w, r, http.StatusOK, func(ctx context.Context) (any, error) {
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
		issued, err := g.core.SetPublicKey(ctx, id, m)
		if err != nil && callerIn(r).proof == byPassword && !m.Replace && strings.HasPrefix(err.Error(), "another public key") {
			return nil, problem.New(problem.SignInAgain, "another public key is on record: to replace it, sign in again, or give the password").Because(err)
		}
		if client.IsStatus(err, protocol.StatusInvalid) {
			return nil, problem.Field("public_key_der", err.Error()).Because(err)
		}
		if err != nil {
			return nil, err
		}
		return sessionKey(issued), nil
	})
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
	g.handle(w, r, http.StatusOK, func(ctx context.Context) (any, error) {
		body, err := openapi.Decode[contract.SessionKeyRequest](r)
		if err != nil {
			return nil, err
		}
		id, err := g.identify(r, body.ClientId)
		if err != nil {
			return nil, err
		}
		issued, err := g.core.NewSession(ctx, id)
		if err != nil {
			return nil, err
		}
		return sessionKey(issued), nil
	})
}

func sessionKey(m *protocol.SessionKeyIssued) contract.SessionKey {
	hash := contract.SessionKeyOaepHash(hashName(m.OAEPHash))
	return contract.SessionKey{AesKeyEncrypted: base64.StdEncoding.EncodeToString(m.WrappedKey), KeySize: len(m.WrappedKey), OaepHash: &hash}
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
	if err != nil {
		g.answers.Fail(w, r, err)
		return
	}
	bundle, err := g.core.GetKeyBundle(r.Context(), id)
	if err != nil {
		g.answers.Fail(w, r, err)
		return
	}
	g.answers.Send(w, r, httpkit.TypeOctets, bundle)
}

// PutKeyBundle replaces the key bundle: PUT /api/v1/keys/bundle.
func (g *Gateway) PutKeyBundle(w http.ResponseWriter, r *http.Request, params contract.PutKeyBundleParams) {
	g.handleClient(w, r, http.StatusNoContent, func(ctx context.Context, id protocol.ClientID) (any, error) {
		password, err := givenPassword(params.XPassword)
		if err != nil {
			return nil, err
		}
		if err := g.confirm(r, headerPassword, password); err != nil {
			return nil, err
		}
		bundle, err := io.ReadAll(http.MaxBytesReader(w, r.Body, protocol.MaxKeyBundle))
		if err != nil {
			return nil, problem.OfBody(err)
		}
		if len(bundle) == 0 {
			return nil, problem.Field("body", "empty")
		}
		return nil, g.core.PutKeyBundle(ctx, id, bundle)
	})
}

// givenPassword reads a password from a header, where it is base64 of UTF-8.
func givenPassword(encoded *string) (string, error) {
	if encoded == nil {
		return "", nil
	}
	password, err := base64.StdEncoding.DecodeString(*encoded)
	if err != nil || !utf8.Valid(password) {
		return "", problem.Field(headerPassword, "not base64 of UTF-8")
	}
	return string(password), nil
}
