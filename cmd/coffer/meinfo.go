package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/seal"
)

// A meInfo is what a C++ client keeps in its file me.info: its name, its id as
// 32 hexadecimal digits, and its private key, base64 of PKCS #1 or #8 DER, on
// one line or wrapped over several.
type meInfo struct {
	name string
	id   protocol.ClientID
	key  *rsa.PrivateKey
}

// errMeInfo never quotes the content, which is secret.
var errMeInfo = errors.New("not a client's me.info")

func parseMeInfo(text string) (meInfo, error) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	name, rest, _ := strings.Cut(text, "\n")
	idText, keyText, _ := strings.Cut(rest, "\n")
	m := meInfo{name: strings.TrimSpace(name)}
	if _, err := protocol.NewField(m.name); err != nil {
		return meInfo{}, fmt.Errorf("%w: line 1: %w", errMeInfo, err)
	}
	id, err := hex.DecodeString(strings.TrimSpace(idText))
	if err != nil || len(id) != len(m.id) {
		return meInfo{}, fmt.Errorf("%w: line 2 is not an id of 32 hexadecimal digits", errMeInfo)
	}
	m.id = protocol.ClientID(id)
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(keyText), ""))
	if err != nil {
		return meInfo{}, fmt.Errorf("%w: line 3 is not base64", errMeInfo)
	}
	if m.key, err = parseRSAKey(der); err != nil {
		return meInfo{}, fmt.Errorf("%w: line 3 is not an RSA private key", errMeInfo)
	}
	if bits := m.key.N.BitLen(); bits > crypt.MaxRSABits {
		return meInfo{}, fmt.Errorf("%w: its RSA key has %d bits, and servers take %d at most", errMeInfo, bits, crypt.MaxRSABits)
	}
	return m, nil
}

func parseRSAKey(der []byte) (*rsa.PrivateKey, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return key, nil
}

// profile makes a profile of it, with an identity for backups to come. What the
// C++ client has sent is not sealed and needs none.
func (m meInfo) profile(server string) (*profile, error) {
	der, err := x509.MarshalPKCS8PrivateKey(m.key)
	if err != nil {
		return nil, err
	}
	id, err := seal.GenerateIdentity()
	if err != nil {
		return nil, err
	}
	return &profile{Version: profileVersion, Server: server, Username: m.name, ClientID: hex.EncodeToString(m.id[:]),
		RSAKey: der, Identity: id.Secret()}, nil
}

// verify asks the server whether it knows the profile and shares its key.
func (p *profile) verify(a *app) error {
	session, _, err := p.open()
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Do(a.ctx, func(*client.Conn) error { return nil })
}
