package server_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"coffer/protocol"
	"coffer/protocol/cksum"
	"coffer/server"
	"coffer/store"
)

// slowSeal holds up the sealing of parts.
type slowSeal struct {
	store.Blobs
	sealing chan struct{} // gets a value when one is about to be sealed
	release chan struct{} // closed when it may
}

func (b *slowSeal) NewPart(ctx context.Context, id store.UploadID, header []byte) (store.Part, error) {
	p, err := b.Blobs.NewPart(ctx, id, header)
	return slowPart{p, b}, err
}

type slowPart struct {
	store.Part
	b *slowSeal
}

func (p slowPart) Commit(ctx context.Context, meta store.Metadata) (store.BlobRef, error) {
	p.b.sealing <- struct{}{}
	<-p.b.release
	return p.Part.Commit(ctx, meta)
}

// An answer never says that nothing is missing and that the file is not there
// either: not while it is being sealed, nor after a crash that came just then.
func TestSettled(t *testing.T) {
	slow := &slowSeal{sealing: make(chan struct{}, 1), release: make(chan struct{})}
	c := startOnDisk(t, func(cfg *server.Config) { slow.Blobs, cfg.Blobs = cfg.Blobs, slow })
	w := c.proven("client")
	other := c.gateway(w)
	plain := content(150, 300_000)
	id, up := w.begin(&protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "f"})
	packets := cut(encrypt(up.key, plain), 200_000)
	w.packet(id, 1, false, packets[0])
	ref := protocol.UploadRef{ByID: true, Upload: id}

	var both sync.WaitGroup
	both.Go(func() {
		if s := w.packet(id, 2, true, packets[1]); !s.Complete {
			t.Errorf("the last packet: %+v", s)
		}
	})
	<-slow.sealing
	crashed := c.crashImage()
	both.Go(func() { // the same packet, sent again meanwhile
		if s := other.packet(id, 2, true, packets[1]); !s.Complete || s.Cksum != cksum.Sum(plain) {
			t.Errorf("the last packet once more: %+v", s)
		}
	})
	third := c.gateway(w)
	both.Go(func() {
		var s protocol.UploadState
		if third.ask(&protocol.GetUpload{Ref: ref}, nil, &s); !s.Complete {
			t.Errorf("asked: %+v", s)
		}
	})
	close(slow.release)
	both.Wait()
	w.confirmUpload(id, plain)

	for name, settle := range map[string]func(w *wire){
		"asked":         func(*wire) {},
		"packet again":  func(w *wire) { w.packet(id, 2, true, packets[1]) },
		"piece again":   func(w *wire) { w.piece(w.open(id, 1, false, len(packets[0])), packets[0], 0, len(packets[0])) },
		"just verified": func(*wire) {},
	} {
		t.Run(name, func(t *testing.T) {
			after := crashed.image(t)
			w := after.gateway(w)
			w.t = t
			settle(w)
			var r protocol.VerifyResult
			if name == "just verified" {
				w.ask(&protocol.VerifyUpload{Ref: ref, Cksum: cksum.Sum(plain)}, nil, &r)
			} else {
				w.confirmUpload(id, plain)
			}
			w.expectStored("f", plain)
		})
	}
}

// A crashImage is what a crash would leave on the disk.
type crashImage struct {
	dir    string
	master server.MasterKey
}

func (c *core) crashImage() crashImage {
	c.t.Helper()
	image := crashImage{c.t.TempDir(), c.master}
	if err := os.CopyFS(image.dir, os.DirFS(c.folder())); err != nil {
		c.t.Fatal(err)
	}
	return image
}

// image starts a server on a copy of the image.
func (i crashImage) image(t *testing.T) *core {
	t.Helper()
	c := &core{t: t, dir: t.TempDir(), master: i.master}
	if err := os.CopyFS(c.folder(), os.DirFS(i.dir)); err != nil {
		t.Fatal(err)
	}
	c.start()
	t.Cleanup(c.stop)
	return c
}
