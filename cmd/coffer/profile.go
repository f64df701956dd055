package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"coffer/client"
	"coffer/internal/program"
	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/seal"
)

// profileVersion is the version of the layout of a profile.
const profileVersion = 1

// A profile is a registration with its keys. As JSON it is both the content of
// profile.json, which only its owner may read, and of what "key export" seals
// with a passphrase, in the manner of "age -p":
//
//	version    1
//	server     "host:port"; empty in what the web client seals
//	username   the registered name
//	client_id  32 hexadecimal digits
//	rsa_key    PKCS #8 DER, in base64
//	identity   an age identity, "AGE-SECRET-KEY-..."
//	tls        whether the server is reached by TLS
//	tls_ca     certificates in PEM that vouch for it, in place of the system's
//	tls_pin    "sha256//...", of the public key of the only certificate it may have
//	insecure   whether its owner chose plain TCP; without this and tls, the first
//	           connection finds out what the server speaks
//	gateway    the URL of its web page, where the account signs in
//
// The profile of a send-only machine has no identity. Its client_id is the
// machine's id, and it has in addition
//
//	machine    the machine's name
//	keys       its snapshot keys
//	recipient  what it encrypts to, "age1..."
type profile struct {
	Version  int    `json:"version"`
	Server   string `json:"server"`
	Username string `json:"username"`
	ClientID string `json:"client_id"`
	RSAKey   []byte `json:"rsa_key"`
	Identity string `json:"identity,omitempty"`
	TLS      bool   `json:"tls,omitempty"`
	TLSCA    string `json:"tls_ca,omitempty"`
	TLSPin   string `json:"tls_pin,omitempty"`
	Insecure bool   `json:"insecure,omitempty"`
	Gateway  string `json:"gateway,omitempty"`

	Machine   string `json:"machine,omitempty"`
	Keys      string `json:"keys,omitempty"`
	Recipient string `json:"recipient,omitempty"`
}

func (a *app) profilePath() (string, error) {
	dir, err := a.home()
	return filepath.Join(dir, "profile.json"), err
}

// refuseProfile fails if there is a profile already.
func (a *app) refuseProfile(force bool) error {
	path, err := a.profilePath()
	if err != nil || force {
		return err
	}
	switch _, err := os.Lstat(path); {
	case err == nil:
		return fmt.Errorf("%s already has a registration, whose keys open its backups (--force replaces it)", path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	default:
		return err
	}
}

// saveProfile writes the profile so that there is always a whole one.
func (a *app) saveProfile(p *profile) (err error) {
	path, err := a.profilePath()
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return program.WritePrivate(path, append(content, '\n'))
}

// loadProfile loads the profile of an account's owner.
func (a *app) loadProfile() (*profile, error) {
	p, err := a.loadAnyProfile()
	if err == nil && p.sendOnly() {
		return nil, p.onlySends()
	}
	return p, err
}

// loadAnyProfile loads the profile, which may be that of a send-only machine.
func (a *app) loadAnyProfile() (*profile, error) {
	path, err := a.profilePath()
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if p, err := a.loadBegun(); err == nil && p != nil {
			return nil, fmt.Errorf("the registration was interrupted: continue it with coffer register%s --server %s --name %q", a.profileFlag(), program.Printable(p.Server), p.Username)
		}
		return nil, a.emptyProfile()
	}
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s contains keys, but others can read it: run chmod 600", path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := parseProfile(content)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return p, nil
}

// errProfile never quotes the content, which is secret.
var errProfile = errors.New("not a Coffer profile")

func parseProfile(content []byte) (*profile, error) {
	p := new(profile)
	if json.Unmarshal(content, p) != nil {
		return nil, errProfile
	}
	if p.Version != profileVersion {
		return nil, fmt.Errorf("%w: layout %d is not %d", errProfile, p.Version, profileVersion)
	}
	if _, err := p.credentials(); err != nil {
		return nil, err
	}
	if p.sendOnly() {
		_, _, err := p.machineKeys()
		return p, err
	}
	if _, err := p.identity(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *profile) credentials() (client.Credentials, error) {
	id, err := hex.DecodeString(p.ClientID)
	if err != nil || len(id) != len(protocol.ClientID{}) {
		return client.Credentials{}, errProfile
	}
	parsed, err := x509.ParsePKCS8PrivateKey(p.RSAKey)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return client.Credentials{}, errProfile
	}
	if bits := key.N.BitLen(); bits > crypt.MaxRSABits {
		return client.Credentials{}, fmt.Errorf("%w: its RSA key has %d bits, but servers accept at most %d", errProfile, bits, crypt.MaxRSABits)
	}
	return client.Credentials{Addr: p.Server, Name: p.Username, Client: protocol.ClientID(id), Key: key, Machine: p.sendOnly()}, nil
}

func (p *profile) identity() (*seal.Identity, error) {
	id, err := seal.ParseIdentity(p.Identity)
	if err != nil {
		return nil, errProfile
	}
	return &id, nil
}

// A user is who has the profile: what commands need to work with backups.
type user struct {
	profile  *profile
	session  *client.Session // connects only when it is used
	identity *seal.Identity  // nil on a send-only machine
	memory   *memory
}

// openUser loads the profile of an account's owner.
func (a *app) openUser() (*user, error) {
	p, err := a.loadProfile()
	if err != nil {
		return nil, err
	}
	return a.user(p)
}

// openSender loads the profile, which may be that of a send-only machine.
func (a *app) openSender() (*user, error) {
	p, err := a.loadAnyProfile()
	if err != nil {
		return nil, err
	}
	return a.user(p)
}

func (a *app) user(p *profile) (*user, error) {
	if err := a.settleAndSave(p); err != nil {
		return nil, err
	}
	m, err := a.memory(p)
	if err != nil {
		return nil, err
	}
	session, id, err := p.open()
	return &user{p, session, id, m}, err
}

// open loads the profile and makes a session of it.
func (a *app) open() (*client.Session, *seal.Identity, error) {
	p, err := a.loadProfile()
	if err != nil {
		return nil, nil, err
	}
	if err := a.settleAndSave(p); err != nil {
		return nil, nil, err
	}
	return p.open()
}

// open makes a session of the profile.
func (p *profile) open() (*client.Session, *seal.Identity, error) {
	credentials, err := p.credentials()
	if err != nil {
		return nil, nil, err
	}
	var id *seal.Identity
	if !p.sendOnly() {
		if id, err = p.identity(); err != nil {
			return nil, nil, err
		}
	}
	config, err := p.tlsConfig()
	if err != nil {
		return nil, nil, err
	}
	session, err := client.NewSession(credentials, client.SessionOptions{TLS: config})
	return session, id, err
}
