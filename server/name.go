package server

import (
	"strings"
	"unicode/utf8"

	"coffer/protocol"
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
