package server

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"coffer/protocol"
	"coffer/store"
)

// text is the name in a field, as UTF-8. Bytes that are not UTF-8 are read in
// the legacy charset. Every name from a base client passes here.
func (s *Server) text(f *protocol.Field) (string, error) {
	raw, err := f.Bytes()
	if err != nil {
		return "", broken(protocol.RuleName, protocol.StatusInvalid, err.Error())
	}
	name := string(raw)
	if !utf8.Valid(raw) && s.cfg.LegacyCharset != nil {
		name, err = s.cfg.LegacyCharset.NewDecoder().String(name)
		if err != nil || strings.ContainsRune(name, utf8.RuneError) {
			return "", broken(protocol.RuleName, protocol.StatusInvalid, "the name is neither UTF-8 nor in the legacy charset")
		}
	}
	if err := protocol.CheckName(name); err != nil {
		return "", broken(protocol.RuleName, protocol.StatusInvalid, err.Error())
	}
	return name, nil
}

// checkNewName refuses a name that looks like others to a person by spaces
// around it, or by characters that are not seen or that turn the direction of
// writing. Names that there are stay what they are, and so do the file names of
// base clients. Accents may stand by themselves: Vietnamese and pointed Hebrew
// have them so in Windows' code pages. alike.Key sees through these.
func checkNewName(name string) error {
	if err := protocol.CheckName(name); err != nil {
		return err
	}
	switch {
	case strings.TrimFunc(name, unicode.IsSpace) != name:
		return errors.New("the name begins or ends with a space")
	case hidden(name):
		return errors.New("the name has a character that is not seen")
	}
	return nil
}

// hidden reports whether a name has formatting characters. The joiners that
// stand between letters of some scripts, and between parts of an emoji, are
// part of how these are written.
func hidden(name string) bool {
	const joiner, nonJoiner, firstJoined = '\u200D', '\u200C', '\u0590'
	runes := []rune(name)
	for i, r := range runes {
		if r == joiner || r == nonJoiner {
			if i == 0 || i == len(runes)-1 || !joins(runes[i-1], firstJoined) || !joins(runes[i+1], firstJoined) {
				return true
			}
		} else if unicode.Is(unicode.Cf, r) || r == '\u115F' || r == '\u1160' || r == '\u3164' || r == '\uFFA0' { // Hangul fillers are blank
			return true
		}
	}
	return false
}

func joins(r, first rune) bool {
	return r >= first && !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r)
}

// checkNewFile is checkNewName for a file that the account does not have yet.
// Nothing compares the names of files, so their letters must be composed
// (Unicode's NFC), too.
func (s *Server) checkNewFile(ctx context.Context, id store.ClientID, name string) error {
	bad := checkNewName(name)
	if bad == nil && !norm.NFC.IsNormalString(name) {
		bad = errors.New("the name has letters with separate accents; write them composed (Unicode NFC)")
	}
	if bad == nil {
		return nil
	}
	if _, err := s.cfg.Catalog.Version(ctx, id, name, 0); err == nil {
		return nil
	} else if !errors.Is(err, store.ErrNoFile) {
		return err
	}
	return refuse(protocol.StatusInvalid, "filename: "+bad.Error())
}
