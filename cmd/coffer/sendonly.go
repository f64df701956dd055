package main

import (
	"fmt"

	"filippo.io/age"

	"coffer/internal/program"
	"coffer/snapshot"
)

// sendOnly reports whether the profile is a send-only machine's.
func (p *profile) sendOnly() bool { return p.Machine != "" }

// onlySends says what such a profile is for, and where the rest is done.
func (p *profile) onlySends() error {
	return fmt.Errorf("this profile can only send backups, as the machine %s of %s: use coffer backup here, and do everything else, such as restoring, where the account's keys are",
		program.Printable(p.Machine), program.Printable(p.Username))
}

// machineKeys are the snapshot keys of a send-only profile, and what it
// encrypts to.
func (p *profile) machineKeys() (*snapshot.Keys, age.Recipient, error) {
	keys, err := snapshot.ImportKeys(p.Keys)
	if err != nil || keys.Machine() == (snapshot.MachineID{}) {
		return nil, nil, errProfile
	}
	to, err := snapshot.ParseRecipient(p.Recipient)
	if err != nil {
		return nil, nil, errProfile
	}
	return keys, to, nil
}
