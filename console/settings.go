package console

import (
	"net/http"
	"slices"

	"coffer/console/contract"
	"coffer/internal/openapi"
	"coffer/server/settings"
)

// A Flag is a setting that the program was started with.
type Flag struct {
	Name     string // without dashes
	Variable string // of the environment
	Help     string
	Kind     contract.SettingKind
	Choices  []string
	Value    string // empty if Secret, and set, then "set"
	Origin   contract.SettingOrigin
	Secret   bool
}

// GetSettings lists what the server runs with: GET /api/settings.
func (c *Console) GetSettings(w http.ResponseWriter, r *http.Request) {
	c.answers.Reply(w, r, http.StatusOK, c.settings(), nil)
}

// settings returns all flags; a setting that can change at run time has its
// current value.
func (c *Console) settings() contract.SettingList {
	list := contract.SettingList{Settings: make([]contract.Setting, 0, len(c.cfg.Flags)), MasterKeyFile: c.cfg.MasterKeyFile}
	states := c.core.SettingStates()
	for _, f := range c.cfg.Flags {
		one := contract.Setting{Name: f.Name, Variable: f.Variable, Help: f.Help, Kind: f.Kind, Value: f.Value, Configured: f.Value, Origin: f.Origin, Secret: f.Secret}
		if len(f.Choices) > 0 {
			one.Choices = &f.Choices
		}
		if i := slices.IndexFunc(states, func(s settings.State) bool { return s.Flag == f.Name }); i >= 0 {
			one.Changeable, one.Value, one.Configured = true, states[i].Value, states[i].Configured
			if states[i].Changed {
				one.Origin = contract.SettingOriginConsole
			}
		}
		list.Settings = append(list.Settings, one)
	}
	return list
}

// ChangeSettings changes settings of the running server: PATCH /api/settings.
func (c *Console) ChangeSettings(w http.ResponseWriter, r *http.Request) {
	body, err := openapi.Decode[contract.SettingsChange](r)
	if err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	if err := c.core.ChangeSettings(r.Context(), value(body.Set, nil), value(body.Reset, nil)); err != nil {
		c.answers.Fail(w, r, err)
		return
	}
	c.answers.Reply(w, r, http.StatusOK, c.settings(), nil)
}
