package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"coffer/internal/program"
	"coffer/seal"
)

type keyCommand struct {
	Export keyExport `cmd:"" help:"Export the registration and keys to a file, encrypted with a passphrase."`
	Import keyImport `cmd:"" help:"Import an exported registration or a recovery file."`
}

// passphraseFlags are where a passphrase comes from, if not from a terminal or
// COFFER_PASSPHRASE.
type passphraseFlags struct {
	PassphraseFile string `name:"passphrase-file" type:"existingfile" env:"COFFER_PASSPHRASE_FILE" help:"File with the passphrase in its first line."`
}

type keyExport struct {
	passphraseFlags
	File  string `arg:"" type:"filename" help:"File to write."`
	Force bool   `help:"Overwrite an existing file."`
}

func (c *keyExport) Run(a *app) error {
	p, err := a.loadProfile()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(c.File); err == nil && !c.Force {
		return fmt.Errorf("%s already exists (--force replaces it)", c.File)
	}
	passphrase, err := c.newPassphrase(a, p.Username)
	if err != nil {
		return err
	}
	sealed, err := p.seal(passphrase)
	if err != nil {
		return err
	}
	if err := program.WritePrivate(c.File, sealed); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "exported the keys of %s to %s\n", program.Printable(p.Username), program.Printable(c.File))
	return err
}

// seal seals the profile with a passphrase, as the key bundle that it is
// carried in.
func (p *profile) seal(passphrase string) ([]byte, error) {
	content, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return seal.SealWithPassphrase(content, passphrase)
}

type keyImport struct {
	passphraseFlags
	connectFlags
	File   string `arg:"" type:"existingfile" help:"File from coffer key export, or an account's recovery file."`
	Server string `placeholder:"HOST:PORT" help:"Address of the server, instead of the one in the file. Recovery files from the web client contain none."`
	Force  bool   `help:"Replace this machine's registration. Its keys are lost."`
}

func (c *keyImport) Run(a *app) error {
	if err := a.refuseProfile(c.Force); err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	sealed, err := io.ReadAll(io.LimitReader(f, 2*seal.MaxBundle))
	if err != nil {
		return err
	}
	passphrase, err := c.passphrase(a, false)
	if err != nil {
		return err
	}
	content, err := seal.OpenWithPassphrase(sealed, passphrase)
	if err != nil {
		return fmt.Errorf("open %s: %w", c.File, err)
	}
	p, err := parseProfile(content)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.File, err)
	}
	if c.Server != "" {
		if p.Server, err = serverAddress(c.Server); err != nil {
			return err
		}
	}
	if p.Server == "" {
		return fmt.Errorf("%w: %s does not contain the server's address: add --server HOST:PORT", program.ErrUsage, c.File)
	}
	if err := c.connectFlags.apply(p); err != nil {
		return err
	}
	if err := a.saveProfile(p); err != nil {
		return err
	}
	a.beginMemory(p)
	_, err = fmt.Fprintf(a.stdout, "imported the keys of %s at %s\n", program.Printable(p.Username), program.Printable(p.Server))
	return err
}

// newPassphrase gets one that nobody guesses.
func (c passphraseFlags) newPassphrase(a *app, username string) (string, error) {
	p, err := c.passphrase(a, true)
	if err != nil {
		return "", err
	}
	if err := checkStrength(p, username); err != nil {
		return "", fmt.Errorf("%w: %w", program.ErrUsage, err)
	}
	return p, nil
}

// passphrase gets one that is not empty; one typed for a new file is asked for
// twice.
func (c passphraseFlags) passphrase(a *app, isNew bool) (string, error) {
	p, err := c.read(a, isNew)
	if err == nil && !utf8.ValidString(p) {
		return "", errors.New("the input is not valid UTF-8: check the terminal's encoding")
	}
	if err == nil && p == "" {
		return "", errors.New("the passphrase is empty")
	}
	return p, err
}

func (c passphraseFlags) read(a *app, isNew bool) (string, error) {
	if c.PassphraseFile != "" {
		content, err := os.ReadFile(c.PassphraseFile)
		if err != nil {
			return "", err
		}
		return passphraseLine(c.PassphraseFile, string(content))
	}
	if p, _ := a.env("COFFER_PASSPHRASE"); p != "" {
		if !utf8.ValidString(p) {
			return "", errors.New("COFFER_PASSPHRASE is not valid UTF-8")
		}
		return p, nil
	}
	terminal, ok := a.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		return "", errors.New("no terminal to read the passphrase from: use --passphrase-file or COFFER_PASSPHRASE")
	}
	first, err := a.prompt(terminal, "Passphrase: ")
	if err != nil || !isNew {
		return first, err
	}
	second, err := a.prompt(terminal, "Confirm passphrase: ")
	if err == nil && first != second {
		err = errors.New("the passphrases do not match")
	}
	return first, err
}

// passphraseLine is the first line of a file that holds a passphrase. It must be
// what would be typed elsewhere: an editor's byte order mark, or another
// encoding, would make it another one.
func passphraseLine(file, content string) (string, error) {
	line, _, _ := strings.Cut(content, "\n")
	line = strings.TrimSuffix(line, "\r")
	switch {
	case strings.HasPrefix(content, "\xff\xfe"), strings.HasPrefix(content, "\xfe\xff"), strings.ContainsRune(line, 0):
		return "", fmt.Errorf("%s is UTF-16 or not text: save it as UTF-8", file)
	case strings.HasPrefix(content, "\ufeff"):
		return "", fmt.Errorf("%s begins with a byte order mark: save it without one", file)
	case !utf8.ValidString(line):
		return "", fmt.Errorf("%s is not valid UTF-8: save it as UTF-8", file)
	}
	return line, nil
}

func (a *app) prompt(terminal *os.File, question string) (string, error) {
	fmt.Fprint(a.stderr, question)
	answer, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(a.stderr)
	if err != nil {
		return "", fmt.Errorf("read the passphrase: %w", err)
	}
	return string(answer), nil
}
