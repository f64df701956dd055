package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/seal"
)

// cancelTimeout bounds the attempt to drop an upload that failed.
const cancelTimeout = 3 * time.Second

// upload is one upload on the server.
type upload struct {
	// static after construction
	session *client.Session
	source  Source
	opts    Options
	name    string

	// set by begin
	begun   bool
	id      protocol.UploadID
	key     crypt.SessionKey
	wrapped []byte
	packet  int   // bytes
	size    int64 // of the source, -1 if unknown
}

func (u *upload) ref() protocol.UploadRef { return protocol.UploadRef{ByID: true, Upload: u.id} }

// run begins the upload and sends it as often as it takes.
func (u *upload) run(ctx context.Context) (Result, error) {
	if err := u.begin(ctx); err != nil {
		return Result{}, fmt.Errorf("begin the upload: %w", err)
	}
	for {
		result, err := u.send(ctx)
		if err != nil {
			return Result{}, err
		}
		verdict, err := u.verify(ctx, result.Cksum)
		if err != nil {
			return Result{}, fmt.Errorf("confirm the checksum: %w", err)
		}
		if verdict.Verified {
			result.Version = verdict.Version
			return result, nil
		}
		if !u.source.Repeatable() {
			return Result{}, fmt.Errorf("%w: the server received different content, and standard input cannot be read again", ErrChecksum)
		}
		if verdict.AttemptsLeft == 0 {
			u.begun = false // the server has dropped it
			return Result{}, fmt.Errorf("%w: sent %d times, and the server received different content each time", ErrChecksum, protocol.MaxAttempts)
		}
	}
}

func (u *upload) begin(ctx context.Context) error {
	size, err := u.source.size(ctx)
	if err != nil {
		return err
	}
	u.size = size
	m := protocol.BeginUpload{
		OriginalSize: protocol.UnknownSize,
		Format:       u.source.format(u.opts.Identity != nil),
		Name:         u.name,
	}
	if m.Format == protocol.FormatFile && size >= 0 {
		m.OriginalSize = uint64(size)
	}
	var answer *protocol.UploadBegun
	// An upload begun twice, because the first answer got lost, expires.
	err = u.session.Do(ctx, func(conn *client.Conn) (err error) {
		answer, err = conn.BeginUpload(ctx, u.session.Client(), m)
		return err
	})
	if err != nil {
		return err
	}
	u.begun, u.id, u.wrapped = true, answer.Upload, answer.WrappedKey
	if u.key, err = u.session.Unwrap(answer.OAEPHash, answer.WrappedKey); err != nil {
		return err
	}
	// The last packet has up to one block more.
	limit := int(min(answer.MaxPacket, 1<<30)) - crypt.BlockSize
	u.packet = min(u.opts.PacketSize, limit) / crypt.BlockSize * crypt.BlockSize
	if u.packet <= 0 {
		return fmt.Errorf("%w: packets of at most %d bytes", client.ErrProtocol, answer.MaxPacket)
	}
	return nil
}

// send reads the source and sends it once. One goroutine reads and encrypts
// into buffers that the other sends and returns.
func (u *upload) send(ctx context.Context) (Result, error) {
	keep := u.opts.InFlight
	buffers := keep + u.opts.InFlight + 2
	free := make(chan []byte, buffers)
	for range buffers {
		free <- make([]byte, 0, u.packet+2*crypt.BlockSize)
	}
	packets := make(chan *packet)
	w := &window{keep: keep, free: free}
	result := Result{Name: u.name, Format: u.source.format(u.opts.Identity != nil)}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		c := &cutter{ctx: ctx, enc: crypt.NewEncrypter(u.key), sha: sha256.New(), size: u.packet, free: free, packets: packets}
		read, err := u.produce(ctx, c, u.opts.counting(&result))
		result.Size, result.Cksum = uint64(read), c.sum.Sum32()
		result.Stored = crypt.CiphertextLen(c.sum.Len())
		result.SHA256 = [32]byte(c.sha.Sum(nil))
		return err
	})
	group.Go(func() error { return u.deliver(ctx, w, packets) })
	err := group.Wait()
	return result, err
}

// counting returns options that also count reports on the source in a result.
func (o Options) counting(result *Result) Options {
	skipped, changed := o.Skipped, o.Changed
	o.Skipped = func(path, reason string) {
		result.Skipped++
		if skipped != nil {
			skipped(path, reason)
		}
	}
	o.Changed = func(path, how string) {
		result.Changed++
		if changed != nil {
			changed(path, how)
		}
	}
	return o
}

// produce reads the source through the seal into the cutter.
func (u *upload) produce(ctx context.Context, c *cutter, opts Options) (read int64, err error) {
	var to io.Writer = c
	var sealed io.WriteCloser
	if u.opts.Identity != nil {
		if sealed, err = seal.Seal(c, *u.opts.Identity); err != nil {
			return 0, err
		}
		to = sealed
	}
	if read, err = u.source.writeTo(ctx, to, u.size, opts); err != nil {
		return read, err
	}
	if sealed != nil {
		if err := sealed.Close(); err != nil {
			return read, err
		}
	}
	return read, c.Close()
}

// deliver sends packets until the server has them all, over as many
// connections as it takes.
func (u *upload) deliver(ctx context.Context, w *window, packets <-chan *packet) error {
	began := false
	return u.session.Do(ctx, func(conn *client.Conn) error {
		var todo []*packet
		for {
			if began {
				state, err := conn.GetUpload(ctx, u.session.Client(), u.ref())
				if client.IsStatus(err, protocol.StatusNotFound) {
					return errRestart
				}
				if err != nil {
					return err
				}
				if todo, err = w.missing(state); err != nil {
					return err
				}
				if w.everythingSent() && state.Complete {
					return nil
				}
				if w.everythingSent() && len(todo) == 0 {
					return fmt.Errorf("%w: packets are missing, and it does not say which", client.ErrProtocol)
				}
			}
			began = true
			complete, err := u.sendOver(ctx, conn, w, todo, packets)
			if err != nil || complete {
				return err
			}
		}
	})
}

// sent is a packet under way.
type sent struct {
	packet *packet
	answer client.PendingState
}

// sendOver sends what is to do and then what comes out of packets over one
// connection, several at once, and reports whether the server has everything.
func (u *upload) sendOver(ctx context.Context, conn *client.Conn, w *window, todo []*packet, packets <-chan *packet) (complete bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	underway := make(chan sent, u.opts.InFlight)
	sender := make(chan error, 1)
	go func() {
		defer close(underway)
		sender <- u.sendPackets(ctx, conn, w, todo, packets, underway)
	}()
	for s := range underway {
		state, waitErr := s.answer.Wait()
		switch {
		case err != nil: // what else is under way does not matter any more
		case waitErr != nil:
			err = waitErr
			conn.Close()
			cancel()
		default:
			w.ack(s.packet)
			complete = state.Complete
		}
	}
	if sendErr := <-sender; err == nil {
		err = sendErr
	}
	if client.IsStatus(err, protocol.StatusNotFound) {
		err = errRestart
	}
	return complete && w.everythingSent(), err
}

// sendPackets sends without waiting for answers, which go to underway.
func (u *upload) sendPackets(ctx context.Context, conn *client.Conn, w *window, todo []*packet, packets <-chan *packet, underway chan<- sent) error {
	for {
		p, err := next(ctx, w, &todo, packets)
		if p == nil || err != nil {
			return err
		}
		m := protocol.UploadPacket{Upload: u.id, Number: p.number, Last: p.last}
		answer, err := conn.StartUploadPacket(ctx, u.session.Client(), m, p.data)
		if err != nil {
			return err
		}
		underway <- sent{p, answer}
	}
}

// next is the packet to be sent, nil after the last.
func next(ctx context.Context, w *window, todo *[]*packet, packets <-chan *packet) (*packet, error) {
	if len(*todo) > 0 {
		p := (*todo)[0]
		*todo = (*todo)[1:]
		return p, nil
	}
	if w.everythingSent() {
		return nil, nil
	}
	select {
	case p := <-packets:
		w.add(p)
		return p, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// verify brings the checksum. If the connection breaks before the answer comes
// the file may have been committed all the same: then the newest version has
// this upload's session key, which no other has.
func (u *upload) verify(ctx context.Context, sum uint32) (*protocol.VerifyResult, error) {
	var verdict *protocol.VerifyResult
	asked := false
	err := u.session.Do(ctx, func(conn *client.Conn) (err error) {
		again := asked
		asked = true
		verdict, err = conn.VerifyUpload(ctx, u.session.Client(), protocol.VerifyUpload{Cksum: sum, Ref: u.ref()})
		if !again || !client.IsStatus(err, protocol.StatusNotFound) {
			return err
		}
		info, askErr := conn.GetFile(ctx, u.session.Client(), u.name, 0)
		if askErr != nil {
			return askErr
		}
		if !bytes.Equal(info.WrappedKey, u.wrapped) {
			return err
		}
		verdict = &protocol.VerifyResult{Verified: true, Cksum: info.Cksum, Version: info.Version}
		return nil
	})
	return verdict, err
}

// cancel drops the upload, if the server can be reached; else it expires.
func (u *upload) cancel(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer stop()
	// An error here is ignored: the first failure is the one to report.
	_ = u.session.Do(ctx, func(conn *client.Conn) error {
		return conn.CancelUpload(ctx, u.session.Client(), u.ref())
	})
}
