package e2e

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"coffer/client"
	"coffer/protocol"
	"coffer/seal"
)

// unbound gives the account of a profile a passphrase as it was done when
// passwords were not yet bound to a server.
func unbound(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: unbound HOME FILE")
	}
	profile := []byte(ts.ReadFile(args[0] + "/profile.json"))
	passphrase := strings.TrimSpace(ts.ReadFile(args[1]))
	var p struct {
		Server   string `json:"server"`
		Username string `json:"username"`
		ClientID string `json:"client_id"`
		RSAKey   []byte `json:"rsa_key"`
	}
	ts.Check(json.Unmarshal(profile, &p))
	id, err := hex.DecodeString(p.ClientID)
	ts.Check(err)
	key, err := x509.ParsePKCS8PrivateKey(p.RSAKey)
	ts.Check(err)
	password, err := seal.EarlierSignInPassword(p.Username, passphrase)
	ts.Check(err)
	bundle, err := seal.SealWithPassphrase(profile, passphrase, seal.WorkFactor(10))
	ts.Check(err)
	session, err := client.NewSession(client.Credentials{
		Addr: p.Server, Name: p.Username, Client: protocol.ClientID(id), Key: key.(*rsa.PrivateKey),
	}, client.SessionOptions{})
	ts.Check(err)
	defer session.Close()
	ctx := context.Background()
	ts.Check(session.Do(ctx, func(conn *client.Conn) error {
		_, err := conn.SetPassword(ctx, session.Client(), protocol.SetPassword{Password: password, Bundle: bundle})
		return err
	}))
}
