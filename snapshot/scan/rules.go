package scan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"coffer/internal/fileattr"
)

// Rules say what is left out. The zero Rules leave nothing out.
//
// A pattern is one of names, or of names with slashes between them:
//
//   - "*" stands for any part of a name, "?" for one character, "[a-z]" for one
//     of several, "{a,b}" for one or the other, "**" for any number of folders.
//   - A pattern that begins with a slash is one of whole paths; any other is
//     found at any depth: "cache" is every cache, "tmp/*.o" what is so named in
//     every tmp.
//   - A pattern that ends with a slash is one of folders alone.
//   - "!" before a pattern takes back what one before it left out. What lies in
//     a folder that is left out is not looked at, and cannot be taken back.
//
// The last pattern that fits decides.
type Rules struct {
	patterns []pattern
	tags     []tag
	largest  uint64
	files    bool // .cofferignore is read
}

// ErrPattern: a pattern cannot be read.
var ErrPattern = errors.New("not a pattern")

// ignoreName is the name of files with patterns for the folder that they lie in.
const ignoreName = ".cofferignore"

// A pattern decides about paths.
type pattern struct {
	glob   string // of a whole path, or of one name
	name   bool   // glob is of one name
	base   string // the last part of a glob of paths: it is compared first
	folder bool   // of folders alone
	keep   bool   // takes back
	fold   bool   // upper and lower case are the same
	rule   string // as a person wrote it
	below  string // "" or the path of the folder that it is for, with a slash at its end
}

// Exclude adds a pattern. Fold ignores case. The rule is what a person
// reads about what the pattern leaves out.
func (r *Rules) Exclude(text, rule string, fold bool) error {
	p, err := newPattern(text, rule, fold)
	if err == nil {
		r.patterns = append(r.patterns, p)
	}
	return err
}

// ExcludeLines adds the patterns of a file, a line each: empty lines and those
// that begin with "#" are passed over, a "\" before "#" or "!" takes them as they
// are.
func (r *Rules) ExcludeLines(text []byte, name string) error {
	patterns, err := readPatterns(text, name)
	r.patterns = append(r.patterns, patterns...)
	return err
}

// ExcludeLarger leaves out files of more than so many bytes; 0 leaves out none.
func (r *Rules) ExcludeLarger(size uint64) { r.largest = size }

// ExcludeIfPresent leaves out what lies in folders that hold a file of a name,
// but for that file. Header is what the file begins with, "" for anything.
func (r *Rules) ExcludeIfPresent(name, header, rule string) error {
	if name == "" || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%w: %q is not the name of a file", ErrPattern, name)
	}
	r.tags = append(r.tags, tag{name, header, rule})
	return nil
}

// ExcludeCaches leaves out what lies in folders that are marked as caches
// (https://bford.info/cachedir/).
func (r *Rules) ExcludeCaches() {
	r.tags = append(r.tags, tag{"CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55", "--exclude-caches"})
}

// ReadIgnoreFiles has patterns read from files named .cofferignore, for the
// folders that they lie in and all below.
func (r *Rules) ReadIgnoreFiles() { r.files = true }

func newPattern(text, rule string, fold bool) (pattern, error) {
	p := pattern{rule: rule, fold: fold}
	glob := text
	if rest, ok := strings.CutPrefix(glob, "!"); ok {
		p.keep, glob = true, rest
	}
	if strings.HasPrefix(glob, `\!`) || strings.HasPrefix(glob, `\#`) {
		glob = glob[1:]
	}
	if rest, ok := strings.CutSuffix(glob, "/"); ok {
		p.folder, glob = true, rest
	}
	if fold {
		glob = strings.ToLower(glob)
	}
	anchored := strings.HasPrefix(glob, "/")
	if glob == "" || !doublestar.ValidatePattern(glob) {
		return p, fmt.Errorf("%w: %q", ErrPattern, text)
	}
	p.glob, p.name = glob, !strings.Contains(glob, "/")
	if !p.name {
		p.glob = path.Clean(glob)
		p.base = path.Base(p.glob)
		if strings.ContainsAny(p.base, "{}[]") || p.base == "**" {
			p.base = "*" // what stands in brackets may have slashes in it
		}
		if !anchored {
			p.glob = "/**/" + p.glob
		}
	}
	return p, nil
}

// match reports whether a pattern fits something.
func (p *pattern) match(name, full string, folder bool) bool {
	if p.folder && !folder {
		return false
	}
	if p.below != "" {
		rest, ok := strings.CutPrefix(full, p.below)
		if !ok {
			return false
		}
		full = "/" + rest
	}
	if p.fold {
		name, full = strings.ToLower(name), strings.ToLower(full)
	}
	if p.name {
		return doublestar.MatchUnvalidated(p.glob, name)
	}
	return doublestar.MatchUnvalidated(p.base, name) && doublestar.MatchUnvalidated(p.glob, full)
}

func readPatterns(text []byte, name string) (patterns []pattern, err error) {
	for line := range strings.SplitSeq(string(text), "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p, bad := newPattern(line, fmt.Sprintf("%s: %s", name, line), false)
		if bad != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, bad))
			continue
		}
		patterns = append(patterns, p)
	}
	return patterns, err
}

// A tag is a file that has what lies beside it left out.
type tag struct{ name, header, rule string }

// dirRules are what files in a folder say of what lies in it.
type dirRules struct {
	patterns []pattern // of .cofferignore, the outer ones first
	tag      *tag      // all but the tag itself is left out
}

// readRules reads them. They hold for folders below as well.
func (d *Dir) readRules(r *Rules, outer *Dir) error {
	if outer != nil {
		d.rules.patterns = outer.rules.patterns
	}
	for i := range r.tags {
		t := &r.tags[i]
		if _, found := slices.BinarySearch(d.Names, t.name); found && d.begins(t.name, t.header) {
			d.rules.tag = t
			return nil
		}
	}
	if !r.files {
		return nil
	}
	if _, found := slices.BinarySearch(d.Names, ignoreName); !found {
		return nil
	}
	text, err := d.readSmall(ignoreName)
	if err != nil {
		return fmt.Errorf("its %s cannot be read: %s", ignoreName, Reason(err))
	}
	patterns, err := readPatterns(text, join(d.Path, ignoreName))
	for i := range patterns {
		patterns[i].below = strings.TrimSuffix(d.Path, "/") + "/"
	}
	d.rules.patterns = append(slices.Clip(d.rules.patterns), patterns...)
	return err
}

// maxIgnore is how large a file of patterns may be, in bytes.
const maxIgnore = 1 << 20

func (d *Dir) readSmall(name string) ([]byte, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|fileattr.OpenNonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("it is no regular file"))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxIgnore+1))
	if err == nil && len(text) > maxIgnore {
		err = fmt.Errorf("it has more than %d bytes", maxIgnore)
	}
	return text, err
}

// begins reports whether a file begins with a header.
func (d *Dir) begins(name, header string) bool {
	if header == "" {
		_, err := d.root.Lstat(name)
		return err == nil
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|fileattr.OpenNonblock, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	begin := make([]byte, len(header))
	_, err = io.ReadFull(f, begin)
	return err == nil && bytes.Equal(begin, []byte(header))
}

// match is the rule that leaves something out, "" if none does.
func (r *Rules) match(outer *Dir, name, full string, info fs.FileInfo) string {
	if t := outer.rules.tag; t != nil && name != t.name {
		return t.rule
	}
	folder := info.IsDir()
	for _, patterns := range [][]pattern{outer.rules.patterns, r.patterns} {
		for i := range slices.Backward(patterns) {
			p := &patterns[i]
			if !p.match(name, full, folder) {
				continue
			}
			if !p.keep {
				return p.rule
			}
			break
		}
	}
	if r.largest > 0 && info.Mode().IsRegular() && uint64(info.Size()) > r.largest {
		return "--exclude-larger-than"
	}
	return ""
}

// A Pattern is a single pattern of the kind that [Rules] consist of.
type Pattern struct{ p pattern }

// NewPattern reads a pattern. Fold takes upper and lower case for the same.
func NewPattern(text string, fold bool) (Pattern, error) {
	p, err := newPattern(text, text, fold)
	return Pattern{p}, err
}

// Match reports whether the pattern fits a path, with slashes, that begins
// where a pattern of whole paths does.
func (p Pattern) Match(full string, folder bool) bool {
	full = "/" + strings.TrimPrefix(full, "/")
	return p.p.match(path.Base(full), full, folder) != p.p.keep
}
