package protocol

import (
	"bytes"
	"encoding/binary"
)

// A Rule is a rule that a request broke, or that its bytes suggest the client
// breaks. The wire has its number; package internal/diagnose explains it.
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
