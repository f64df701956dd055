package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"coffer/internal/program"
)

// defaultProfile is the profile of a machine with one account. It lies in the
// folder in which the others have folders of their own.
const defaultProfile = "default"

// base is the folder of all profiles.
func (a *app) base() (string, error) {
	if dir, ok := a.env("COFFER_HOME"); ok && dir != "" {
		return dir, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the profile folder: %w", err)
	}
	return filepath.Join(dir, "coffer"), nil
}

// home is the folder of the profile in use.
func (a *app) home() (string, error) {
	name, err := a.profileName()
	if err != nil {
		return "", err
	}
	return a.homeOf(name)
}

func (a *app) homeOf(name string) (string, error) {
	base, err := a.base()
	if err != nil || name == defaultProfile {
		return base, err
	}
	return filepath.Join(base, "profiles", name), nil
}

// cacheFolder is where this machine remembers what is in snapshots of the profile
// in use.
func (a *app) cacheFolder() (string, error) {
	name, err := a.profileName()
	if err != nil {
		return "", err
	}
	return a.cacheFolderOf(name)
}

func (a *app) cacheFolderOf(name string) (string, error) {
	dir, ok := a.env("COFFER_CACHE")
	if !ok || dir == "" {
		var err error
		if home, set := a.env("COFFER_HOME"); set && home != "" {
			dir = filepath.Join(home, "cache")
		} else if dir, err = os.UserCacheDir(); err == nil {
			dir = filepath.Join(dir, "coffer")
		} else if dir, err = a.base(); err == nil {
			dir = filepath.Join(dir, "cache")
		} else {
			return "", err
		}
	}
	if name != defaultProfile {
		dir = filepath.Join(dir, "profiles", name)
	}
	return dir, nil
}

// profileName is the profile in use: the one asked for, or else the one chosen.
func (a *app) profileName() (string, error) {
	if a.profile != "" {
		return a.profile, nil
	}
	return a.chosenProfile()
}

// chosenPath is the file with the name of the profile that is used unless another
// is asked for.
func (a *app) chosenPath() (string, error) {
	base, err := a.base()
	return filepath.Join(base, "profile-in-use"), err
}

func (a *app) chosenProfile() (string, error) {
	path, err := a.chosenPath()
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return defaultProfile, nil
	}
	if err != nil {
		return "", fmt.Errorf("find the profile in use: %w", err)
	}
	name := strings.TrimSpace(string(content))
	if checkProfileName(name) != nil {
		return "", fmt.Errorf("%s is damaged: choose a profile with coffer profile use", path)
	}
	return name, nil
}

var profileNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// checkProfileName refuses a name that could not be that of a folder everywhere.
func checkProfileName(name string) error {
	if !profileNames.MatchString(name) || !filepath.IsLocal(name) {
		return fmt.Errorf("%w: %q is not a valid profile name: use up to 64 letters, digits, - and _", program.ErrUsage, name)
	}
	return nil
}

// profileFlag is what a command needs for the profile that was asked for.
func (a *app) profileFlag() string {
	if a.profile == "" {
		return ""
	}
	return " --profile " + a.profile
}

// emptyProfile says how to fill the profile in use.
func (a *app) emptyProfile() error {
	name, err := a.profileName()
	if err != nil {
		return err
	}
	if name == defaultProfile {
		return fmt.Errorf("not registered yet: create an account with coffer register%[1]s --server HOST:PORT --name NAME, or set up an existing one with coffer sign-in%[1]s or coffer key import%[1]s", a.profileFlag())
	}
	is := "is empty"
	if ok, err := a.hasProfile(name); err != nil || !ok {
		is = "does not exist"
	}
	return fmt.Errorf("the profile %s %s: %s", name, is, howToFill(name))
}

func howToFill(name string) string {
	return fmt.Sprintf("create an account with coffer register --profile %[1]s --server HOST:PORT --name NAME, or set up an existing one with coffer sign-in --profile %[1]s or coffer key import --profile %[1]s", name)
}

// hasProfile reports whether there is a profile of a name, even an empty one.
func (a *app) hasProfile(name string) (bool, error) {
	if name == defaultProfile {
		return true, nil
	}
	dir, err := a.homeOf(name)
	if err != nil {
		return false, err
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.IsDir(), err
}

// needProfile fails if there is no profile of a name.
func (a *app) needProfile(name string) error {
	if err := checkProfileName(name); err != nil {
		return err
	}
	ok, err := a.hasProfile(name)
	if err == nil && !ok {
		err = fmt.Errorf("there is no profile %s: coffer profile list shows all", name)
	}
	return err
}
