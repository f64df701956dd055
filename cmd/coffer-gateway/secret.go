package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"coffer/internal/program"
	"coffer/protocol/crypt"
)

// secretFlags say where the secret of the tokens is.
type secretFlags struct {
	JWTSecret     string `name:"jwt-secret" help:"The tokens' secret, 64 hex digits; only by the environment, so that no process list shows it." env:"COFFER_GATEWAY_JWT_SECRET" hidden:""`
	JWTSecretFile string `name:"jwt-secret-file" help:"File with the tokens' secret; made at the first start. The environment variable COFFER_GATEWAY_JWT_SECRET goes before it." default:"./jwt.secret" env:"COFFER_GATEWAY_JWT_SECRET_FILE" type:"path"`
}

// coreSecretFlags say where the core secret is.
type coreSecretFlags struct {
	CoreSecret     string `help:"The core secret, 64 hex digits; only by the environment, so that no process list shows it." env:"COFFER_CORE_SECRET" hidden:""`
	CoreSecretFile string `help:"File with the core secret, which the core makes. The environment variable COFFER_CORE_SECRET goes before it." default:"./data/core.secret" env:"COFFER_CORE_SECRET_FILE" type:"filename"`
}

// coreSecret reads the core secret.
func (f coreSecretFlags) coreSecret() (crypt.CoreSecret, error) {
	secret := program.Secret{What: "the core secret", Text: f.CoreSecret, Variable: "COFFER_CORE_SECRET", File: f.CoreSecretFile}
	key, err := secret.Read()
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w (the core makes it at its first start: name it by --core-secret-file, or have its digits in COFFER_CORE_SECRET)", err)
	}
	return crypt.CoreSecret(key), err
}

// secret reads the secret, or makes it.
func (f secretFlags) secret(log *slog.Logger) ([]byte, error) {
	secret := program.Secret{What: "the tokens' secret", Text: f.JWTSecret, Variable: "COFFER_GATEWAY_JWT_SECRET", File: f.JWTSecretFile}
	key, err := secret.Read()
	if errors.Is(err, fs.ErrNotExist) {
		if key, err = secret.Make(); err == nil {
			log.Info("made a new secret for tokens", "file", secret.File)
		}
	}
	return key[:], err
}
