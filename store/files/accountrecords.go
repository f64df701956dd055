package files

import (
	"context"
	"crypto/rand"
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

// An accountRecord is a store.AccountRecord as a person can read it.
type accountRecord struct {
	ID           hexBytes  `json:"id"`
	Name         string    `json:"name"`
	Kind         string    `json:"kind"`
	PublicKey    []byte    `json:"public_key_base64"`
	OAEPHash     string    `json:"oaep_hash"`
	PasswordHash string    `json:"password_hash"`
	Suspended    bool      `json:"suspended"`
	Created      time.Time `json:"created"`
	KeyBundle    []byte    `json:"key_bundle_base64"`
	BaseClosed   *bool     `json:"base_closed"` // nil in account records of earlier versions
	APIID        hexBytes  `json:"api_id"`

	FormerKeys []formerKey `json:"former_keys,omitempty"`
}

// A formerKey is a key or bundle that another has replaced.
type formerKey struct {
	Kind         store.FormerKeyKind `json:"kind"`
	Since        time.Time           `json:"since"`
	Until        time.Time           `json:"until"`
	Value        []byte              `json:"value_base64"`
	OAEPHash     string              `json:"oaep_hash,omitempty"`
	PasswordHash string              `json:"password_hash,omitempty"`
}

// accountRecordName names an account record so that a listing of the folder
// reveals no id.
func accountRecordName(id store.ClientID) string {
	return path.Join(clientsDir, hashOf(id)+sidecarSuffix)
}

// hashOf is what names stand for a client with.
func hashOf(id store.ClientID) string {
	hash := sha256.Sum256(id[:])
	return hex.EncodeToString(hash[:16])
}

// PutAccountRecord writes a client's account record.
func (s *Store) PutAccountRecord(ctx context.Context, kept store.AccountRecord) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &kept.Client
	d := accountRecord{
		ID:           c.ID[:],
		Name:         c.Name,
		Kind:         c.Kind,
		PublicKey:    c.PublicKey,
		OAEPHash:     c.OAEPHash,
		PasswordHash: c.PasswordHash,
		Suspended:    c.Suspended,
		Created:      c.Created.UTC(),
		KeyBundle:    kept.Bundle,
		BaseClosed:   &c.BaseClosed,
	}
	if !c.APIID.IsZero() {
		d.APIID = c.APIID[:]
	}
	for _, k := range kept.Former {
		d.FormerKeys = append(d.FormerKeys, formerKey{Kind: k.Kind, Since: k.Since.UTC(), Until: k.Until.UTC(),
			Value: k.Value, OAEPHash: k.OAEPHash, PasswordHash: k.PasswordHash})
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		err = s.replaceAccountRecord(accountRecordName(c.ID), append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep a client's account record: %w", explain(err))
	}
	return nil
}

func (s *Store) replaceAccountRecord(name string, b []byte) error {
	s.accountRecords.Lock()
	defer s.accountRecords.Unlock()
	if err := writeSynced(s.root, name+tempSuffix, b); err != nil {
		return err
	}
	if err := s.root.Rename(name+tempSuffix, name); err != nil {
		return err
	}
	return syncDir(s.root, clientsDir)
}

// RemoveAccountRecord removes a client's account record, if there is one.
func (s *Store) RemoveAccountRecord(ctx context.Context, id store.ClientID) error {
	err := ctx.Err()
	if err == nil {
		err = ifThere(s.root.Remove(accountRecordName(id)))
	}
	if err == nil {
		err = syncDir(s.root, clientsDir)
	}
	if err != nil {
		return fmt.Errorf("remove a client's account record: %w", explain(err))
	}
	return nil
}

// AccountRecords visits every account record. It continues past damaged ones
// and reports them at its end.
func (s *Store) AccountRecords(ctx context.Context, visit func(store.AccountRecord) error) error {
	files, err := names(s.root, clientsDir)
	if err != nil {
		return fmt.Errorf("read the account records: %w", err)
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
			return fmt.Errorf("read the account records: %w", err)
		}
		c, ok := decodeAccountRecord(b)
		if !ok {
			harm.add(path.Join(clientsDir, name))
			continue
		}
		if err := visit(c); err != nil {
			return err
		}
	}
	return harm.err()
}

func decodeAccountRecord(b []byte) (store.AccountRecord, bool) {
	var d accountRecord
	var c store.Client
	if err := json.Unmarshal(b, &d); err != nil || len(d.ID) != len(c.ID) {
		return store.AccountRecord{}, false
	}
	c = store.Client{
		ID:           store.ClientID(d.ID),
		Name:         d.Name,
		Kind:         d.Kind,
		PublicKey:    clone(d.PublicKey),
		OAEPHash:     d.OAEPHash,
		PasswordHash: d.PasswordHash,
		Suspended:    d.Suspended,
		Created:      d.Created.UTC(),
	}
	copy(c.APIID[:], d.APIID)
	kept := store.AccountRecord{Bundle: clone(d.KeyBundle), Early: d.BaseClosed == nil}
	if kept.Early {
		earlyAccess(&c, kept.Bundle != nil)
	} else {
		c.BaseClosed = *d.BaseClosed
	}
	kept.Client = c
	for _, k := range d.FormerKeys {
		kept.Former = append(kept.Former, store.FormerKey{Kind: k.Kind, Since: k.Since.UTC(), Until: k.Until.UTC(),
			Value: clone(k.Value), OAEPHash: k.OAEPHash, PasswordHash: k.PasswordHash})
	}
	return kept, true
}

// earlyAccess sets what the account record of an earlier version does not say.
// Who registered over HTTP has no other id than the one there is, and is no
// base client; a cpp_client may be one of an earlier server's.
func earlyAccess(c *store.Client, hasBundle bool) {
	overHTTP := c.Kind == "web_client" || c.Kind == "api_client" || c.Kind == "cpp_client" && c.PasswordHash != ""
	switch {
	case overHTTP:
		c.APIID = store.APIID(c.ID)
	case c.PasswordHash != "":
		rand.Read(c.APIID[:])
	}
	c.BaseClosed = overHTTP || c.PasswordHash != "" || hasBundle
}

// sweepAccountRecords removes account records that a crash left half written.
func (s *Store) sweepAccountRecords() error {
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
