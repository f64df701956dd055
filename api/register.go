package api

import (
	"net/http"

	"coffer/api/contract"
	"coffer/client"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

// Register makes an account: POST /api/v1/auth/register.
func (g *Gateway) Register(w http.ResponseWriter, r *http.Request) {
	answer, err := g.register(r)
	g.answers.Reply(w, r, http.StatusCreated, answer, err)
}

func (g *Gateway) register(r *http.Request) (*contract.Registered, error) {
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
	var id protocol.ClientID
	create := func(conn *client.Conn) (err error) {
		id, err = conn.CreateAccount(r.Context(), m)
		return err
	}
	if m.Password == "" {
		err = g.core.do(r.Context(), once, create)
	} else {
		err = g.hash(r, "", once, create)
	}
	if client.IsStatus(err, protocol.StatusConflict) {
		return nil, &problem.Problem{Kind: problem.Conflict, Detail: "username: taken", Cause: err}
	}
	if err != nil {
		return nil, err
	}
	return &contract.Registered{ClientId: formatClientID(id), Status: "registered"}, nil
}

// nameField checks a name as the protocol has it.
func nameField(field, name string) (protocol.Field, error) {
	f, err := protocol.NewField(name)
	if err != nil {
		return f, problem.Field(field, err.Error())
	}
	return f, nil
}
