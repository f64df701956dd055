package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"coffer/internal/alike"
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

// checkNewName refuses a name for a client that looks like others to a person
// by spaces around it, or by characters that are not seen or that turn the
// direction of writing. Names that there are stay what they are. Accents may
// stand by themselves: Vietnamese and pointed Hebrew have them so in Windows'
// code pages. Package alike sees through these.
func checkNewName(name string) error {
	if err := protocol.CheckName(name); err != nil {
		return err
	}
	if strings.TrimFunc(name, unicode.IsSpace) != name {
		return errEdge
	}
	if r, ok := alike.Undrawn(name); ok {
		return notSeen(r)
	}
	return nil
}

var errEdge = errors.New("the name begins or ends with a space")

func notSeen(r rune) error {
	return fmt.Errorf("the name has a character that is not seen, or not everywhere the same: %U", r)
}

// formatting is the first formatting character of a name. The joiners that
// stand between letters of some scripts, and between parts of an emoji, are
// part of how these are written.
func formatting(name string) (found rune, ok bool) {
	const joiner, nonJoiner, firstJoined = '\u200D', '\u200C', '\u0590'
	runes := []rune(name)
	for i, r := range runes {
		if r == joiner || r == nonJoiner {
			if i == 0 || i == len(runes)-1 || !joins(runes[i-1], firstJoined) || !joins(runes[i+1], firstJoined) {
				return r, true
			}
		} else if unicode.Is(unicode.Cf, r) || r == '\u115F' || r == '\u1160' || r == '\u3164' || r == '\uFFA0' { // Hangul fillers are blank
			return r, true
		}
	}
	return 0, false
}

func joins(r, first rune) bool {
	return r >= first && !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r)
}

// checkNew refuses a name for a file that the account does not have yet by
// spaces around it and by formatting characters; it is laxer than checkNewName,
// for files are named by systems that know more characters than people do.
// Nothing compares the names of files, so their letters must be composed
// (Unicode's NFC), too. The file names of base clients are let alone.
func (fs *files) checkNew(ctx context.Context, id store.ClientID, name string) error {
	bad := protocol.CheckName(name)
	if r, ok := formatting(name); bad == nil && ok {
		bad = notSeen(r)
	}
	switch {
	case bad != nil:
	case strings.TrimFunc(name, unicode.IsSpace) != name:
		bad = errEdge
	case !norm.NFC.IsNormalString(name):
		bad = errors.New("the name has letters with separate accents; write them composed (Unicode NFC)")
	}
	if bad == nil {
		return nil
	}
	if _, err := fs.catalog.Version(ctx, id, name, 0); err == nil {
		return nil
	} else if !errors.Is(err, store.ErrNoFile) {
		return err
	}
	return refuse(protocol.StatusInvalid, "filename: "+bad.Error())
}
