// Package crypt is the cryptography that the wire prescribes: session keys,
// wrapped for their client with RSA-OAEP, and file contents as one streamed
// AES-256-CBC ciphertext with a zero IV and PKCS#7 padding (docs/protocol.md,
// "Base requests").
//
// It offers what deployed clients speak and nothing else. The ciphertext is
// not authenticated and two contents under one key betray a common beginning:
// what has to be secret from the server, or proof against tampering, is sealed
// before it comes here.
package crypt
