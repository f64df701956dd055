package api

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"

	"coffer/api/contract"
	"coffer/client"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// GetAccount describes the caller's account: GET /api/v1/account.
func (g *Gateway) GetAccount(w http.ResponseWriter, r *http.Request, _ contract.GetAccountParams) {
	answer, err := g.getAccount(r)
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) getAccount(r *http.Request) (*contract.Account, error) {
	id, err := g.identify(r, nil)
	if err != nil {
		return nil, err
	}
	var known *protocol.Identity
	info, err := ask(r.Context(), g.core, idempotent, func(conn *client.Conn) (info *protocol.AccountInfo, err error) {
		if known, err = conn.AskIdentity(r.Context(), id); err != nil {
			return nil, err
		}
		return conn.AskAccount(r.Context(), id)
	})
	if err != nil {
		return nil, err
	}
	return &contract.Account{
		Username: info.Name, Created: info.Created,
		Files: int64(info.Files), Versions: int64(info.Versions), Bytes: int64(info.Bytes), Uploads: int(info.Uploads),
		KeyBits: int(info.KeyBits), HasPassword: info.HasPassword, HasBundle: info.HasBundle, KeepVersions: int64(info.KeepVersions),
		WireId: hex.EncodeToString(known.Client[:]), BaseOpen: known.BaseOpen,
	}, nil
}

// SetPassphrase changes password and key bundle together: PUT
// /api/v1/account/passphrase.
func (g *Gateway) SetPassphrase(w http.ResponseWriter, r *http.Request) {
	answer, err := g.setPassphrase(r)
	g.answers.Reply(w, r, http.StatusOK, answer, err)
}

func (g *Gateway) setPassphrase(r *http.Request) (*contract.LoggedIn, error) {
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
	// Once: a second time the current password would be the new one.
	var until time.Time
	err = g.hash(r, c.username, once, func(conn *client.Conn) (err error) {
		until, err = conn.SetPassword(r.Context(), c.client, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	return g.loggedIn(c, until.Add(time.Microsecond))
}

// RemoveAccount removes the caller's account: POST /api/v1/account/remove.
func (g *Gateway) RemoveAccount(w http.ResponseWriter, r *http.Request, _ contract.RemoveAccountParams) {
	g.answers.Reply(w, r, http.StatusNoContent, nil, g.removeAccount(r))
}

func (g *Gateway) removeAccount(r *http.Request) error {
	body, err := openapi.Decode[contract.RemoveAccountRequest](r)
	if err != nil {
		return err
	}
	c := callerIn(r)
	id, err := g.identify(r, nil)
	if err != nil {
		return err
	}
	if c.proof == byName {
		return problem.New(problem.Forbidden, "sign in with the password or the client id to remove the account")
	}
	if err := g.limitSignIn(r, c.username); err != nil {
		return err
	}
	password := ""
	if body.Password != nil {
		password = *body.Password
		if err := checkPassword("password", password); err != nil {
			return err
		}
	}
	if password == "" && c.proof == byClientID {
		if err := g.confirm(r, "client_id", ""); err != nil {
			return err
		}
	}
	return g.hash(r, c.username, once, func(conn *client.Conn) error {
		return conn.RemoveAccount(r.Context(), id, password)
	})
}

// formats are the wire's formats, by their number, as the contract names them.
func formats() []contract.Format {
	return []contract.Format{contract.FormatUnknown, contract.FormatFile, contract.FormatSealedFile, contract.FormatFolder, contract.FormatSealedFolder}
}

// formatName is the contract's name for a format of the wire's.
func formatName(f protocol.Format) contract.Format {
	if names := formats(); int(f) < len(names) {
		return names[f]
	}
	return contract.FormatUnknown
}

// parseFormat is the wire's format for a name of the contract's, which has
// checked it.
func parseFormat(name *contract.Format) protocol.Format {
	for f, known := range formats() {
		if name != nil && *name == known {
			return protocol.Format(f)
		}
	}
	return protocol.FormatUnknown
}
