package api

import (
	"context"
	"net/http"

	"coffer/api/contract"
	"coffer/client"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// Register makes an account: POST /api/v1/auth/register.
func (g *Gateway) Register(w http.ResponseWriter, r *http.Request) {
	g.handle(w, r, http.StatusCreated, func(ctx context.Context) (any, error) {
		body, err := openapi.Decode[contract.RegisterRequest](r)
		if err != nil {
			return nil, err
		}
		if err := g.limitSignIn(r, body.Username); err != nil {
			return nil, err
		}
		if _, err := nameField("username", body.Username); err != nil {
			return nil, err
		}
		m := protocol.CreateAccount{Name: body.Username, Kind: string(body.ClientType)}
		if body.Password != nil {
			if err := checkPassword("password", *body.Password); err != nil {
				return nil, err
			}
			m.Password = *body.Password
		}
		id, err := g.createAccount(r, m)
		if client.IsStatus(err, protocol.StatusConflict) {
			return nil, problem.New(problem.Conflict, "username: taken").Because(err)
		}
		if err != nil {
			return nil, err
		}
		return contract.Registered{ClientId: formatClientID(id), Status: "registered"}, nil
	})
}

// createAccount waits its turn if there is a password to be hashed.
func (g *Gateway) createAccount(r *http.Request, m protocol.CreateAccount) (id protocol.ClientID, err error) {
	if m.Password == "" {
		return g.core.CreateAccount(r.Context(), m)
	}
	err = g.hash(r, "", func() (err error) {
		id, err = g.core.CreateAccount(r.Context(), m)
		return err
	})
	return id, err
}

// nameField checks a name as the protocol has it.
func nameField(field, name string) (protocol.Field, error) {
	f, err := protocol.NewField(name)
	if err != nil {
		return f, problem.Field(field, err.Error())
	}
	return f, nil
}
