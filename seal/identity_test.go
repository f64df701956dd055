package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParseIdentity(t *testing.T) {
	for kind, id := range map[string]Identity{"AGE-SECRET-KEY-PQ-1": newIdentity(t), "AGE-SECRET-KEY-1": oldIdentity(t)} {
		if !strings.HasPrefix(id.Secret(), kind) || !strings.HasPrefix(id.Recipient(), "age1") {
			t.Errorf("%s: %v has the recipient %.20q", kind, id, id.Recipient())
		}
		for _, text := range []string{
			id.Secret(), "  " + id.Secret() + "\r\n",
			"# created: 2026-01-01\n# public key: " + id.Recipient() + "\n" + id.Secret() + "\n",
		} {
			again, err := ParseIdentity(text)
			if err != nil {
				t.Fatal(err)
			}
			if again.Secret() != id.Secret() || again.Recipient() != id.Recipient() || again.Fingerprint() != id.Fingerprint() {
				t.Errorf("%s: another identity came back", kind)
			}
		}
	}
}

func TestParseIdentityErrors(t *testing.T) {
	secret := newIdentity(t).Secret()
	for name, text := range map[string]string{
		"nothing": "", "a comment": "# x", "text": "secret", "cut": secret[:len(secret)-1], "changed": secret[:30] + "2" + secret[31:],
		"two": secret + "\n" + oldIdentity(t).Secret(), "a recipient": newIdentity(t).Recipient(), "a plugin": "AGE-PLUGIN-X-1",
	} {
		_, err := ParseIdentity(text)
		if !errors.Is(err, ErrBadIdentity) {
			t.Errorf("%s: %v, want ErrBadIdentity", name, err)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error quotes the text", name)
		}
	}
}

// Nothing that prints values by accident prints the secret.
func TestIdentityPrintsNoSecret(t *testing.T) {
	id := newIdentity(t)
	holder := struct {
		ID  Identity
		Ptr *Identity
		own Identity
	}{id, &id, id}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", id)
		fmt.Fprintf(&out, verb+"\n", &id)
		fmt.Fprintf(&out, verb+"\n", holder)
		fmt.Fprintf(&out, verb+"\n", []Identity{id})
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "id", id, "ptr", &id, "in", holder)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "id", id, "ptr", &id, "in", holder)
	if err := json.NewEncoder(&out).Encode(holder); err != nil {
		t.Fatal(err)
	}
	secret := id.Secret()
	hexed := fmt.Sprintf("%x", secret[20:40])
	for _, piece := range []string{"SECRET", secret[20:40], hexed} {
		if strings.Contains(out.String(), piece) {
			t.Errorf("the secret was printed:\n%s", out.String())
		}
	}
	if !strings.Contains(out.String(), "identity:"+id.Fingerprint()) {
		t.Error("the fingerprint was not printed")
	}
}
