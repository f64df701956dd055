package api

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"coffer/api/contract"
	"coffer/client"
	"coffer/internal/openapi"
	"coffer/internal/problem"
	"coffer/protocol"
)

const (
	headerClientID = "X-Client-ID"
	headerPassword = "X-Password"
	maxPassword    = 1 << 10 // bytes
)

type callerKey struct{}

// authenticate lets only holders of a live token pass where the contract asks
// for one.
func (g *Gateway) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.contract.NeedsToken(r) {
			next.ServeHTTP(w, r)
			return
		}
		c, err := g.callerOf(r)
		if err != nil {
			g.answers.Fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

// callerOf reads the request's token and asks the core whether it was revoked.
func (g *Gateway) callerOf(r *http.Request) (caller, error) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return caller{}, unauthenticated("Authorization: a Bearer session token is missing; sign in first")
	}
	c, err := g.tokens.read(strings.TrimSpace(token))
	if err != nil {
		return caller{}, err
	}
	m := protocol.CheckToken{Token: c.token, Issued: c.issued, Name: c.username}
	return c, g.core.CheckToken(r.Context(), m)
}

// callerIn is who authenticate let pass.
func callerIn(r *http.Request) caller {
	c, _ := r.Context().Value(callerKey{}).(caller)
	return c
}

// identify returns the client that the call is for. A token that carries the
// identity is enough; with another the client id must come along, in the body
// or the header, and belong to the token's account.
func (g *Gateway) identify(r *http.Request, inBody *contract.ClientID) (protocol.ClientID, error) {
	c := callerIn(r)
	given, err := givenClientID(r, inBody)
	if err != nil {
		return protocol.ClientID{}, err
	}
	if given == nil {
		if c.proof == byName {
			return protocol.ClientID{}, unauthenticated("client_id: missing; a token got by username alone needs it with each call, in the body or as " + headerClientID)
		}
		return c.client, nil
	}
	other := problem.New(problem.Forbidden, "client_id: not the session token's own")
	if c.proof != byName {
		if subtle.ConstantTimeCompare(given[:], c.client[:]) != 1 {
			return protocol.ClientID{}, other
		}
		return c.client, nil
	}
	_, err = g.core.SignIn(r.Context(), protocol.SignIn{Method: protocol.SignInByClientID, Client: *given, Name: c.username})
	if client.IsStatus(err, protocol.StatusUnauthenticated) {
		return protocol.ClientID{}, other
	}
	return *given, err
}

// givenClientID is the client id that the call bears, nil if it bears none.
func givenClientID(r *http.Request, inBody *contract.ClientID) (*protocol.ClientID, error) {
	header := r.Header.Get(headerClientID)
	if inBody == nil {
		if header == "" {
			return nil, nil
		}
		return parseClientID(headerClientID, header)
	}
	id, err := parseClientID("client_id", *inBody)
	if err != nil || header == "" {
		return id, err
	}
	other, err := parseClientID(headerClientID, header)
	if err == nil && *other != *id {
		err = problem.Field("client_id", "differs from "+headerClientID)
	}
	return id, err
}

// parseClientID reads a client id as a UUID is written.
func parseClientID(field, text string) (*protocol.ClientID, error) {
	var id protocol.ClientID
	plain := strings.ReplaceAll(text, "-", "")
	if len(plain) != 2*len(id) {
		return nil, problem.Field(field, "not a client id")
	}
	if _, err := hex.Decode(id[:], []byte(plain)); err != nil || formatClientID(id) != strings.ToLower(text) {
		return nil, problem.Field(field, "not a client id")
	}
	return &id, nil
}

// formatClientID writes a client id as a UUID is written.
func formatClientID(id protocol.ClientID) string {
	s := hex.EncodeToString(id[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// Login signs in: POST /api/v1/auth/login.
func (g *Gateway) Login(w http.ResponseWriter, r *http.Request) {
	g.handle(w, r, http.StatusOK, func(context.Context) (any, error) {
		body, err := openapi.Decode[contract.LoginRequest](r)
		if err != nil {
			return nil, err
		}
		if err := g.limitSignIn(r, body.Username); err != nil {
			return nil, err
		}
		m := protocol.SignIn{Method: protocol.SignInByName, Name: body.Username}
		c := caller{username: body.Username, proof: byName}
		switch {
		case body.Password != nil && body.ClientId != nil:
			return nil, problem.Field("client_id", "give it or the password, not both")
		case body.Password != nil:
			if err := checkPassword("password", *body.Password); err != nil {
				return nil, err
			}
			m.Method, m.Password, c.proof = protocol.SignInByPassword, *body.Password, byPassword
		case body.ClientId != nil:
			id, err := parseClientID("client_id", *body.ClientId)
			if err != nil {
				return nil, err
			}
			m.Method, m.Client, c.proof = protocol.SignInByClientID, *id, byClientID
		}
		signed, err := g.signIn(r, m)
		if err != nil {
			return nil, err
		}
		c.client = signed.Client
		return g.loggedIn(c, signed.At)
	})
}

// signIn asks the core to check who the caller is. A password waits its turn to
// be checked.
func (g *Gateway) signIn(r *http.Request, m protocol.SignIn) (signed *protocol.SignedIn, err error) {
	if m.Method != protocol.SignInByPassword {
		return g.core.SignIn(r.Context(), m)
	}
	err = g.hash(r, m.Name, func() (err error) {
		signed, err = g.core.SignIn(r.Context(), m)
		return err
	})
	if err != nil {
		return nil, err
	}
	g.signIns.succeeded(network(g.address(r)), m.Name)
	return signed, nil
}

// recent is how long a sign-in is good for what a token alone must not do:
// tokens leak, and then the owner's keys are not to be replaced by it.
const recent = 5 * time.Minute

// confirm makes sure that the account's owner is there: by the password, if the
// call bears it, by a recent sign-in, or by the client id that the call bears
// because its token carries no identity. identify has checked that one.
func (g *Gateway) confirm(r *http.Request, field, password string) error {
	c := callerIn(r)
	if password == "" {
		if c.proof == byName || time.Since(c.signedIn) < recent {
			return nil
		}
		return problem.New(problem.SignInAgain, "the sign-in is older than 5 minutes: sign in again, or give the password ("+field+")")
	}
	if err := checkPassword(field, password); err != nil {
		return err
	}
	if err := g.limitSignIn(r, c.username); err != nil {
		return err
	}
	signed, err := g.signIn(r, protocol.SignIn{Method: protocol.SignInByPassword, Name: c.username, Password: password})
	if client.IsStatus(err, protocol.StatusUnauthenticated) || err == nil && c.proof != byName && signed.Client != c.client {
		return &problem.Problem{Kind: problem.Forbidden, Detail: field + ": wrong", Cause: err}
	}
	return err
}

// loggedIn gives the caller a token that counts as issued at a moment of the
// core's, and the client id if it was proven.
func (g *Gateway) loggedIn(c caller, issued time.Time) (*contract.LoggedIn, error) {
	answer := &contract.LoggedIn{ExpiresIn: int(g.cfg.TokenTTL / time.Second)}
	if c.proof != byName {
		id := formatClientID(c.client)
		answer.ClientId = &id
	}
	var err error
	answer.SessionToken, err = g.tokens.issue(c, issued)
	return answer, err
}

// Logout revokes the token, or all tokens of the account: POST
// /api/v1/auth/logout.
func (g *Gateway) Logout(w http.ResponseWriter, r *http.Request, params contract.LogoutParams) {
	if params.Everywhere != nil && *params.Everywhere {
		g.handleClient(w, r, http.StatusNoContent, func(ctx context.Context, id protocol.ClientID) (any, error) {
			return nil, g.core.RevokeTokens(ctx, id)
		})
		return
	}
	g.handle(w, r, http.StatusNoContent, func(ctx context.Context) (any, error) {
		c := callerIn(r)
		return nil, g.core.RevokeToken(ctx, protocol.RevokeToken{Token: c.token, Expires: c.expires, Proven: c.proof != byName})
	})
}

func checkPassword(field, password string) error {
	if len(password) > maxPassword {
		return problem.Field(field, "longer than 1024 bytes")
	}
	return nil
}
