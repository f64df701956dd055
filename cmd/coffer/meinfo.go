package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"

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
var errMeInfo = errors.New("not a me.info file")

// parseMeInfo reads a me.info. A name that is not UTF-8 is in the charset of
// its client's system, which is the core's, too, for names on the wire.
func parseMeInfo(text string, charset encoding.Encoding) (meInfo, error) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	nameText, rest := cutName(text)
	idText, keyText, _ := strings.Cut(rest, "\n")
	var m meInfo
	var err error
	if m.name, err = decodeName(nameText, charset); err != nil {
		return meInfo{}, fmt.Errorf("%w: line 1: %w", errMeInfo, err)
	}
	id, err := hex.DecodeString(strings.TrimSpace(idText))
	if err != nil || len(id) != len(m.id) {
		return meInfo{}, fmt.Errorf("%w: line 2 is not an id of 32 hex digits", errMeInfo)
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
		return meInfo{}, fmt.Errorf("%w: its RSA key has %d bits, but servers accept at most %d", errMeInfo, bits, crypt.MaxRSABits)
	}
	return m, nil
}

// cutName cuts off the name: a line, or what one client writes, which is its
// field of 255 bytes with NULs at the end, and perhaps no line's end behind it.
func cutName(text string) (name, rest string) {
	line, rest, _ := strings.Cut(text, "\n")
	name, padding, padded := strings.Cut(line, "\x00")
	if padded && len(line) > protocol.FieldSize && strings.Trim(padding[:protocol.FieldSize-len(name)-1], "\x00") == "" {
		rest = text[protocol.FieldSize:]
	}
	return name, rest
}

func decodeName(text string, charset encoding.Encoding) (string, error) {
	if !utf8.ValidString(text) {
		decoded, err := charset.NewDecoder().String(text)
		if err != nil || strings.ContainsRune(decoded, utf8.RuneError) {
			return "", errors.New("the name is neither UTF-8 nor in the character set of --legacy-charset")
		}
		text = decoded
	}
	text = strings.TrimSpace(text)
	_, err := protocol.NewField(text)
	return text, err
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
