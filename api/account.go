package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"

	"coffer/api/contract"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// GetAccount describes the caller's account: GET /api/v1/account.
func (g *Gateway) GetAccount(w http.ResponseWriter, r *http.Request, _ contract.GetAccountParams) {
	g.handleClient(w, r, http.StatusOK, func(ctx context.Context, id protocol.ClientID) (any, error) {
		known, err := g.core.GetIdentity(ctx, id)
		if err != nil {
			return nil, err
		}
		info, err := g.core.GetAccount(ctx, id)
		if err != nil {
			return nil, err
		}
		return contract.Account{
			Username: info.Name, Created: info.Created,
			Files: int64(info.Files), Versions: int64(info.Versions), Bytes: int64(info.Bytes), Uploads: int(info.Uploads),
			KeyBits: int(info.KeyBits), HasPassword: info.HasPassword, HasBundle: info.HasBundle, KeepVersions: int64(info.KeepVersions),
			WireId: hex.EncodeToString(known.Client[:]), BaseOpen: known.BaseOpen,
		}, nil
	})
}

// SetPassphrase changes password and key bundle together: PUT
// /api/v1/account/passphrase.
func (g *Gateway) SetPassphrase(w http.ResponseWriter, r *http.Request) {
	g.handle(w, r, http.StatusOK, func(ctx context.Context) (any, error) {
		body, err := openapi.Decode[contract.PassphraseRequest](r)
		if err != nil {
			return nil, err
		}
		c := callerIn(r)
		if c.proof != byPassword {
			return nil, problem.New(problem.Forbidden, "only who is signed in with the password can change it")
		}
		if err := g.limitSignIn(r, c.username); err != nil {
			return nil, err
		}
		if err := checkPassword("password", body.Password); err != nil {
			return nil, err
		}
		if err := checkPassword("current_password", body.CurrentPassword); err != nil {
			return nil, err
		}
		bundle, err := base64.StdEncoding.DecodeString(body.KeyBundle)
		if err != nil {
			return nil, problem.Field("key_bundle", "not base64")
		}
		m := protocol.SetPassword{Current: body.CurrentPassword, Password: body.Password, Bundle: bundle}
		var until time.Time
		err = g.hash(r, c.username, func() (err error) {
			until, err = g.core.SetPassword(ctx, c.client, m)
			return err
		})
		if err != nil {
			return nil, err
		}
		return g.loggedIn(c, until.Add(time.Microsecond))
	})
}

// RemoveAccount removes the caller's account: POST /api/v1/account/remove.
func (g *Gateway) RemoveAccount(w http.ResponseWriter, r *http.Request, _ contract.RemoveAccountParams) {
	g.handleClient(w, r, http.StatusNoContent, func(ctx context.Context, id protocol.ClientID) (any, error) {
		body, err := openapi.Decode[contract.RemoveAccountRequest](r)
		if err != nil {
			return nil, err
		}
		c := callerIn(r)
		if c.proof == byName {
			return nil, problem.New(problem.Forbidden, "sign in with the password or the client id to remove the account")
		}
		if err := g.limitSignIn(r, c.username); err != nil {
			return nil, err
		}
		password := ""
		if body.Password != nil {
			password = *body.Password
		}
		if err := checkPassword("password", password); err != nil {
			return nil, err
		}
		if password == "" && c.proof == byClientID {
			if err := g.confirm(r, "client_id", ""); err != nil {
				return nil, err
			}
		}
		return nil, g.hash(r, c.username, func() error { return g.core.RemoveAccount(ctx, id, password) })
	})
}

// formats are the wire's formats, by their number, as the contract names them.
func formats() []contract.Format {
	return []contract.Format{contract.FormatUnknown, contract.FormatFile, contract.FormatSealedFile, contract.FormatFolder, contract.FormatSealedFolder, contract.FormatSnapshot}
}

// formatName returns the contract's name for a format of the wire.
func formatName(f protocol.Format) contract.Format {
	if names := formats(); int(f) < len(names) {
		return names[f]
	}
	return contract.FormatUnknown
}

// parseFormat returns the wire's format for a name in the contract, which has
// checked it.
func parseFormat(name *contract.Format) protocol.Format {
	for f, known := range formats() {
		if name != nil && *name == known {
			return protocol.Format(f)
		}
	}
	return protocol.FormatUnknown
}
