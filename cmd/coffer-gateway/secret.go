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
	JWTSecret     string `name:"jwt-secret" help:"Secret that signs tokens, 64 hex digits. Set it in the environment only: process lists show flags." env:"COFFER_GATEWAY_JWT_SECRET" hidden:""`
	JWTSecretFile string `name:"jwt-secret-file" help:"File with the secret that signs tokens; created on first start. COFFER_GATEWAY_JWT_SECRET overrides it." default:"./jwt.secret" env:"COFFER_GATEWAY_JWT_SECRET_FILE" type:"path"`
}

// coreSecretFlags say where the core secret is.
type coreSecretFlags struct {
	CoreSecret     string `help:"Core secret, 64 hex digits. Set it in the environment only: process lists show flags." env:"COFFER_CORE_SECRET" hidden:""`
	CoreSecretFile string `help:"File with the core secret, created by the core. COFFER_CORE_SECRET overrides it." default:"./data/core.secret" env:"COFFER_CORE_SECRET_FILE" type:"filename"`
}

// coreSecret reads the core secret.
func (f coreSecretFlags) coreSecret() (crypt.CoreSecret, error) {
	secret := program.Secret{What: "the core secret", Text: f.CoreSecret, Variable: "COFFER_CORE_SECRET", File: f.CoreSecretFile}
	key, err := secret.Read()
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w (the core creates it on first start: set --core-secret-file or COFFER_CORE_SECRET)", err)
	}
	return crypt.CoreSecret(key), err
}

// secret reads the secret, or makes it.
func (f secretFlags) secret(log *slog.Logger) ([]byte, error) {
	secret := program.Secret{What: "the token secret", Text: f.JWTSecret, Variable: "COFFER_GATEWAY_JWT_SECRET", File: f.JWTSecretFile}
	key, err := secret.Read()
	if errors.Is(err, fs.ErrNotExist) {
		if key, err = secret.Make(); err == nil {
			log.Info("created a new token secret", "file", secret.File)
		}
	}
	return key[:], err
}
