// Package exchange is the format of recorded exchanges between a client and a
// server, as docs/compatibility.md describes it: it records, converts a recording
// into what can be replayed, and parses. It does not replay: a player, which has
// a connection and keys, gives the items their bytes.
package exchange

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ErrFormat: the text is not an exchange. The errors that wrap it name the line.
var ErrFormat = errors.New("not an exchange")

// A Step is one line of an exchange.
type Step struct {
	Line  int
	Verb  string // ">", "<", "plain", "silence", "half-close", "closed", "stored" or "absent"
	Items []Item
}

// An Item stands for bytes. Name is "bytes" for hexadecimal and quoted text,
// which Bytes has; otherwise the directive's name.
type Item struct {
	Name  string
	Bytes []byte   // of "bytes" and "field"
	Words []string // of public and wrapped
	Nums  []int64  // of zeros, numbers, cipher and silence; cipher to the end has one
}

// arguments says what stands in the parentheses of a directive: h for
// hexadecimal or quoted text, n for a number, w for a word; small ones may be
// left out.
var arguments = map[string]string{
	"field": "h", "zeros": "n", "u8": "n", "u16": "n", "u32": "n", "id": "",
	"public": "w", "wrapped": "ww", "cipher": "nN", "encrypted": "h", "cksum": "",
}

// MaxZeros bounds zeros(N) and silence, so that a typo fills no memory and
// stops no test run.
const MaxZeros = 1 << 24

// verbs say which items a line may have: any, none, content, a number or text.
var verbs = map[string]string{
	">": "any", "<": "any", "plain": "content", "silence": "number", "half-close": "none", "closed": "none", "stored": "text", "absent": "text",
}

// Parse reads an exchange.
func Parse(r io.Reader) ([]Step, error) {
	var steps []Step
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		words, err := split(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrFormat, n, err)
		}
		if len(words) == 0 {
			continue
		}
		step, err := parseStep(words)
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrFormat, n, err)
		}
		step.Line = n
		steps = append(steps, step)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return steps, nil
}

// split cuts a line at spaces that are in neither quotes nor parentheses, and
// at a comment.
func split(line string) (words []string, err error) {
	var word strings.Builder
	quoted, depth, escaped := false, 0, false
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for _, c := range line {
		switch {
		case quoted:
			word.WriteRune(c)
			if c == '"' && !escaped {
				quoted = false
			}
			escaped = c == '\\' && !escaped
			continue
		case c == '#':
			end()
			return words, closed(quoted, depth)
		case c == '"':
			quoted = true
		case c == '(':
			depth++
		case c == ')':
			depth--
		case (c == ' ' || c == '\t') && depth == 0:
			end()
			continue
		}
		word.WriteRune(c)
	}
	end()
	return words, closed(quoted, depth)
}

func closed(quoted bool, depth int) error {
	if quoted || depth != 0 {
		return errors.New("a quote or parenthesis has no other half")
	}
	return nil
}

func parseStep(words []string) (Step, error) {
	step := Step{Verb: words[0]}
	kind, known := verbs[step.Verb]
	if !known {
		return step, fmt.Errorf("unknown line %q", step.Verb)
	}
	if kind == "number" {
		if len(words) != 2 {
			return step, fmt.Errorf("%s needs a number", step.Verb)
		}
		n, err := number(words[1])
		step.Items = []Item{{Name: "number", Nums: []int64{n}}}
		return step, err
	}
	for _, w := range words[1:] {
		item, err := parseItem(w)
		if err != nil {
			return step, err
		}
		step.Items = append(step.Items, item)
	}
	plain := len(step.Items) == 1 && step.Items[0].Name == "bytes"
	switch {
	case kind == "any" && len(step.Items) == 0:
		return step, errors.New("nothing is sent")
	case kind == "none" && len(step.Items) > 0:
		return step, fmt.Errorf("%s stands alone", step.Verb)
	case kind == "text" && !plain:
		return step, fmt.Errorf("%s needs one name", step.Verb)
	case kind == "content" && slices.ContainsFunc(step.Items, func(i Item) bool { return i.Name != "bytes" && i.Name != "zeros" }):
		return step, fmt.Errorf("%s is bytes, text and zeros", step.Verb)
	}
	return step, nil
}

func parseItem(word string) (Item, error) {
	name, inside, call := strings.Cut(word, "(")
	if _, known := arguments[word]; !call && !known {
		b, err := literal(word)
		return Item{Name: "bytes", Bytes: b}, err
	}
	want, known := arguments[name]
	if !known || call && !strings.HasSuffix(inside, ")") {
		return Item{}, fmt.Errorf("unknown item %q", word)
	}
	item := Item{Name: name}
	inside = strings.TrimSuffix(inside, ")")
	for _, kind := range want {
		if inside == "" {
			if kind == 'N' {
				break
			}
			return Item{}, fmt.Errorf("%s lacks an argument", name)
		}
		var arg string
		var err error
		if kind == 'h' {
			arg, inside = inside, ""
		} else {
			arg, inside, _ = strings.Cut(inside, ",")
		}
		arg, inside = strings.TrimSpace(arg), strings.TrimSpace(inside)
		switch kind {
		case 'h':
			item.Bytes, err = literal(arg)
		case 'w':
			item.Words = append(item.Words, arg)
		default:
			var n int64
			n, err = number(arg)
			item.Nums = append(item.Nums, n)
		}
		if err != nil {
			return Item{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	switch {
	case inside != "":
		return Item{}, fmt.Errorf("%s has arguments left over", name)
	case name == "field" && len(item.Bytes) > 255:
		return Item{}, errors.New("a field has 255 bytes")
	case name == "zeros" && item.Nums[0] > MaxZeros:
		return Item{}, fmt.Errorf("zeros: at most %d", MaxZeros)
	case name == "u8" && item.Nums[0] > 1<<8-1, name == "u16" && item.Nums[0] > 1<<16-1:
		return Item{}, fmt.Errorf("%d is too large for %s", item.Nums[0], name)
	}
	return item, nil
}

// literal is hexadecimal or quoted text.
func literal(s string) ([]byte, error) {
	if strings.HasPrefix(s, `"`) {
		var text string
		if err := json.Unmarshal([]byte(s), &text); err != nil {
			return nil, fmt.Errorf("%s is not quoted as in JSON", s)
		}
		return []byte(text), nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%q is not hexadecimal", s)
	}
	return b, nil
}

func number(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return int64(n), err
}
