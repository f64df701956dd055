package snapshot

import (
	"fmt"
	"strings"

	"filippo.io/age"
)

// Bounds of a mend record.
const (
	MaxMend       = 1 << 20 // sealed, as the server accepts it
	MaxMendPlaces = 10_000  // more go into further records
)

// mendLine begins every mend record, so that it passes as no manifest.
const mendLine = `{"format":"coffer mend","version":1}` + "\n"

// SealMend seals a mend record: where chunks lie now whose packs were lost or
// damaged. It has the form of a list piece after a line of its own, with an
// HMAC, as an age file.
func SealMend(places []Place, keys *Keys, to age.Recipient) ([]byte, error) {
	if len(places) > MaxMendPlaces {
		return nil, fmt.Errorf("write a mend record: %w", ErrTooLarge)
	}
	var packs packTable
	var lines []byte
	for i := range places {
		if err := places[i].check(); err != nil {
			return nil, fmt.Errorf("write a mend record: %w", err)
		}
		lines = append(appendPlace(lines, &places[i], &packs), '\n')
	}
	record := append(packs.appendTable([]byte(mendLine)), lines...)
	sealed, err := seal(keys.sign(record), to)
	if err == nil && len(sealed) > MaxMend {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("write a mend record: %w", err)
	}
	return sealed, nil
}

// OpenMend opens what [SealMend] returned. It fails with ErrForged if it was not
// written with these keys.
func OpenMend(sealed []byte, id age.Identity, keys *Keys) ([]Place, error) {
	if len(sealed) > MaxMend {
		return nil, fmt.Errorf("read a mend record: %w", ErrTooLarge)
	}
	content, err := unseal(sealed, id)
	if err != nil {
		return nil, fmt.Errorf("read a mend record: %w", err)
	}
	places, err := readMend(content, keys)
	if err != nil {
		return nil, fmt.Errorf("read a mend record: %w", err)
	}
	return places, nil
}

func readMend(content []byte, keys *Keys) ([]Place, error) {
	record, sum, err := splitSigned(content)
	if err != nil {
		return nil, err
	}
	if !keys.signed(record, sum) {
		return nil, ErrForged
	}
	return decodeMend(string(record))
}

func decodeMend(record string) ([]Place, error) {
	if !strings.HasPrefix(record, mendLine) {
		return nil, malformed("not a mend record of this version")
	}
	s := scanner{text: record, at: len(mendLine)}
	packs := s.table(nil, PackID{})
	var places []Place
	for s.err == nil && s.at < len(s.text) {
		p := s.place(packs)
		s.byte('\n')
		if p.Pack == (PackID{}) {
			s.fail("a mend record lies in no pack")
		}
		if len(places) == MaxMendPlaces {
			s.fail("too many places")
		}
		places = append(places, p)
	}
	if s.err != nil {
		return nil, s.err
	}
	return places, nil
}
