package importer

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"coffer/protocol"
	"coffer/store"
)

// A source is an earlier server's folder. Its database is read from a copy:
// SQLite writes beside a database even to read it, if its journal is in the
// way, and a read-only look past the journal would see half a transaction.
type source struct {
	root    *os.Root // received_files; no link leads out of it
	db      *sql.DB
	copied  string // the folder of the copy
	charset encoding.Encoding
}

// A clientRecord is a row of the table clients.
type clientRecord struct {
	id          store.ClientID
	idProblem   string
	name        string
	nameProblem string
	shown       string // the name, as far as it can be shown
	publicKey   []byte
	lastSeen    time.Time
}

// A fileRecord is a row of the table files.
type fileRecord struct {
	client      store.ClientID
	idProblem   string
	name        string
	wireName    []byte
	nameProblem string
	shown       string
	path        string // below received_files, with slashes
	pathProblem string
	verified    bool
}

func openSource(ctx context.Context, folder string, charset encoding.Encoding) (_ *source, err error) {
	s := &source{charset: charset}
	defer func() {
		if err != nil {
			s.close()
			err = fmt.Errorf("reading the earlier server's folder: %w", err)
		}
	}()
	if s.root, err = os.OpenRoot(filepath.Join(folder, filesName)); err != nil {
		return nil, err
	}
	if s.copied, err = os.MkdirTemp("", "coffer-import-*"); err != nil {
		return nil, err
	}
	for _, suffix := range []string{"", "-wal", "-journal"} {
		err := copyFile(filepath.Join(s.copied, databaseName+suffix), filepath.Join(folder, databaseName+suffix))
		if err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
	}
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(filepath.Join(s.copied, databaseName))}).EscapedPath()}
	if s.db, err = sql.Open("sqlite", dsn.String()); err != nil {
		return nil, err
	}
	for table, columns := range map[string][]string{
		"clients": {"ID", "Name", "PublicKey"},
		"files":   {"ID", "FileName", "PathName", "Verified"},
	} {
		if err := s.requires(ctx, table, columns); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func copyFile(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

func (s *source) close() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	if s.root != nil {
		err = errors.Join(err, s.root.Close())
	}
	if s.copied != "" {
		err = errors.Join(err, os.RemoveAll(s.copied))
	}
	return err
}

// has reports whether a table has a column.
func (s *source) has(ctx context.Context, table, column string) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info(?) WHERE lower(name) = lower(?)`, table, column).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("%s: %w", databaseName, err)
	}
	return n > 0, nil
}

func (s *source) requires(ctx context.Context, table string, columns []string) error {
	for _, column := range columns {
		switch ok, err := s.has(ctx, table, column); {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("%s is not an earlier server's: no column %s in a table %s", databaseName, column, table)
		}
	}
	// This server's own catalog has these columns too, and more.
	switch ours, err := s.has(ctx, table, "OAEPHash"); {
	case err != nil:
		return err
	case ours:
		return fmt.Errorf("%s is this server's own kind of catalog, not an earlier server's", databaseName)
	}
	return nil
}

// clients reads the table clients.
func (s *source) clients(ctx context.Context) ([]clientRecord, error) {
	lastSeen := "NULL"
	if ok, err := s.has(ctx, "clients", "LastSeen"); err != nil {
		return nil, err
	} else if ok {
		lastSeen = "LastSeen"
	}
	var found []clientRecord
	err := s.each(ctx, `SELECT ID, Name, PublicKey, `+lastSeen+` FROM clients ORDER BY rowid`, 4, func(row []any) {
		c := clientRecord{publicKey: asBytes(row[2]), lastSeen: asTime(row[3])}
		c.id, c.idProblem = asID(row[0])
		var raw []byte
		c.name, raw, c.nameProblem = s.name(row[1])
		c.shown = shown(c.name, raw)
		// A key field that was never filled, or with zeros alone, is none.
		if len(bytes.Trim(c.publicKey, "\x00")) == 0 {
			c.publicKey = nil
		}
		found = append(found, c)
	})
	return found, err
}

// files reads the table files.
func (s *source) files(ctx context.Context) ([]fileRecord, error) {
	var found []fileRecord
	err := s.each(ctx, `SELECT ID, FileName, PathName, Verified FROM files ORDER BY rowid`, 4, func(row []any) {
		f := fileRecord{verified: asBool(row[3])}
		f.client, f.idProblem = asID(row[0])
		f.name, f.wireName, f.nameProblem = s.name(row[1])
		f.shown = shown(f.name, f.wireName)
		place := row[2]
		if len(cutNUL(asBytes(place))) == 0 {
			place = row[1] // files lie under their names
		}
		f.path, f.pathProblem = s.place(cutNUL(asBytes(place)))
		found = append(found, f)
	})
	return found, err
}

func (s *source) each(ctx context.Context, query string, columns int, visit func(row []any)) error {
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("reading %s: %w", databaseName, err)
	}
	defer rows.Close()
	row, into := make([]any, columns), make([]any, columns)
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("reading %s: %w", databaseName, err)
		}
		visit(row)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading %s: %w", databaseName, err)
	}
	return nil
}

// lying finds the files in received_files, by path, with their sizes.
func (s *source) lying() (map[string]int64, error) {
	found := make(map[string]int64)
	err := fs.WalkDir(s.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		found[path] = info.Size()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", filesName, err)
	}
	return found, nil
}

// name reads a name as this server would read it from the wire.
func (s *source) name(column any) (name string, raw []byte, problem string) {
	raw = bytes.Clone(cutNUL(asBytes(column)))
	name = string(raw)
	if !utf8.Valid(raw) {
		if s.charset == nil {
			return "", raw, "its name is not UTF-8"
		}
		var err error
		if name, err = s.charset.NewDecoder().String(name); err != nil || strings.ContainsRune(name, utf8.RuneError) {
			return "", raw, "its name is neither UTF-8 nor in the legacy charset"
		}
	}
	switch err := protocol.CheckName(name); {
	case err != nil:
		return "", raw, err.Error()
	case len(raw) > protocol.MaxName:
		return "", raw, "the name is longer than 254 bytes"
	}
	return name, raw, ""
}

// place is where a recorded path points to, below received_files. The folder
// may have been moved, or come from another system, so what stands before the
// last received_files is not looked at.
func (s *source) place(raw []byte) (place, problem string) {
	text := string(raw)
	if !utf8.Valid(raw) && s.charset != nil {
		if decoded, err := s.charset.NewDecoder().String(text); err == nil {
			text = decoded
		}
	}
	text = strings.ReplaceAll(text, `\`, "/")
	absolute := strings.HasPrefix(text, "/") || len(text) > 2 && text[1] == ':' && text[2] == '/'
	segments := strings.Split(text, "/")
	below := false
	for i := len(segments) - 1; i >= 0; i-- {
		if segments[i] == filesName {
			segments, below = segments[i+1:], true
			break
		}
	}
	place = path.Join(segments...)
	switch {
	case absolute && !below, !fs.ValidPath(place), place == ".":
		return "", "its path leads out of " + filesName
	}
	for _, segment := range segments {
		if segment == ".." {
			return "", "its path leads out of " + filesName
		}
	}
	return place, ""
}

func shown(name string, raw []byte) string {
	if name != "" {
		return name
	}
	if len(raw) == 0 {
		return "(no name)"
	}
	return printable(raw[:min(len(raw), protocol.MaxName)])
}

func cutNUL(b []byte) []byte {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}

// asBytes is a column as bytes: Python stores str as TEXT and bytes as BLOB.
func asBytes(column any) []byte {
	switch v := column.(type) {
	case []byte:
		return bytes.Clone(v)
	case string:
		return []byte(v)
	case int64:
		return strconv.AppendInt(nil, v, 10)
	case float64:
		return strconv.AppendFloat(nil, v, 'f', -1, 64)
	}
	return nil
}

// asID is a client id: 16 bytes, or 32 hexadecimal digits.
func asID(column any) (id store.ClientID, problem string) {
	b := asBytes(column)
	if len(b) == 2*len(id) {
		if decoded, err := hex.DecodeString(string(b)); err == nil {
			b = decoded
		}
	}
	if copy(id[:], b) != len(id) || len(b) != len(id) {
		return store.ClientID{}, "its id does not have 16 bytes"
	}
	return id, ""
}

func asBool(column any) bool {
	switch strings.ToLower(string(cutNUL(asBytes(column)))) {
	case "1", "true", "yes":
		return true
	}
	return false
}

// lastSeenLayouts are how Python programs write a time.
var lastSeenLayouts = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "2006-01-02", time.ANSIC, time.RFC1123, "02/01/2006 15:04:05",
}

// asTime is a time in any form that is likely, the zero time if it is none.
func asTime(column any) time.Time {
	if t, ok := column.(time.Time); ok {
		return t
	}
	text := strings.TrimSpace(string(cutNUL(asBytes(column))))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if !(seconds > 0 && seconds < 1<<33) {
			return time.Time{}
		}
		whole, part := math.Modf(seconds)
		return time.Unix(int64(whole), int64(part*1e9))
	}
	for _, layout := range lastSeenLayouts {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t
		}
	}
	return time.Time{}
}
