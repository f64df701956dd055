package diagnose

import (
	"fmt"

	"coffer/protocol"
)

// An Explanation explains a rule of the protocol.
type Explanation struct {
	Rule    string // what the rule requires
	Usually string // what is usually wrong with a client that breaks it
}

// rules has a row for each rule that the wire has a number for.
var rules = [...]Explanation{
	protocol.RuleOther:         {"see the reason", "the reason says what is wrong"},
	protocol.RuleTLS:           {"the connection speaks this protocol", "the client speaks TLS and the server does not: give the server --tls-cert and --tls-key, or turn TLS off in the client"},
	protocol.RuleHTTP:          {"the connection speaks this protocol", "a browser or a load balancer's health check: HTTP is the gateway's, on another port"},
	protocol.RuleVersion:       {"byte 16 of every request is the version, 3", "another version of the client, a client id that is not 16 bytes long, or padding of a struct that was written as it lies in memory"},
	protocol.RuleOutside:       {"the payload has exactly as many bytes as its header says", "the request before this one sent more than its payload size: padding of the last packet, or of the name field, that the size does not count; the server took the rest for a header"},
	protocol.RuleBigEndian:     {"all integers are little-endian", "the client writes numbers in network byte order (htons, htonl, struct '>' or '!')"},
	protocol.RuleUnknownCode:   {"the code is one of this protocol's", "a code in another base, or the header's fields in another order or width: id[16], version u8, code u16, payload size u32"},
	protocol.RuleTooLarge:      {"the payload is not larger than its code allows", "a payload size that counts something else, like the whole file; or --max-packet of the server"},
	protocol.RuleTooShort:      {"the payload is as long as its code's fixed fields", "name fields that are not 255 bytes, or a payload size that leaves out the fixed fields"},
	protocol.RuleIncomplete:    {"the whole payload follows its header", "the payload size counts more than was sent, so the server waited for the rest; or the network broke"},
	protocol.RuleName:          {"a name is 1 to 254 bytes up to a NUL, without control characters, backslashes, '.' or '..' segments, and not absolute", "the whole path of the file in place of its name, a field without NUL, or a charset that is neither UTF-8 nor the server's --legacy-charset"},
	protocol.RuleNameTaken:     {"a name belongs to the client that registered it first", "the client lost its me.info and registers anew: bring the file back, or register under another name"},
	protocol.RuleUnknownClient: {"the client id is registered here", "me.info of another server, or of a client that was removed; the id written as text, or its bytes in another order"},
	protocol.RuleWrongName:     {"the name is the one that this client id registered with", "me.info edited by hand, or a name in another charset than at registration"},
	protocol.RuleNoKey:         {"a client sends its public key before it reconnects", "the client was cut off between 1025 and 1026, and never repeats 1026"},
	protocol.RulePublicKey:     {"the key is DER SubjectPublicKeyInfo of an RSA key", "PEM or base64 text in place of DER, PKCS #1 without the algorithm, or a field cut too short"},
	protocol.RuleOtherKey:      {"the public key on record stays", "the client makes a new key at each start: it has to keep the one in me.info"},
	protocol.RuleNoSession:     {"a file is sent under a live session key", "the client did not reconnect (1027) after a pause of --session-ttl, or could not unwrap the key: OAEP with another hash (see --oaep-hash)"},
	protocol.RuleNumbers:       {"packets are counted from 1 to their total", "packets counted from 0, or a total that is 0"},
	protocol.RuleSizes:         {"the ciphertext is original - original % 16 + 16 bytes long", "the original size is that of the ciphertext, of one packet, or big-endian; or each packet was encrypted and padded by itself"},
	protocol.RulePadding:       {"the content is one AES-256-CBC stream with zero IV and PKCS #7 padding, cut into packets", "content encrypted packet by packet, another IV than zeros, AES-128, or the wrong session key: the one from before 1605, or unwrapped with another OAEP hash"},
	protocol.RuleNotReceived:   {"1029 follows the 1603 of that file", "the client confirms a file before it is complete, or under another name"},
	protocol.RuleBaseClosed:    {"the account takes base requests", "the account belongs to a client that seals (the command line, the web), or was closed: coffer account base on, or the switch in the console, opens it; or somebody else knows its id"},
	protocol.RuleChecksum:      {"the checksum is POSIX cksum of the plaintext", "CRC-32 as in zip in place of cksum, the length left out of it, or computed over the ciphertext; once in a while, a file that changed while it was sent"},
	protocol.RuleGuesses:       {"a file's padding is valid, and 1029 or 1030 follows its 1603", "a client that encrypts another way, or never confirms, and tries again and again; or somebody who has the client's id and sends what is not encrypted with the client's key: look at the address"},
	protocol.RuleFirstKey:      {"a new client sends its public key on the connection that registered it, or from the same address within 10 minutes", "the client was cut off between 1025 and 1026, and came back late or from elsewhere: let it register again; or somebody who has the new client's id"},
	protocol.RuleNoSize:        {"the payload size counts every byte that follows the header", "the size is left at 0: set it once the payload is made, before the header is written"},
	protocol.RuleHeaderOrder:   {"the header is id[16], version u8, code u16, payload size u32", "the header's fields are written in another order"},
	protocol.RuleFieldOrder:    {"a packet is content size u32, original size u32, packet number u16, total packets u16, filename[255], content", "the number and the total of packets are swapped, or the sizes are"},
}

// Explain explains a rule. Of one that this build does not know, it returns the
// number.
func Explain(r protocol.Rule) Explanation {
	if int(r) < len(rules) {
		return rules[r]
	}
	return Explanation{Rule: fmt.Sprintf("rule %d", uint8(r))}
}
