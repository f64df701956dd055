package program

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
)

// pinPrefix begins every pin.
const pinPrefix = "sha256//"

// Pin names a certificate's public key, as curl's --pinnedpubkey does: a
// certificate that is renewed for the same key keeps its pin.
func Pin(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return pinPrefix + base64.StdEncoding.EncodeToString(sum[:])
}

// CheckPin reports whether a text is a pin.
func CheckPin(text string) error {
	digest, ok := strings.CutPrefix(text, pinPrefix)
	sum, err := base64.StdEncoding.DecodeString(digest)
	if !ok || err != nil || len(sum) != sha256.Size {
		return fmt.Errorf("%q is not a pin: expected %s and 44 characters of base64", text, pinPrefix)
	}
	return nil
}
