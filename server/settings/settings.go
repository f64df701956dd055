// Package settings holds what can be changed while the core runs: which values
// there are, what they may be, which are in force, and what of that was changed.
//
// A setting is named by its flag everywhere, and a change gives it as text, as
// the command line does. Changes are kept, and win over flags in later runs.
package settings

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Keeper keeps values under keys.
type Keeper interface {
	Setting(ctx context.Context, key string) ([]byte, error)
	SetSetting(ctx context.Context, key string, value []byte) error
}

// keptKey is the key under which changes are kept.
const keptKey = "settings"

// Settings are the values in force, and where they come from.
type Settings struct {
	// Static after Load.
	configured Values
	keeper     Keeper
	enforce    func(Values)

	inForce atomic.Pointer[Values]
	mu      sync.Mutex // guards changed, and is held while settings change
	changed map[string]string
}

// Load takes up what was changed in an earlier run. It gives enforce the values
// in force, and again after each change. A change that the table does not allow
// any more is passed over and logged.
func Load(ctx context.Context, keeper Keeper, configured Values, enforce func(Values), log *slog.Logger) (*Settings, error) {
	s := &Settings{configured: configured, keeper: keeper, enforce: enforce, changed: make(map[string]string)}
	kept, err := readKept(ctx, keeper)
	if err != nil {
		return nil, fmt.Errorf("reading the settings that were changed: %w", err)
	}
	inForce := configured
	for _, r := range table() {
		text, there := kept[r.flag]
		if !there {
			continue
		}
		with := inForce
		if err := r.set(&with, text); err != nil {
			log.Warn("a setting that was changed at run time is not valid any more", "setting", r.flag, "value", text, "error", err)
			continue
		}
		inForce, s.changed[r.flag] = with, r.get(&with)
	}
	if len(s.changed) > 0 {
		log.Info("settings that were changed at run time win over flags and environment", "settings", strings.Join(slices.Sorted(maps.Keys(s.changed)), " "))
	}
	s.inForce.Store(&inForce)
	enforce(inForce)
	return s, nil
}

// readKept reads changes: flags and texts. Earlier versions kept field names
// and numbers.
func readKept(ctx context.Context, keeper Keeper) (map[string]string, error) {
	text, err := keeper.Setting(ctx, keptKey)
	if err != nil || text == nil {
		return nil, err
	}
	var raw map[string]any
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	kept := make(map[string]string, len(raw))
	for name, value := range raw {
		flag := strings.ReplaceAll(name, "_", "-")
		switch v := value.(type) {
		case string:
			kept[flag] = v
		case bool:
			kept[flag] = switches().format(v)
		case float64:
			kept[flag] = fmt.Sprint(int64(v))
			if i := find(flag); i >= 0 && table()[i].kind == Duration {
				kept[flag] = durations().format(time.Duration(v))
			}
		}
	}
	return kept, nil
}

func find(flag string) int {
	return slices.IndexFunc(table(), func(r row) bool { return r.flag == flag })
}

// Values are those in force.
func (s *Settings) Values() Values { return *s.inForce.Load() }

// A State is one setting as it stands.
type State struct {
	Flag       string
	Kind       Kind
	Value      string // in force
	Configured string // what the core was started with
	Changed    bool   // at run time
}

// States are all settings.
func (s *Settings) States() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	inForce, configured := s.Values(), s.configured
	var all []State
	for _, r := range table() {
		_, changed := s.changed[r.flag]
		all = append(all, State{Flag: r.flag, Kind: r.kind, Value: r.get(&inForce), Configured: r.get(&configured), Changed: changed})
	}
	return all
}

// Change gives settings new values, by flag, and those to reset the ones the
// core was started with. It returns in words what became different. If one
// cannot be so, that is an *Error, and nothing has changed.
func (s *Settings) Change(ctx context.Context, set map[string]string, reset []string) (differences []string, err error) {
	for flag := range set {
		if slices.Contains(reset, flag) {
			return nil, &Error{Flag: flag, Reason: "cannot be set and reset at once"}
		}
	}
	for _, flag := range slices.Concat(slices.Sorted(maps.Keys(set)), reset) {
		if find(flag) < 0 {
			return nil, &Error{Flag: flag, Reason: "no such setting, or none that can change while the server runs"}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := maps.Clone(s.changed)
	for _, flag := range reset {
		delete(changed, flag)
	}
	before, inForce := s.Values(), s.configured
	for _, r := range table() {
		text, given := set[r.flag]
		if !given {
			if text, given = changed[r.flag]; !given {
				continue
			}
		}
		if err := r.set(&inForce, text); err != nil {
			return nil, err
		}
		changed[r.flag] = r.get(&inForce)
	}
	text, err := json.Marshal(changed)
	if err == nil {
		err = s.keeper.SetSetting(ctx, keptKey, text)
	}
	if err != nil {
		return nil, fmt.Errorf("keeping the settings: %w", err)
	}
	s.changed = changed
	s.inForce.Store(&inForce)
	s.enforce(inForce)
	for _, r := range table() {
		if was, is := r.get(&before), r.get(&inForce); was != is {
			differences = append(differences, fmt.Sprintf("%s from %s to %s", r.flag, was, is))
		}
	}
	return differences, nil
}
