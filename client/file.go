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
	content, err := c.readRange(ctx, id, &m, &answer, func(left uint32) bool {
		asked := byteRange{m.Offset, m.Length, protocol.MaxReadFile}
		return asked.covers(answer.Offset, answer.Size, left)
	})
	return answer, content, err
}

// A byteRange is what a request asks of a content: from an offset on, so many
// bytes (0: all), and never more than max.
type byteRange struct {
	offset uint64
	length uint32
	max    uint32
}

// covers reports whether an answer was requested: left bytes from an offset, in
// content of size bytes.
func (r byteRange) covers(offset, size uint64, left uint32) bool {
	overAsked := r.length > 0 && left > r.length
	overEnd := offset > size || uint64(left) > size-offset
	return offset == r.offset && left <= r.max && !overAsked && !overEnd
}

// readRange sends a request that is answered with content, reads what stands
// before that into answer, and returns the content. right reports whether so
// many bytes are what was asked for.
func (c *Conn) readRange(ctx context.Context, id protocol.ClientID, request protocol.Message, answer protocol.Decoder, right func(left uint32) bool) (io.ReadCloser, error) {
	t, err := c.send(ctx, id, request, content{})
	if err != nil {
		return nil, err
	}
	left, err := t.beginContent(answer)
	if err == nil && !right(left) {
		err = c.fail(fmt.Errorf("%w: content of a different range than requested", ErrProtocol))
	}
	if err != nil {
		t.release()
		return nil, err
	}
	return &fileContent{t: t, left: left}, nil
}

// beginContent reads what stands before the content and returns how many bytes
// of it follow.
func (t *ticket) beginContent(answer protocol.Decoder) (uint32, error) {
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
	return h.Size - limit.Min, nil
}

// drainOnClose is how much content is worth reading to keep a connection.
const drainOnClose = 256 << 10

// fileContent is the content of one ReadFile or ReadPack.
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
		f.end(f.t.c.fail(errors.New("the content was not read to the end")))
		return nil
	}
	if _, err := io.Copy(io.Discard, f); err != nil {
		return err
	}
	return nil
}
