package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
)

// secretFlags say where the secret of the tokens is.
type secretFlags struct {
	JWTSecret     string `name:"jwt-secret" help:"The tokens' secret, 64 hex digits; only by the environment, so that no process list shows it." env:"COFFER_JWT_SECRET" hidden:""`
	JWTSecretFile string `name:"jwt-secret-file" help:"File with the tokens' secret; made at the first start. The environment variable COFFER_JWT_SECRET goes before it." default:"./jwt.secret" env:"COFFER_JWT_SECRET_FILE" type:"path"`
}

// secret reads the secret, or makes it.
func (f secretFlags) secret(log *slog.Logger) ([]byte, error) {
	if f.JWTSecret != "" {
		return parseSecret(f.JWTSecret, "COFFER_JWT_SECRET")
	}
	text, err := os.ReadFile(f.JWTSecretFile)
	if err == nil {
		return parseSecret(string(text), f.JWTSecretFile)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the tokens' secret: %w", err)
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	if err := writeNew(f.JWTSecretFile, hex.EncodeToString(secret)+"\n"); err != nil {
		return nil, fmt.Errorf("keeping the tokens' new secret: %w", err)
	}
	log.Info("made a new secret for tokens", "file", f.JWTSecretFile)
	return secret, nil
}

func parseSecret(text, source string) ([]byte, error) {
	secret, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(secret) < 32 {
		return nil, fmt.Errorf("the tokens' secret in %s is not 64 hex digits", source)
	}
	return secret, nil
}

// writeNew writes a file that only its owner can read, durably.
func writeNew(name, text string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
