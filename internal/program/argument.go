package program

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// errNotUTF8 refuses what would be read in different ways by different people.
var errNotUTF8 = errors.New("it is not UTF-8")

// arguments map the texts of a command line, or of a variable, to fields. Kong's
// own mappers send every text through JSON, which replaces what is not UTF-8, so
// that another file would be meant. These keep the bytes of a path as they are,
// and refuse them in anything else:
//
//	(no type)     text in UTF-8
//	filename      a path as it was typed, or a list of them
//	path          a path, made absolute
//	existingfile  the same, of a file that is there
//	existingdir   the same, of a folder that is there
func arguments() []kong.Option {
	return []kong.Option{
		kong.KindMapper(reflect.String, kong.MapperFunc(mapText)),
		kong.KindMapper(reflect.Slice, kong.MapperFunc(mapList)),
		kong.NamedMapper("filename", kong.MapperFunc(mapFilename)),
		kong.NamedMapper("path", kong.MapperFunc(mapPath)),
		kong.NamedMapper("existingfile", existing(func(info os.FileInfo) bool { return !info.IsDir() }, "it is a folder")),
		kong.NamedMapper("existingdir", existing(os.FileInfo.IsDir, "it is not a folder")),
	}
}

// pop takes the next value, with its bytes as they are.
func pop(ctx *kong.DecodeContext) (string, error) {
	token, err := ctx.Scan.PopValue("text")
	if err != nil {
		return "", err
	}
	text, ok := token.Value.(string)
	if !ok {
		return "", fmt.Errorf("expected a text, got %v", token.Value)
	}
	return text, nil
}

func mapText(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := pop(ctx)
	if err != nil {
		return err
	}
	if !utf8.ValidString(text) {
		return errNotUTF8
	}
	target.SetString(text)
	return nil
}

// mapList maps a list as kong does, once its text is known to be one.
func mapList(ctx *kong.DecodeContext, target reflect.Value) error {
	if text, ok := ctx.Scan.Peek().Value.(string); ok && !utf8.ValidString(text) {
		return errNotUTF8
	}
	return kong.NewRegistry().RegisterDefaults().ForType(target.Type()).Decode(ctx, target)
}

func mapFilename(ctx *kong.DecodeContext, target reflect.Value) error {
	if target.Kind() == reflect.Slice {
		return mapFilenames(ctx, target)
	}
	name, err := pop(ctx)
	if err == nil {
		target.SetString(name)
	}
	return err
}

// mapFilenames takes all that follow as arguments, or one more of a flag: a path
// may have commas in it.
func mapFilenames(ctx *kong.DecodeContext, target reflect.Value) error {
	for first := true; first || ctx.Value.Flag == nil && ctx.Scan.Peek().IsValue(); first = false {
		name, err := pop(ctx)
		if err != nil {
			return err
		}
		target.Set(reflect.Append(target, reflect.ValueOf(name)))
	}
	return nil
}

func mapPath(ctx *kong.DecodeContext, target reflect.Value) error {
	path, err := pop(ctx)
	if err != nil || path == "" && ctx.Value.HasDefault {
		return err
	}
	if path != "-" {
		path = kong.ExpandPath(path)
	}
	target.SetString(path)
	return nil
}

// existing maps the path of something that has to be there, and be of a kind.
func existing(isKind func(os.FileInfo) bool, otherwise string) kong.Mapper {
	return kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		path, err := pop(ctx)
		if err != nil {
			return err
		}
		if path != "-" {
			path = kong.ExpandPath(path)
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			if !isKind(info) {
				return fmt.Errorf("%q: %s", path, otherwise)
			}
		}
		target.SetString(path)
		return nil
	})
}
