package client

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"testing"
	"time"
)

// A server that speaks another protocol, TLS say, closes what it does not
// understand. The first connection must say so, and not be tried for minutes.
func TestSessionFirstConnectionIsFinal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan int)
	go func() {
		n := 0
		for {
			nc, err := l.Accept()
			if err != nil {
				accepted <- n
				return
			}
			n++
			nc.Close()
		}
	}()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSession(Credentials{Addr: l.Addr().String(), Name: "ada", Key: key}, SessionOptions{MaxElapsed: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err = s.Do(ctx, func(*Conn) error { return nil })
	if err == nil || ctx.Err() != nil {
		t.Errorf("Do: %v, want the first connection's error at once", err)
	}
	l.Close()
	if n := <-accepted; n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}
