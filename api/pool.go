package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/puddle/v2"

	"coffer/client"
	"coffer/internal/problem"
	"coffer/protocol"
)

const (
	dialTimeout = 5 * time.Second
	// The interval for checking an idle connection: the core closes connections
	// that are silent for a minute.
	pingEvery   = 15 * time.Second
	pingTimeout = 3 * time.Second
)

// repeat says whether a request may be sent a second time.
type repeat bool

const (
	once       repeat = false // a second time would do something else
	idempotent repeat = true
)

// A pool keeps connections to the core. Those that failed are thrown away.
type pool struct {
	// static after construction
	conns    *puddle.Pool[*pooled]
	wait     time.Duration
	stop     context.CancelFunc
	watching sync.WaitGroup

	onError func(error) // counts what the core or the way to it got wrong; set before the first use
}

// pooled is a connection, and whether it was used before.
type pooled struct {
	*client.Conn
	used bool // owned by who holds the connection
}

func newPool(cfg Config, gateway protocol.ClientID, conns int) (*pool, error) {
	opts := client.Options{TLS: cfg.CoreTLS, Timeout: cfg.CoreTimeout, Secret: &cfg.CoreSecret, Gateway: gateway}
	made, err := puddle.NewPool(&puddle.Config[*pooled]{
		Constructor: func(ctx context.Context) (*pooled, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			conn, err := client.Dial(ctx, cfg.Core, opts)
			if err != nil {
				return nil, err
			}
			return &pooled{Conn: conn}, nil
		},
		Destructor: func(c *pooled) { c.Close() },
		MaxSize:    int32(conns),
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &pool{conns: made, wait: cfg.CoreWait, stop: stop, onError: func(error) {}}
	p.watching.Go(func() { p.watch(ctx) })
	return p, nil
}

// close waits for connections in use.
func (p *pool) close() {
	p.stop()
	p.watching.Wait()
	p.conns.Close()
}

// watch asks idle connections for a sign of life until ctx ends.
func (p *pool) watch(ctx context.Context) {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.check(ctx)
		}
	}
}

// check throws away idle connections that are dead.
func (p *pool) check(ctx context.Context) {
	for _, res := range p.conns.AcquireAllIdle() {
		if ping(ctx, res.Value().Conn) != nil {
			res.Destroy()
		} else {
			res.Release()
		}
	}
}

// ping asks for the cheapest of answers: about a token that nobody has.
func ping(ctx context.Context, conn *client.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return conn.CheckToken(ctx, protocol.CheckToken{})
}

// do calls f with a connection. If that had been used before and turns out to
// be dead, f is called again with a fresh one where it is idempotent; where it
// is not, the connection has shown life just before.
func (p *pool) do(ctx context.Context, r repeat, f func(*client.Conn) error) error {
	res, used, err := p.acquire(ctx)
	if err != nil {
		return err
	}
	if used && r == once && ping(ctx, res.Value().Conn) != nil {
		if res, _, err = p.replace(ctx, res); err != nil {
			return err
		}
		used = false
	}
	err = p.use(res, f)
	if err != nil && used && r == idempotent && ctx.Err() == nil && client.IsTransport(err) {
		if res, _, err = p.replace(ctx, nil); err != nil {
			return err
		}
		err = p.use(res, f)
	}
	if err != nil && ctx.Err() == nil {
		p.onError(err)
	}
	return err
}

// Idempotent calls f with a connection, and again with a fresh one if that turns
// out to be dead: what f asks may be asked a second time.
func (p *pool) Idempotent(ctx context.Context, f func(*client.Conn) error) error {
	return p.do(ctx, idempotent, f)
}

// Once calls f with a connection that has just shown life: what f asks must not
// be asked a second time.
func (p *pool) Once(ctx context.Context, f func(*client.Conn) error) error {
	return p.do(ctx, once, f)
}

// acquire waits for a connection, but not longer than p.wait.
func (p *pool) acquire(ctx context.Context) (res *puddle.Resource[*pooled], used bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	res, err = p.conns.Acquire(waiting)
	if err != nil {
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		p.onError(err)
		if errors.Is(err, context.DeadlineExceeded) && waiting.Err() != nil {
			return nil, false, &problem.Problem{Kind: problem.Unavailable, Detail: "the server is busy; try again", Cause: err}
		}
		return nil, false, &problem.Problem{Kind: problem.Unavailable, Detail: coreAway, Cause: err}
	}
	used, res.Value().used = res.Value().used, true
	return res, used, nil
}

// replace throws away res and all that were connected before, since what broke
// one broke them all, and acquires another.
func (p *pool) replace(ctx context.Context, res *puddle.Resource[*pooled]) (*puddle.Resource[*pooled], bool, error) {
	if res != nil {
		res.Destroy()
	}
	p.conns.Reset()
	return p.acquire(ctx)
}

func (p *pool) use(res *puddle.Resource[*pooled], f func(*client.Conn) error) error {
	conn := res.Value().Conn
	defer func() {
		if conn.Err() != nil {
			res.Destroy()
		} else {
			res.Release()
		}
	}()
	return f(conn)
}
