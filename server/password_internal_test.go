package server

import (
	"errors"
	"testing"
)

func TestPasswords(t *testing.T) {
	p := passwordTurn{newPasswords()}
	hash := p.hash("secret")
	for _, tt := range []struct {
		name, hash, password string
		same                 bool
		err                  error
	}{
		{"right", hash, "secret", true, nil},
		{"wrong", hash, "Secret", false, nil},
		{"empty", hash, "", false, nil},
		{"no hash", "", "secret", false, nil},
		{"another algorithm", "$2b$12$x", "secret", false, errHash},
	} {
		if same, err := p.matches(tt.hash, tt.password); same != tt.same || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, %v", tt.name, same, err)
		}
	}
}
