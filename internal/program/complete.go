package program

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// completeArg is the first argument by which a shell requests completion.
const completeArg = "__complete"

//go:embed completion
var shells embed.FS

// CompletionCommand prints a script that makes a shell complete the program's
// command line. The script asks the program itself, by completeArg.
type CompletionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"${enum}."`
}

// Run prints the script.
func (c CompletionCommand) Run(p Program, std Streams) error {
	script, err := shells.ReadFile("completion/" + c.Shell)
	if err != nil {
		return fmt.Errorf("reading the script for %s: %w", c.Shell, err)
	}
	function := strings.ReplaceAll(p.Name, "-", "_")
	_, err = strings.NewReplacer("NAME", p.Name, "FUNC", function).WriteString(std.Out, string(script))
	return err
}

// A candidate is a possible completion.
type candidate struct {
	word, help string
}

// What may follow besides words; the shell knows which there are.
var (
	anyFile   = candidate{help: "files"}
	anyFolder = candidate{help: "folders"}
)

// complete prints the completions of the last word on a command line, one a
// line.
func complete(w io.Writer, app *kong.Application, words []string) error {
	for _, c := range candidates(app, words) {
		if _, err := fmt.Fprintf(w, "%s\t%s\n", c.word, c.help); err != nil {
			return err
		}
	}
	return nil
}

// candidates reads the words before the last as the parser would.
func candidates(app *kong.Application, words []string) []candidate {
	words, split := joinValues(words)
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	node := app.Node
	arguments := 0         // that the node has so far
	onlyArguments := false // after --
	var open *kong.Flag    // waits for its value
	for _, word := range words[:len(words)-1] {
		switch child := childOf(node, word); {
		case open != nil:
			open = nil
		case word == "--":
			onlyArguments = true
		case !onlyArguments && strings.HasPrefix(word, "-") && word != "-":
			name, _, hasValue := strings.Cut(word, "=")
			if f := flagOf(node, name); f != nil && !f.IsBool() && !hasValue {
				open = f
			}
		case child != nil && arguments == 0:
			node = child
		default:
			arguments++
		}
	}
	switch name, value, hasValue := strings.Cut(last, "="); {
	case open != nil:
		return matching(valuesOf(open.Value), last)
	case !onlyArguments && strings.HasPrefix(last, "-") && hasValue:
		f := flagOf(node, name)
		if f == nil {
			return nil
		}
		found := matching(valuesOf(f.Value), value)
		for i := range found {
			if !split && found[i].word != "" {
				found[i].word = name + "=" + found[i].word
			}
		}
		return found
	case !onlyArguments && strings.HasPrefix(last, "-"):
		return matching(flagWords(node), last)
	}
	var found []candidate
	if arguments == 0 && !onlyArguments {
		for _, child := range node.Children {
			if !child.Hidden {
				found = append(found, candidate{child.Name, firstSentence(child.Help)})
			}
		}
	}
	if n := len(node.Positional); n > 0 {
		found = append(found, valuesOf(node.Positional[min(arguments, n-1)])...)
	}
	return matching(found, last)
}

// joinValues makes one word of each --flag=value that bash has split into
// three, and reports whether the last is one.
func joinValues(words []string) (joined []string, lastWasSplit bool) {
	for i := 0; i < len(words); i++ {
		lastWasSplit = words[i] == "=" && len(joined) > 0 && strings.HasPrefix(joined[len(joined)-1], "--")
		if !lastWasSplit {
			joined = append(joined, words[i])
			continue
		}
		joined[len(joined)-1] += "="
		if i+1 < len(words) {
			i++
			joined[len(joined)-1] += words[i]
		}
	}
	return joined, lastWasSplit
}

func childOf(node *kong.Node, name string) *kong.Node {
	for _, child := range node.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// flagsOf are the flags that may follow a command: its own, those of the
// commands that it is below, and those of the command that it stands for.
func flagsOf(node *kong.Node) []*kong.Flag {
	flags := slices.Concat(node.AllFlags(true)...)
	if node.DefaultCmd != nil {
		flags = append(flags, node.DefaultCmd.Flags...)
	}
	return flags
}

func flagOf(node *kong.Node, word string) *kong.Flag {
	for _, f := range flagsOf(node) {
		if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) {
			return f
		}
	}
	return nil
}

func flagWords(node *kong.Node) []candidate {
	var found []candidate
	for _, f := range flagsOf(node) {
		if !f.Hidden {
			found = append(found, candidate{"--" + f.Name, firstSentence(f.Help)})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return strings.Compare(a.word, b.word) })
	return found
}

// valuesOf are the values that a flag or argument is known to have.
func valuesOf(v *kong.Value) []candidate {
	switch v.Tag.Type {
	case "existingdir":
		return []candidate{anyFolder}
	case "existingfile", "path":
		return []candidate{anyFile}
	}
	if v.Enum != "" {
		var found []candidate
		for word := range strings.SplitSeq(v.Enum, ",") {
			found = append(found, candidate{strings.TrimSpace(word), ""})
		}
		return found
	}
	shown := v.Tag.PlaceHolder
	if shown == "" && v.Flag == nil {
		shown = strings.ToUpper(v.Name)
	}
	switch shown {
	case "FILE", "PATH", "FOLDER", "ME.INFO":
		return []candidate{anyFile}
	}
	return nil
}

// matching returns the candidates that begin with the typed text.
func matching(all []candidate, typed string) []candidate {
	return slices.DeleteFunc(all, func(c candidate) bool { return c.word != "" && !strings.HasPrefix(c.word, typed) })
}

// firstSentence is as much of a help text as fits beside a word.
func firstSentence(help string) string {
	const most = 60
	help = strings.TrimSuffix(strings.SplitAfter(help, ". ")[0], ". ")
	help, _, _ = strings.Cut(help, "\n")
	if utf8.RuneCountInString(help) > most {
		help = string([]rune(help)[:most-1]) + "…"
	}
	return help
}
