package protocol

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A Rule is a rule that a request broke, or that its bytes suggest the client
// breaks. The doctor explains it.
type Rule uint8

// The rules of this protocol, docs/protocol.md, Errors.
const (
	RuleOther         Rule = 0 // the reason says it all
	RuleTLS           Rule = 1
	RuleHTTP          Rule = 2
	RuleVersion       Rule = 3
	RuleOutside       Rule = 4
	RuleBigEndian     Rule = 5
	RuleUnknownCode   Rule = 6
	RuleTooLarge      Rule = 7
	RuleTooShort      Rule = 8
	RuleIncomplete    Rule = 9
	RuleName          Rule = 10
	RuleNameTaken     Rule = 11
	RuleUnknownClient Rule = 12
	RuleWrongName     Rule = 13
	RuleNoKey         Rule = 14
	RulePublicKey     Rule = 15
	RuleOtherKey      Rule = 16
	RuleNoSession     Rule = 17
	RuleNumbers       Rule = 18
	RuleSizes         Rule = 19
	RulePadding       Rule = 20
	RuleNotReceived   Rule = 21
	RuleChecksum      Rule = 22
	RuleGuesses       Rule = 23
	RuleFirstKey      Rule = 24
	RuleNoSize        Rule = 25
	RuleHeaderOrder   Rule = 26
	RuleFieldOrder    Rule = 27
	RuleBaseClosed    Rule = 28
)

// rules is the one table of what each rule asks for, and of what is usually
// wrong with a client that breaks it.
var rules = [...]struct{ says, usually string }{
	RuleOther:         {"see the reason", "the reason says what is wrong"},
	RuleTLS:           {"the connection speaks this protocol", "the client speaks TLS and the server does not: give the server --tls-cert and --tls-key, or turn TLS off in the client"},
	RuleHTTP:          {"the connection speaks this protocol", "a browser or a load balancer's health check: HTTP is the gateway's, on another port"},
	RuleVersion:       {"byte 16 of every request is the version, 3", "another version of the client, a client id that is not 16 bytes long, or padding of a struct that was written as it lies in memory"},
	RuleOutside:       {"the payload has exactly as many bytes as its header says", "the request before this one sent more than its payload size: padding of the last packet, or of the name field, that the size does not count; the server took the rest for a header"},
	RuleBigEndian:     {"all integers are little-endian", "the client writes numbers in network byte order (htons, htonl, struct '>' or '!')"},
	RuleUnknownCode:   {"the code is one of this protocol's", "a code in another base, or the header's fields in another order or width: id[16], version u8, code u16, payload size u32"},
	RuleTooLarge:      {"the payload is not larger than its code allows", "a payload size that counts something else, like the whole file; or --max-packet of the server"},
	RuleTooShort:      {"the payload is as long as its code's fixed fields", "name fields that are not 255 bytes, or a payload size that leaves out the fixed fields"},
	RuleIncomplete:    {"the whole payload follows its header", "the payload size counts more than was sent, so the server waited for the rest; or the network broke"},
	RuleName:          {"a name is 1 to 254 bytes up to a NUL, without control characters, backslashes, '.' or '..' segments, and not absolute", "the whole path of the file in place of its name, a field without NUL, or a charset that is neither UTF-8 nor the server's --legacy-charset"},
	RuleNameTaken:     {"a name belongs to the client that registered it first", "the client lost its me.info and registers anew: bring the file back, or register under another name"},
	RuleUnknownClient: {"the client id is registered here", "me.info of another server, or of a client that was removed; the id written as text, or its bytes in another order"},
	RuleWrongName:     {"the name is the one that this client id registered with", "me.info edited by hand, or a name in another charset than at registration"},
	RuleNoKey:         {"a client sends its public key before it reconnects", "the client was cut off between 1025 and 1026, and never repeats 1026"},
	RulePublicKey:     {"the key is DER SubjectPublicKeyInfo of an RSA key", "PEM or base64 text in place of DER, PKCS #1 without the algorithm, or a field cut too short"},
	RuleOtherKey:      {"the public key on record stays", "the client makes a new key at each start: it has to keep the one in me.info"},
	RuleNoSession:     {"a file is sent under a live session key", "the client did not reconnect (1027) after a pause of --session-ttl, or could not unwrap the key: OAEP with another hash (see --oaep-hash)"},
	RuleNumbers:       {"packets are counted from 1 to their total", "packets counted from 0, or a total that is 0"},
	RuleSizes:         {"the ciphertext is original - original % 16 + 16 bytes long", "the original size is that of the ciphertext, of one packet, or big-endian; or each packet was encrypted and padded by itself"},
	RulePadding:       {"the content is one AES-256-CBC stream with zero IV and PKCS #7 padding, cut into packets", "content encrypted packet by packet, another IV than zeros, AES-128, or the wrong session key: the one from before 1605, or unwrapped with another OAEP hash"},
	RuleNotReceived:   {"1029 follows the 1603 of that file", "the client confirms a file before it is complete, or under another name"},
	RuleBaseClosed:    {"the account takes base requests", "the account belongs to a client that seals (the command line, the web), or was closed: coffer account base on, or the switch in the console, opens it; or somebody else knows its id"},
	RuleChecksum:      {"the checksum is POSIX cksum of the plaintext", "CRC-32 as in zip in place of cksum, the length left out of it, or computed over the ciphertext; once in a while, a file that changed while it was sent"},
	RuleGuesses:       {"a file's padding is valid, and 1029 or 1030 follows its 1603", "a client that encrypts another way, or never confirms, and tries again and again; or somebody who has the client's id and sends what is not encrypted with the client's key: look at the address"},
	RuleFirstKey:      {"a new client sends its public key on the connection that registered it, or from the same address within 10 minutes", "the client was cut off between 1025 and 1026, and came back late or from elsewhere: let it register again; or somebody who has the new client's id"},
	RuleNoSize:        {"the payload size counts every byte that follows the header", "the size is left at 0: set it once the payload is made, before the header is written"},
	RuleHeaderOrder:   {"the header is id[16], version u8, code u16, payload size u32", "the header's fields are written in another order"},
	RuleFieldOrder:    {"a packet is content size u32, original size u32, packet number u16, total packets u16, filename[255], content", "the number and the total of packets are swapped, or the sizes are"},
}

// String is what the rule asks for.
func (r Rule) String() string {
	if int(r) < len(rules) {
		return rules[r].says
	}
	return fmt.Sprintf("rule %d", uint8(r))
}

// Usually is what is usually wrong with a client that breaks the rule.
func (r Rule) Usually() string {
	if int(r) < len(rules) {
		return rules[r].usually
	}
	return ""
}

// HeaderRule finds the reason why a header cannot be served, from its bytes;
// earlier says whether earlier requests on the connection could be served.
func HeaderRule(h RequestHeader, earlier bool) Rule {
	raw := h.Append(nil)
	swapped := Code(binary.BigEndian.Uint16(raw[17:]))
	switch {
	case raw[0] == 0x16 && raw[1] == 3:
		return RuleTLS
	case looksLikeHTTP(raw):
		return RuleHTTP
	case h.Version == Version && !h.Code.IsRequest() && swapped.IsBase():
		return RuleBigEndian
	case (h.Version != Version || !h.Code.IsRequest()) && inAnotherOrder(raw):
		return RuleHeaderOrder
	case h.Version != Version && earlier:
		return RuleOutside
	case h.Version != Version:
		return RuleVersion
	case !h.Code.IsRequest():
		return RuleUnknownCode
	}
	limit, _ := h.Code.Limit()
	size := binary.BigEndian.Uint32(raw[19:])
	switch {
	case h.Size == 0 && limit.Min > 0 && h.Code.IsBase():
		return RuleNoSize
	case !limit.Allows(h.Size) && limit.Allows(size) && size < h.Size:
		return RuleBigEndian
	case h.Size > limit.Max:
		return RuleTooLarge
	case h.Size < limit.Min:
		return RuleTooShort
	}
	return RuleOther
}

// A headerField is one field of a request header: how wide it is, and whether
// bytes can be it. An id can be anything.
type headerField struct {
	width int
	fits  func(b []byte) bool
}

// inAnotherOrder reports whether a header makes sense with its fields in
// another order than the protocol's: version, code and a size that the code
// allows, or that counts the header by mistake.
func inAnotherOrder(raw []byte) bool {
	var code Code
	fields := []headerField{
		{16, func([]byte) bool { return true }},
		{1, func(b []byte) bool { return b[0] == Version }},
		{2, func(b []byte) bool { code = Code(le.Uint16(b)); return code.IsBase() }},
		{4, func(b []byte) bool { size := le.Uint32(b); return size > 0 && size < 1<<24 }},
	}
	var try func(at int, used uint) bool
	try = func(at int, used uint) bool {
		if at == len(raw) {
			return true
		}
		for i, f := range fields {
			if used>>i&1 == 0 && f.fits(raw[at:at+f.width]) && try(at+f.width, used|1<<i) {
				return true
			}
		}
		return false
	}
	return try(0, 0)
}

func looksLikeHTTP(b []byte) bool {
	for _, method := range []string{"GET ", "HEAD ", "POST ", "PUT ", "OPTIONS ", "CONNECT ", "PRI * HTTP/"} {
		if bytes.HasPrefix(b, []byte(method)) {
			return true
		}
	}
	return false
}
