package server

import (
	"context"
	"errors"
	"io"
	"time"

	"coffer/protocol"
	"coffer/server/metrics"
	"coffer/store"
)

// A request is one request on its way through the server: it is made from a
// header, passed to its handler, and ended by finish.
type request struct {
	header  protocol.RequestHeader // as it came
	code    protocol.Code          // its own, in this protocol's numbers
	client  store.ClientID         // the client that it is for
	from    peer                   // where it comes from
	machine *machine               // that makes it, if one does
	limit   protocol.SizeLimit
	payload *payload
	remark  error // what was wrong though it was served
}

// newRequest makes the request of a header.
func (c *conn) newRequest(h protocol.RequestHeader) *request {
	r := &request{header: h, code: h.Code.Canonical(), client: store.ClientID(h.Client), from: c.client(), machine: c.machine, payload: c.newPayload(h.Size)}
	r.limit, _ = r.code.Limit()
	if r.limit.Content && r.limit.Max == protocol.MaxPayload { // others have limits of their own
		r.limit.Max = c.s.cfg.MaxPacket
	}
	if r.code.IsBase() {
		r.payload.keep = int(min(h.Size, protocol.MaxFailedHead))
		if r.limit.Content {
			r.payload.keep = int(min(h.Size, r.limit.Min))
		}
	}
	return r
}

// request serves one request. The error it returns ends the connection.
func (c *conn) request(ctx context.Context, h protocol.RequestHeader) error {
	c.s.metrics.Requests.Add(1)
	r := c.newRequest(h)
	answer, err := c.answer(from(ctx, r.from), r)
	err = refusedUpload(err)
	if r.code != protocol.CodeCaller {
		c.calling = peer{}
	}
	return c.finish(r, answer, err)
}

// answer checks a request and has its handler serve it.
func (c *conn) answer(ctx context.Context, r *request) (protocol.Message, error) {
	if err := c.check(r); err != nil {
		return nil, err
	}
	if err := c.address(ctx, r); err != nil {
		return nil, err
	}
	if err := c.authorize(ctx, r); err != nil {
		return nil, err
	}
	serve, ok := handlers[r.code]
	if !ok {
		return nil, errUnknownCode
	}
	return serve(ctx, c, r)
}

var (
	errUnknownCode = refuse(protocol.StatusInvalid, "unknown request code")
	errTooLarge    = refuse(protocol.StatusTooLarge, "the payload is too large").hangingUp()
	errTooShort    = refuse(protocol.StatusInvalid, "the payload is too short").hangingUp()
	errMalformed   = refuse(protocol.StatusInvalid, "the payload is malformed")
	errVersion     = refuse(protocol.StatusInvalid, protocol.ErrVersion.Error()).hangingUp()
	errHeaderOrder = broken(protocol.RuleHeaderOrder, protocol.StatusInvalid, "the header's fields are in another order").hangingUp()
	errBigEndian   = broken(protocol.RuleBigEndian, protocol.StatusInvalid, "the numbers are big-endian").hangingUp()
)

// check refuses a request by its header alone.
func (c *conn) check(r *request) error {
	switch size := r.header.Size; {
	case !c.admits(r.code):
		return errUnproven
	case !c.takesPlain() && !c.secure():
		return errPlain
	case !r.code.IsRequest() && size > c.s.cfg.MaxPacket:
		return errTooLarge
	case !r.code.IsRequest():
		return c.checkUnknown(r)
	case size > r.limit.Max:
		return errTooLarge
	case size < r.limit.Min:
		return errTooShort
	}
	return nil
}

// bigEndianPatience is how long what a size the wrong way round announces is
// waited for.
const bigEndianPatience = 2 * time.Second

// checkUnknown refuses a code that is no request's. Where the rest of the
// header is wrong as well, what follows has no known length.
func (c *conn) checkUnknown(r *request) error {
	h := r.header
	h.Code = r.code
	switch protocol.HeaderRule(h, c.served > 0) {
	case protocol.RuleHeaderOrder:
		return errHeaderOrder
	case protocol.RuleBigEndian:
		// The size is gigabytes that will not come, so it is read on for a
		// moment only; a client that closes instead has gone and is answered
		// nothing.
		c.nc.SetReadDeadline(time.Now().Add(min(bigEndianPatience, c.s.cfg.IdleTimeout)))
		if _, err := io.Copy(io.Discard, struct{ io.Reader }{c.r}); !isTimeout(err) {
			return lostError{errBigEndian}
		}
		return errBigEndian
	}
	return errUnknownCode
}

// authorize decides whether the sender of a request may make it. Base requests
// have rules of their own.
func (c *conn) authorize(ctx context.Context, r *request) error {
	if c.machine != nil {
		return c.authorizeMachine(ctx, r)
	}
	if r.code.Internal() && !c.internal {
		return errNotHere
	}
	if r.code.NeedsProof() {
		if err := c.checkProof(ctx, r.client); err != nil {
			return err
		}
	}
	if r.code != protocol.CodeRegister && c.s.suspended.has(r.client) {
		return errSuspended
	}
	if r.code.IsBase() {
		return c.admitBase(ctx, r.code, r.client)
	}
	return nil
}

// A handler serves requests of one code.
type handler func(context.Context, *conn, *request) (protocol.Message, error)

// handlers has a line for each request.
var handlers = map[protocol.Code]handler{
	protocol.CodeRegister:       decoded((*conn).register),
	protocol.CodeSendPublicKey:  decoded((*conn).sendPublicKey),
	protocol.CodeReconnect:      decoded((*conn).reconnect),
	protocol.CodeSendFile:       decoded((*conn).sendFile),
	protocol.CodeChecksumOK:     decoded((*conn).checksumOK),
	protocol.CodeChecksumRetry:  decoded((*conn).checksumRetry),
	protocol.CodeChecksumGiveUp: decoded((*conn).checksumGiveUp),

	protocol.CodeChallenge:    decoded((*conn).issueChallenge),
	protocol.CodeProve:        decoded((*conn).prove),
	protocol.CodeGetRefusal:   decoded((*conn).getRefusal),
	protocol.CodeBeginUpload:  decoded((*conn).beginUpload),
	protocol.CodeUploadPacket: decoded((*conn).uploadPacket),
	protocol.CodeNamedPacket:  decoded((*conn).namedPacket),
	protocol.CodeGetUpload:    decoded((*conn).getUpload),
	protocol.CodeVerifyUpload: decoded((*conn).verifyUpload),
	protocol.CodeCancelUpload: decoded((*conn).cancelUpload),
	protocol.CodeListUploads:  decoded((*conn).listUploads),
	protocol.CodeListFiles:    decoded(of(ofFiles, (*files).list)),
	protocol.CodeGetFile:      decoded(of(ofFiles, (*files).get)),
	protocol.CodeReadFile:     decoded((*conn).readFile),
	protocol.CodeDeleteFile:   decoded(of(ofFiles, (*files).remove)),
	protocol.CodePutKeyBundle: decoded((*conn).putKeyBundle),
	protocol.CodeGetKeyBundle: decoded((*conn).getKeyBundle),
	protocol.CodeGetAccount:   decoded((*conn).getAccount),

	protocol.CodeOpenPacket:      decoded((*conn).openPacket),
	protocol.CodeOpenNamedPacket: decoded((*conn).openNamedPacket),
	protocol.CodePacketPiece:     decoded((*conn).packetPiece),
	protocol.CodeDropPacket:      decoded((*conn).dropPacket),

	protocol.CodeSetPassword:   decoded((*conn).setPassword),
	protocol.CodeRemoveAccount: decoded((*conn).removeAccount),
	protocol.CodeSetBaseAccess: decoded((*conn).setBaseAccess),
	protocol.CodeMakeAPIID:     decoded((*conn).makeAPIID),
	protocol.CodeGetIdentity:   decoded((*conn).getIdentity),

	protocol.CodeBeginRun:       decoded(of(ofRuns, (*runs).begin)),
	protocol.CodeAskPacks:       decoded(of(ofPacks, (*packs).ask)),
	protocol.CodePutPack:        decoded(of(ofPacks, (*packs).put)),
	protocol.CodeCommitSnapshot: decoded(of(ofSnapshots, (*snapshots).commit)),
	protocol.CodeReadPack:       decoded((*conn).readPack),
	protocol.CodeMendSnapshot:   decoded(of(ofSnapshots, (*snapshots).mend)),
	protocol.CodeListSnapshots:  decoded(of(ofSnapshots, (*snapshots).list)),
	protocol.CodeEndRun:         decoded(of(ofRuns, (*runs).end)),
	protocol.CodeListRuns:       decoded(of(ofRuns, (*runs).list)),
	protocol.CodeSnapshotPacks:  decoded(of(ofSnapshots, (*snapshots).listPacks)),
	protocol.CodeListMends:      decoded(of(ofSnapshots, (*snapshots).listMends)),
	protocol.CodeCheckPack:      decoded(of(ofPacks, (*packs).check)),
	protocol.CodeReportVerified: decoded(of(ofSnapshots, (*snapshots).reportVerified)),

	protocol.CodeOpenMachine:   decoded((*conn).openMachine),
	protocol.CodeAddMachine:    decoded(of(ofMachines, (*machines).add)),
	protocol.CodeListMachines:  decoded(of(ofMachines, (*machines).list)),
	protocol.CodeRemoveMachine: decoded(of(ofMachines, (*machines).remove)),

	protocol.CodeCreateAccount: decoded((*conn).createAccount),
	protocol.CodeSignIn:        decoded((*conn).signIn),
	protocol.CodeSetPublicKey:  decoded((*conn).setPublicKey),
	protocol.CodeNewSession:    decoded((*conn).newSession),
	protocol.CodeGetStatus:     decoded((*conn).getStatus),
	protocol.CodeRevokeToken:   decoded((*conn).revokeToken),
	protocol.CodeCheckToken:    decoded((*conn).checkToken),
	protocol.CodeRevokeTokens:  decoded((*conn).revokeTokens),
	protocol.CodeListFailures:  decoded((*conn).listFailures),
	protocol.CodeProveGateway:  decoded((*conn).proveGateway),
	protocol.CodeCaller:        decoded((*conn).setCaller),
}

// of is a handler that needs only a part of the server, not the connection.
func of[P, D any](part func(*Server) P, serve func(P, context.Context, *request, D) (protocol.Message, error)) func(*conn, context.Context, *request, D) (protocol.Message, error) {
	return func(c *conn, ctx context.Context, r *request, m D) (protocol.Message, error) {
		return serve(part(c.s), ctx, r, m)
	}
}

// decoded is a handler that reads its message first. Content that follows the
// message stays in the payload, for serve to read.
func decoded[M any, D interface {
	*M
	protocol.Decoder
}](serve func(*conn, context.Context, *request, D) (protocol.Message, error)) handler {
	return func(ctx context.Context, c *conn, r *request) (protocol.Message, error) {
		size := r.header.Size
		if r.limit.Content {
			size = r.limit.Min
		}
		var m M
		if err := protocol.ReadPayload(r.payload, size, D(&m)); errors.Is(err, protocol.ErrMalformed) {
			return nil, errMalformed
		} else if err != nil {
			return nil, lostError{err}
		}
		return serve(c, ctx, r, &m)
	}
}

// maxSkipSuspended is the most of a suspended client's payload that is read
// over, so that it learns why without losing the connection.
const maxSkipSuspended = 64 << 10

// finish ends a request, however it went: it remembers what was wrong, answers,
// and counts. The error it returns ends the connection.
func (c *conn) finish(r *request, answer protocol.Message, err error) error {
	c.diagnose(r, err)
	c.served++
	how, hangUp := outcomeOf(err), false
	var lost lostError
	switch {
	case errors.As(err, &lost):
		c.s.metrics.Count(r.code, how)
		return lost
	case err == nil:
		c.worked(r)
	default:
		refused := c.refusalOf(r, err)
		answer, hangUp = refused.answer(r.code), c.hangsUp(r, refused)
	}
	if !hangUp {
		err = r.payload.skip()
	} else {
		err = nil
	}
	if err == nil && how != metrics.Served {
		c.s.metrics.Failures.Add(1)
	}
	if err == nil && answer != nil {
		err = c.respond(answer)
	}
	if err != nil {
		how = metrics.Lost
	} else if hangUp {
		err = errHangUp
	}
	c.s.metrics.Count(r.code, how)
	return err
}

// hangsUp reports whether the connection of a refused request ends: when the
// rest of its payload cannot be read over, and who only guesses at the core's
// secret gets one guess a connection.
func (c *conn) hangsUp(r *request, refused *refusal) bool {
	barred := refused == errSuspended || refused == errBaseClosed
	return refused.hangUp || c.unproven() || barred && r.payload.left > maxSkipSuspended
}

// outcomeOf says how a request ended, for the metrics.
func outcomeOf(err error) metrics.Outcome {
	switch {
	case err == nil:
		return metrics.Served
	case errors.As(err, new(lostError)):
		return metrics.Lost
	case errors.As(err, new(*refusal)):
		return metrics.Refused
	}
	return metrics.Failed
}
