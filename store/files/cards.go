package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"time"

	"coffer/store"
)

const tempSuffix = ".tmp"

// A card is a client's record as a person can read it.
type card struct {
	ID           hexBytes  `json:"id"`
	Name         string    `json:"name"`
	Kind         string    `json:"kind"`
	PublicKey    []byte    `json:"public_key_base64"`
	OAEPHash     string    `json:"oaep_hash"`
	PasswordHash string    `json:"password_hash"`
	Suspended    bool      `json:"suspended"`
	Created      time.Time `json:"created"`
	KeyBundle    []byte    `json:"key_bundle_base64"`
}

// cardName names a card so that a listing of the folder reveals no id.
func cardName(id store.ClientID) string {
	hash := sha256.Sum256(id[:])
	return path.Join(clientsDir, hex.EncodeToString(hash[:16])+sidecarSuffix)
}

// PutCard keeps a client's record and its key bundle.
func (s *Store) PutCard(ctx context.Context, c store.Client, bundle []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b, err := json.MarshalIndent(card{
		ID:           c.ID[:],
		Name:         c.Name,
		Kind:         c.Kind,
		PublicKey:    c.PublicKey,
		OAEPHash:     c.OAEPHash,
		PasswordHash: c.PasswordHash,
		Suspended:    c.Suspended,
		Created:      c.Created.UTC(),
		KeyBundle:    bundle,
	}, "", "  ")
	if err == nil {
		err = s.replaceCard(cardName(c.ID), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep a client's card: %w", explain(err))
	}
	return nil
}

func (s *Store) replaceCard(name string, b []byte) error {
	s.cards.Lock()
	defer s.cards.Unlock()
	if err := writeSynced(s.root, name+tempSuffix, b); err != nil {
		return err
	}
	if err := s.root.Rename(name+tempSuffix, name); err != nil {
		return err
	}
	return syncDir(s.root, clientsDir)
}

// RemoveCard removes a client's card, if there is one.
func (s *Store) RemoveCard(ctx context.Context, id store.ClientID) error {
	err := ctx.Err()
	if err == nil {
		err = ifThere(s.root.Remove(cardName(id)))
	}
	if err == nil {
		err = syncDir(s.root, clientsDir)
	}
	if err != nil {
		return fmt.Errorf("remove a client's card: %w", explain(err))
	}
	return nil
}

// Cards visits every card. It goes on past damaged ones and reports them at
// its end.
func (s *Store) Cards(ctx context.Context, visit func(store.Client, []byte) error) error {
	files, err := names(s.root, clientsDir)
	if err != nil {
		return fmt.Errorf("read the clients' cards: %w", err)
	}
	var harm damage
	for _, name := range files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !strings.HasSuffix(name, sidecarSuffix) {
			continue
		}
		b, err := s.root.ReadFile(path.Join(clientsDir, name))
		if err != nil {
			if ifThere(err) == nil {
				continue // removed since
			}
			return fmt.Errorf("read the clients' cards: %w", err)
		}
		c, bundle, ok := decodeCard(b)
		if !ok {
			harm.add(path.Join(clientsDir, name))
			continue
		}
		if err := visit(c, bundle); err != nil {
			return err
		}
	}
	return harm.err()
}

func decodeCard(b []byte) (c store.Client, bundle []byte, ok bool) {
	var d card
	if err := json.Unmarshal(b, &d); err != nil || len(d.ID) != len(c.ID) {
		return store.Client{}, nil, false
	}
	return store.Client{
		ID:           store.ClientID(d.ID),
		Name:         d.Name,
		Kind:         d.Kind,
		PublicKey:    clone(d.PublicKey),
		OAEPHash:     d.OAEPHash,
		PasswordHash: d.PasswordHash,
		Suspended:    d.Suspended,
		Created:      d.Created.UTC(),
	}, clone(d.KeyBundle), true
}

// sweepCards removes cards that a crash left half written.
func (s *Store) sweepCards() error {
	files, err := names(s.root, clientsDir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if strings.HasSuffix(name, tempSuffix) {
			if err := s.root.Remove(path.Join(clientsDir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}
