package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/time/rate"

	"coffer/internal/fair"
	"coffer/protocol"
	"coffer/store"
)

// Argon2id parameters: the second choice of RFC 9106, 4, with less memory, as
// OWASP recommends for servers.
const (
	argonTime    = 2
	argonMemory  = 19 << 10 // KiB
	argonThreads = 1
	argonKey     = 32
	argonSalt    = 16
)

// The gateway's own requests wait apart from those of clients on the wire: it
// has them take turns by address already, and neither side waits for the other.
var (
	gatewayTurns = fair.Limits{Slots: 2, Waiting: 64, PerSource: 64}
	clientTurns  = fair.Limits{Slots: 1, Waiting: 16, PerSource: 1}
)

// A client may have a password checked or set so often on the wire.
const (
	passwordTries = 5                // at once
	passwordEvery = 10 * time.Second // and then
	passwordKeys  = 4 << 10          // how many clients are remembered at least
)

// errPasswords answers who wants more passwords checked than are.
var errPasswords = refuse(protocol.StatusTooMany, "too many passwords are being checked; try again later")

// passwords hashes and compares passwords, few at a time: each takes 19 MiB and
// some 30 ms of a processor.
type passwords struct {
	gateway, clients *fair.Queue
	decoy            string // a hash that nothing matches, to spend the same time on

	mu          sync.Mutex
	recent, old map[store.ClientID]*rate.Limiter // guarded by mu; old is forgotten when recent is full
}

func newPasswords() *passwords {
	p := &passwords{gateway: fair.NewQueue(gatewayTurns), clients: fair.NewQueue(clientTurns), recent: make(map[store.ClientID]*rate.Limiter)}
	random := make([]byte, argonSalt+argonKey)
	rand.Read(random)
	p.decoy = formatHash(argonTime, argonMemory, argonThreads, random[:argonSalt], random[argonSalt:])
	return p
}

func formatHash(passes, memory uint32, threads uint8, salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, threads, b64(salt), b64(key))
}

// A passwordTurn is the right to have passwords hashed.
type passwordTurn struct{ p *passwords }

// turn waits until the connection may have passwords hashed, and limits how
// often a client on the wire may.
func (c *conn) turn(ctx context.Context, id store.ClientID) (turn passwordTurn, release func(), err error) {
	p := c.s.passwords
	queue, source := p.gateway, ""
	if !c.internal {
		if !p.allows(id) {
			return turn, nil, errPasswords
		}
		queue, source = p.clients, string(id[:])
	}
	release, err = queue.Acquire(ctx, source)
	if errors.Is(err, fair.ErrBusy) {
		err = errPasswords
	}
	return passwordTurn{p}, release, err
}

// allows takes a try off a client's allowance.
func (p *passwords) allows(id store.ClientID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.recent[id]
	if one == nil {
		if one = p.old[id]; one == nil {
			one = rate.NewLimiter(rate.Every(passwordEvery), passwordTries)
		}
		if len(p.recent) >= passwordKeys {
			p.recent, p.old = make(map[store.ClientID]*rate.Limiter), p.recent
		}
		p.recent[id] = one
	}
	return one.Allow()
}

// hash returns the password's hash in PHC string format.
func (passwordTurn) hash(password string) string {
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	return formatHash(argonTime, argonMemory, argonThreads, salt, key)
}

var errHash = errors.New("stored password hash is not argon2id")

// matches compares a password with a stored hash. An empty hash matches
// nothing and takes as long.
func (turn passwordTurn) matches(hash, password string) (bool, error) {
	none := hash == ""
	if none {
		hash = turn.p.decoy
	}
	fields := strings.Split(hash, "$")
	if len(fields) != 6 || fields[1] != "argon2id" {
		return false, errHash
	}
	var version int
	var memory, passes uint32
	var threads uint8
	if _, err := fmt.Sscanf(fields[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false, errHash
	}
	if _, err := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); err != nil {
		return false, errHash
	}
	salt, err := base64.RawStdEncoding.DecodeString(fields[4])
	if err != nil {
		return false, errHash
	}
	want, err := base64.RawStdEncoding.DecodeString(fields[5])
	if err != nil {
		return false, errHash
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1 && !none, nil
}
