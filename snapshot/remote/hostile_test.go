package remote_test

import (
	"crypto/rsa"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"coffer/client"
	"coffer/protocol"
	"coffer/protocol/crypt"
	"coffer/snapshot"
	"coffer/snapshot/remote"
)

// startHostile starts a server that accepts everyone, and answers each list of
// packs with the same page, which is never the last.
func startHostile(t *testing.T, key *rsa.PublicKey) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				for {
					header, err := protocol.ReadRequestHeader(conn)
					if err != nil {
						return
					}
					if _, err := io.CopyN(io.Discard, conn, int64(header.Size)); err != nil {
						return
					}
					var answer protocol.Message = &protocol.Done{}
					switch header.Code {
					case protocol.CodeReconnect:
						session, _ := crypt.NewSessionKey()
						wrapped, _ := crypt.Wrap(key, crypt.SHA256, session)
						answer = &protocol.Reconnected{Client: header.Client, WrappedKey: wrapped}
					case protocol.CodeChallenge:
						answer = &protocol.ChallengeIssued{}
					case protocol.CodeSnapshotPacks:
						answer = &protocol.PackList{More: true, Packs: []protocol.PackEntry{{Ordinal: 1, Size: 1}}}
					}
					if _, err := conn.Write(protocol.AppendResponse(nil, answer, 0)); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); wg.Wait() })
	return listener.Addr().String()
}

// A list of packs that never ends is refused.
func TestEndlessListOfPacks(t *testing.T) {
	key, _ := newKey(t)
	session := newSession(t, client.Credentials{Addr: startHostile(t, &key.PublicKey), Name: "ada", Client: protocol.ClientID{1}, Key: key})
	seen := 0
	err := remote.New(session, 0).SnapshotPacks(t.Context(), "s/00000000000000000000000000000000", 1, func(snapshot.PackID, uint64) error {
		if seen++; seen > 10 {
			return errors.New("it does not end")
		}
		return nil
	})
	if !errors.Is(err, client.ErrProtocol) || seen != 1 {
		t.Errorf("%d packs, %v", seen, err)
	}
}
