package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"coffer/protocol"
)

// ListFiles returns a page of the client's files: 1041.
func (c *Conn) ListFiles(ctx context.Context, id protocol.ClientID, m protocol.ListFiles) (*protocol.FileList, error) {
	return ask[protocol.FileList](ctx, c, id, &m)
}

// GetFile describes one version of a file, 0 for the newest: 1042.
func (c *Conn) GetFile(ctx context.Context, id protocol.ClientID, name string, version uint32) (*protocol.FileInfo, error) {
	return ask[protocol.FileInfo](ctx, c, id, &protocol.GetFile{Version: version, Name: name})
}

// DeleteFile removes one version of a file, or with version 0 all: 1044.
func (c *Conn) DeleteFile(ctx context.Context, id protocol.ClientID, name string, version uint32) error {
	return c.call(ctx, id, &protocol.DeleteFile{Version: version, Name: name}, new(protocol.Done))
}

// ReadFile reads a range of a file's ciphertext: 1043. No other answer is read
// from the connection until the content was read to io.EOF or closed; ctx
// holds until then. Closing it early closes the connection if more than a
// little is left.
func (c *Conn) ReadFile(ctx context.Context, id protocol.ClientID, m protocol.ReadFile) (protocol.FileContent, io.ReadCloser, error) {
	var answer protocol.FileContent
	t, err := c.send(ctx, id, &m, content{})
	if err != nil {
		return answer, nil, err
	}
	left, err := t.beginContent(&answer, m)
	if err != nil {
		t.release()
		return answer, nil, err
	}
	return answer, &fileContent{t: t, left: left}, nil
}

// beginContent reads what stands before the content and returns how many bytes
// of it follow.
func (t *ticket) beginContent(answer *protocol.FileContent, m protocol.ReadFile) (uint32, error) {
	h, err := t.header()
	if err != nil {
		return 0, err
	}
	if h.Code != answer.Code() {
		return 0, t.refusal(h)
	}
	limit, _ := h.Code.Limit()
	if err := t.payload(limit.Min, answer); err != nil {
		return 0, err
	}
	left := h.Size - limit.Min
	overAsked := m.Length > 0 && left > m.Length
	overEnd := answer.Offset > answer.Size || uint64(left) > answer.Size-answer.Offset
	if answer.Offset != m.Offset || left > protocol.MaxReadFile || overAsked || overEnd {
		return 0, t.c.fail(fmt.Errorf("%w: content of another range than was asked for", ErrProtocol))
	}
	return left, nil
}

// drainOnClose is how much content is worth reading to keep a connection.
const drainOnClose = 256 << 10

// fileContent is the content of one ReadFile.
type fileContent struct {
	t    *ticket
	left uint32
	err  error // set once the ticket is released
}

func (f *fileContent) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if f.left == 0 {
		return 0, f.end(io.EOF)
	}
	if uint64(len(p)) > uint64(f.left) {
		p = p[:f.left]
	}
	c := f.t.c
	c.nc.SetReadDeadline(time.Now().Add(c.timeout))
	n, err := c.in.Read(p)
	f.left -= uint32(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, f.end(c.fail(fmt.Errorf("read content: %w", err)))
	}
	return n, nil
}

func (f *fileContent) end(err error) error {
	f.err = err
	f.t.release()
	return err
}

func (f *fileContent) Close() error {
	if f.err != nil {
		return nil
	}
	if f.left > drainOnClose {
		f.end(f.t.c.fail(errors.New("content was not read to its end")))
		return nil
	}
	if _, err := io.Copy(io.Discard, f); err != nil {
		return err
	}
	return nil
}
