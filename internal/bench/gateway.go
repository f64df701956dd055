package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"coffer/client"
	"coffer/protocol"
)

// gatewayPacket is the content of a packet in these measurements: the largest
// that a gateway accepts by default.
const gatewayPacket = 16 << 20

// gateway is a running gateway, and an account that is signed in.
type gateway struct {
	process
	base   string
	http   *http.Client
	header http.Header
	id     protocol.ClientID
}

// startGateway starts a gateway before a core, with its files in a folder, and
// signs in.
func (b *bench) startGateway(ctx context.Context, c *core, dir string) (*gateway, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	g := &gateway{base: "http://" + addr + "/api/v1", header: make(http.Header)}
	g.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, WriteBufferSize: 256 << 10}}
	g.cmd = exec.CommandContext(ctx, filepath.Join(b.bin, "coffer-gateway"), "--listen", addr, "--core", c.internal,
		"--jwt-secret-file", filepath.Join(dir, "jwt"), "--rate", "1e9", "--rate-burst", "1000000000", "--log-level", "warn")
	g.cmd.Env = append(os.Environ(), "TMPDIR="+dir, "COFFER_CORE_SECRET="+hex.EncodeToString(coreSecret[:]))
	if err := g.start(addr); err != nil {
		return nil, err
	}
	if err := g.signIn(ctx); err != nil {
		return nil, errors.Join(err, g.stop())
	}
	return g, nil
}

func (g *gateway) signIn(ctx context.Context) error {
	name := fmt.Sprint("bench ", rand.Text())
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	var registered struct {
		ID string `json:"client_id"`
	}
	var in struct {
		Token string `json:"session_token"`
	}
	if err := errors.Join(
		g.call(ctx, http.MethodPost, "/auth/register", map[string]string{"username": name, "client_type": "api_client"}, &registered),
		g.call(ctx, http.MethodPost, "/auth/login", map[string]string{"username": name}, &in)); err != nil {
		return err
	}
	g.header.Set("Authorization", "Bearer "+in.Token)
	g.header.Set("X-Client-ID", registered.ID)
	if _, err := hex.Decode(g.id[:], []byte(strings.ReplaceAll(registered.ID, "-", ""))); err != nil {
		return err
	}
	return g.call(ctx, http.MethodPost, "/keys/public", map[string]any{"public_key_der": der}, nil)
}

// call makes a call. A body of bytes is sent unchanged, any other as JSON.
func (g *gateway) call(ctx context.Context, method, path string, body, answer any) error {
	contentType, content := "application/octet-stream", []byte(nil)
	switch body := body.(type) {
	case []byte:
		content = body
	case rawJSON:
		contentType, content = "application/json", body
	default:
		contentType = "application/json"
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, g.base+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	r.Header = g.header.Clone()
	r.Header.Set("Content-Type", contentType)
	response, err := g.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, out)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(out, answer)
}

// rawJSON is a body that is JSON already.
type rawJSON []byte

// begin begins an upload and returns its path.
func (g *gateway) begin(ctx context.Context) (string, error) {
	var begun struct {
		ID string `json:"upload_id"`
	}
	err := g.call(ctx, http.MethodPost, "/uploads", map[string]string{"filename": "bench"}, &begun)
	return "/uploads/" + begun.ID, err
}

// raw uploads packets as bytes, with a number of concurrent senders, and
// returns how long it took. The upload is given up before its end, which does
// not depend on the sender.
func (g *gateway) raw(ctx context.Context, packet []byte, count, atOnce int) (time.Duration, error) {
	path, err := g.begin(ctx)
	if err != nil {
		return 0, err
	}
	took, err := inTurns(count, atOnce, func(_, n int) error {
		return g.call(ctx, http.MethodPut, fmt.Sprintf("%s/packets/%d", path, n+1), packet, nil)
	})
	return took, errors.Join(err, g.call(ctx, http.MethodDelete, path, nil, nil))
}

// json uploads packets in JSON. The members are in the order of API documents,
// or begin with those that name the content's destination.
func (g *gateway) json(ctx context.Context, content string, count, atOnce int, contentLast bool) (time.Duration, error) {
	name := "bench " + rand.Text()
	took, err := inTurns(count, atOnce, func(_, n int) error {
		meta := fmt.Sprintf(`"original_size":%d,"packet_number":%d,"total_packets":%d`, int64(gatewayPacket)*int64(count)*2, n+1, count+1)
		data := `"encrypted_data":"` + content + `"`
		members := []string{`"filename":"` + name + `"`, data, meta}
		if contentLast {
			members[1], members[2] = meta, data
		}
		return g.call(ctx, http.MethodPost, "/files/upload", rawJSON("{"+strings.Join(members, ",")+"}"), nil)
	})
	return took, errors.Join(err, g.cancel(ctx, name))
}

// cancel gives up the upload that bears a file's name.
func (g *gateway) cancel(ctx context.Context, name string) error {
	var list struct {
		Uploads []struct {
			ID   string `json:"upload_id"`
			Name string `json:"filename"`
		} `json:"uploads"`
	}
	err := g.call(ctx, http.MethodGet, "/uploads", nil, &list)
	for _, upload := range list.Uploads {
		if upload.Name == name {
			err = errors.Join(err, g.call(ctx, http.MethodDelete, "/uploads/"+upload.ID, nil, nil))
		}
	}
	return err
}

// direct uploads packets to the core.
func (g *gateway) direct(ctx context.Context, c *core, packet []byte, count, atOnce int) (time.Duration, error) {
	conns := make([]*client.Conn, atOnce)
	for i := range conns {
		var err error
		if conns[i], err = client.Dial(ctx, c.internal, client.Options{Secret: &coreSecret}); err != nil {
			return 0, err
		}
		defer conns[i].Close()
	}
	begun, err := conns[0].BeginUpload(ctx, g.id, protocol.BeginUpload{OriginalSize: protocol.UnknownSize, Name: "bench"})
	if err != nil {
		return 0, err
	}
	took, err := inTurns(count, atOnce, func(worker, n int) error {
		_, err := conns[worker].UploadPacket(ctx, g.id, protocol.UploadPacket{Upload: begun.Upload, Number: uint32(n + 1)}, packet)
		return err
	})
	return took, errors.Join(err, conns[0].CancelUpload(ctx, g.id, protocol.UploadRef{ByID: true, Upload: begun.Upload}))
}

// inTurns has so many workers do things 0 to count-1, and returns how long it
// took.
func inTurns(count, workers int, do func(worker, n int) error) (time.Duration, error) {
	began := time.Now()
	next := make(chan int)
	var work errgroup.Group
	for worker := range workers {
		work.Go(func() (err error) {
			for n := range next {
				if err == nil {
					err = do(worker, n)
				}
			}
			return err
		})
	}
	for n := range count {
		next <- n
	}
	close(next)
	err := work.Wait()
	return time.Since(began), err
}

// withGateway measures with a core and a gateway on data in a folder of their
// own.
func (b *bench) withGateway(ctx context.Context, measure func(*core, *gateway) error) (err error) {
	dir, err := os.MkdirTemp(b.tmp, "gateway-")
	if err != nil {
		return err
	}
	c, err := b.start(ctx, filepath.Join(dir, "data"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop(), os.RemoveAll(dir)) }()
	g, err := b.startGateway(ctx, c, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	return measure(c, g)
}

// gatewayUploads compares packets through the gateway with the same to the
// core, and packets in JSON with packets as bytes.
func (b *bench) gatewayUploads(ctx context.Context) error {
	packet := make([]byte, gatewayPacket)
	rand.Read(packet)
	text := base64.StdEncoding.EncodeToString(packet)
	count := int(max(4, b.size/gatewayPacket))
	return b.withGateway(ctx, func(c *core, g *gateway) error {
		for _, atOnce := range []int{1, 4} {
			var sum [4]time.Duration // direct, raw, content last, as documented
			const rounds = 3
			for range rounds {
				for i, upload := range []func() (time.Duration, error){
					func() (time.Duration, error) { return g.direct(ctx, c, packet, count, atOnce) },
					func() (time.Duration, error) { return g.raw(ctx, packet, count, atOnce) },
					func() (time.Duration, error) { return g.json(ctx, text, count, atOnce, true) },
					func() (time.Duration, error) { return g.json(ctx, text, count, atOnce, false) },
				} {
					took, err := upload()
					if err != nil {
						return err
					}
					sum[i] += took
				}
			}
			rate := func(d time.Duration) float64 {
				return float64(gatewayPacket) * float64(count) * rounds / d.Seconds() / 1e6
			}
			with := fmt.Sprintf(", %d at once", atOnce)
			b.report("packets to the core"+with, rate(sum[0]), "MB/s")
			b.report("packets through the gateway"+with, rate(sum[1]), "MB/s")
			b.report("gateway / core"+with, sum[0].Seconds()/sum[1].Seconds(), "ratio")
			b.report("JSON, content last / bytes"+with, sum[1].Seconds()/sum[2].Seconds(), "ratio")
			b.report("JSON, as documented / bytes"+with, sum[1].Seconds()/sum[3].Seconds(), "ratio")
		}
		return nil
	})
}

// gatewayStatus compares GET /status with a handler of chi's that does nothing.
func (b *bench) gatewayStatus(ctx context.Context) error {
	const calls, atOnce = 20_000, 16
	return b.withGateway(ctx, func(_ *core, g *gateway) error {
		router := chi.NewRouter()
		router.Get("/api/v1/status", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintln(w, `{"server_running":true}`)
		})
		bare := httptest.NewServer(router)
		defer bare.Close()
		perSecond := func(url string) (float64, error) {
			took, err := inTurns(calls, atOnce, func(int, int) error {
				response, err := g.http.Get(url)
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, response.Body)
				return errors.Join(err, response.Body.Close())
			})
			return calls / took.Seconds(), err
		}
		status, err := perSecond(g.base + "/status")
		if err != nil {
			return err
		}
		chi, err := perSecond(bare.URL + "/api/v1/status")
		if err != nil {
			return err
		}
		b.report("GET /status", status, "calls/s")
		b.report("GET /status / a bare handler", status/chi, "ratio")
		return nil
	})
}

// gatewayMemory takes the gateway's peak memory while 32 large uploads run.
func (b *bench) gatewayMemory(ctx context.Context) error {
	const uploads = 32
	packet := make([]byte, gatewayPacket)
	rand.Read(packet)
	text := base64.StdEncoding.EncodeToString(packet)
	count := int(max(1, b.web/gatewayPacket))
	for _, kind := range []string{"bytes", "JSON"} {
		err := b.withGateway(ctx, func(_ *core, g *gateway) error {
			var work errgroup.Group
			for range uploads {
				work.Go(func() (err error) {
					if kind == "JSON" {
						_, err = g.json(ctx, text, count, 1, false)
					} else {
						_, err = g.raw(ctx, packet, count, 1)
					}
					return err
				})
			}
			if err := work.Wait(); err != nil {
				return err
			}
			peak, err := g.memory("VmHWM")
			if err != nil {
				return err
			}
			b.report(fmt.Sprintf("gateway's peak memory, %d uploads at once, %s", uploads, kind), peak/(1<<20), "MiB")
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
