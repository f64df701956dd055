package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"coffer/internal/stack"
	"coffer/protocol/cksum"
	"coffer/protocol/crypt"
)

// Many scripts use the gateway while the core is killed and restarted under
// it. Each does what a careful script does, which is to try again what was
// answered with 503 or not at all. Then everything that was acknowledged is
// there, bit for bit, and nothing else. COFFER_RESTARTS says how often the core
// is restarted; 5 times otherwise.
func TestRestartsUnderLoad(t *testing.T) {
	const callers, tasks = 50, 8
	restarts := 5
	if s := os.Getenv("COFFER_RESTARTS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			t.Fatalf("COFFER_RESTARTS=%q is no number of restarts", s)
		}
		restarts = n
	}
	c, g, args := newBusyServers(t)

	load := &load{base: g.url}
	var all []*caller
	for i := range callers {
		all = append(all, newCaller(t, load, i))
	}
	var working sync.WaitGroup
	perCaller := tasks * max(1, restarts/5)
	for _, caller := range all {
		working.Go(func() { caller.work(t, perCaller) })
	}
	worked := make(chan struct{})
	go func() {
		working.Wait()
		close(worked)
	}()
	for i := range restarts {
		load.await(t, int64(i+1)*int64(callers*perCaller)/int64(restarts+1), worked)
		if i%2 == 0 {
			c.kill()
		} else if err := c.stop(); err != nil {
			t.Errorf("SIGTERM: %v", err)
		}
		c.restart(t, args...)
	}
	<-worked
	files := 0
	for _, caller := range all {
		files += len(caller.kept)
		caller.check(t)
	}
	t.Logf("%d requests, of which %d were tried again, over %d restarts; %d files are there", load.requests.Load(), load.retries.Load(), restarts, files)
	if load.requests.Load() < 1000 || load.retries.Load() == 0 || files == 0 {
		t.Error("that was no load")
	}
}

// newBusyServers are servers that do not limit the rate of calls.
func newBusyServers(t *testing.T) (c *core, g *gateway, args []string) {
	t.Helper()
	internal := stack.FreeAddr(t)
	addr := stack.FreeAddr(t)
	args = []string{"--internal-listen", internal}
	c = newCore(t, args...)
	g = newGatewayAt(t, addr, internal, "--rate", "1e6", "--rate-burst", "1000000", "--auth-rate", "1e6", "--auth-burst", "1000000")
	return c, g, args
}

// load is what all callers share.
type load struct {
	base              string
	http              *http.Client // nil: each has its own
	requests, retries atomic.Int64
	tasks             atomic.Int64 // done
	mu                sync.Mutex
	waiting           map[int64]chan struct{} // by the number of tasks
}

// await waits until so many tasks are done.
func (l *load) await(t *testing.T, tasks int64, ended <-chan struct{}) {
	t.Helper()
	l.mu.Lock()
	if l.waiting == nil {
		l.waiting = make(map[int64]chan struct{})
	}
	reached := make(chan struct{})
	l.waiting[tasks] = reached
	l.mu.Unlock()
	if l.tasks.Load() >= tasks {
		return
	}
	select {
	case <-reached:
	case <-ended:
	case <-time.After(2 * patience):
		t.Fatalf("%d of %d tasks are done after %v", l.tasks.Load(), tasks, 2*patience)
	}
}

func (l *load) taskDone() {
	n := l.tasks.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	for tasks, reached := range l.waiting {
		if n >= tasks {
			close(reached)
			delete(l.waiting, tasks)
		}
	}
}

// A caller is one script with an account of its own.
type caller struct {
	*load
	http   *http.Client
	random *mathrand.Rand
	name   string
	key    *rsa.PrivateKey
	header http.Header

	session crypt.SessionKey
	count   int
	kept    map[string][]byte // what was acknowledged and not removed
}

// A refusal is an answer that trying again does not change.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return fmt.Sprint(r.status, " ", r.message) }

func isRefusal(err error, status int) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == status
}

func newCaller(t *testing.T, l *load, number int) *caller {
	t.Helper()
	c := &caller{load: l, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2}}, name: fmt.Sprint("caller ", number),
		random: mathrand.New(mathrand.NewPCG(uint64(number), 7)), header: make(http.Header), kept: make(map[string][]byte)}
	if l.http != nil {
		c.http = l.http
	}
	t.Cleanup(c.http.CloseIdleConnections)
	var err error
	if c.key, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
		t.Fatal(err)
	}
	var registered struct {
		ID string `json:"client_id"`
	}
	var login struct {
		Token string `json:"session_token"`
	}
	ctx := t.Context()
	err = errors.Join(
		c.call(ctx, "POST", "/auth/register", map[string]string{"username": c.name, "client_type": "api_client"}, &registered),
		c.call(ctx, "POST", "/auth/login", map[string]string{"username": c.name}, &login))
	c.header.Set("Authorization", "Bearer "+login.Token)
	c.header.Set("X-Client-ID", registered.ID)
	if err := errors.Join(err, c.sendKey(ctx)); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	return c
}

func (c *caller) sendKey(ctx context.Context) error {
	der, err := x509.MarshalPKIXPublicKey(&c.key.PublicKey)
	if err != nil {
		return err
	}
	var issued struct {
		Wrapped []byte `json:"aes_key_encrypted"`
	}
	if err := c.call(ctx, "POST", "/keys/public", map[string]any{"public_key_der": der}, &issued); err != nil {
		return err
	}
	c.session, err = crypt.Unwrap(c.key, crypt.SHA256, issued.Wrapped)
	return err
}

// call makes a call until it is answered, with something other than 503. A
// body of bytes goes as it is, another as JSON; the answer is decoded, or, if
// it is to be *[]byte, read.
func (c *caller) call(ctx context.Context, method, path string, body, answer any) error {
	for {
		again, err := c.try(ctx, method, path, body, answer)
		if !again || ctx.Err() != nil {
			return err
		}
		c.retries.Add(1)
		select {
		case <-time.After(50*time.Millisecond + mathrand.N(100*time.Millisecond)): // sooner than Retry-After asks, to be in the way
		case <-ctx.Done():
		}
	}
}

func (c *caller) try(ctx context.Context, method, path string, body, answer any) (again bool, err error) {
	c.requests.Add(1)
	contentType, content := "application/octet-stream", []byte(nil)
	switch b := body.(type) {
	case nil:
	case []byte:
		content = b
	default:
		contentType = "application/json"
		if content, err = json.Marshal(b); err != nil {
			return false, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+"/api/v1"+path, bytes.NewReader(content))
	if err != nil {
		return false, err
	}
	r.Header = c.header.Clone()
	r.Header.Set("Content-Type", contentType)
	response, err := c.http.Do(r)
	if err != nil {
		return true, err
	}
	defer response.Body.Close()
	out, err := io.ReadAll(response.Body)
	switch {
	case err != nil || response.StatusCode == http.StatusServiceUnavailable:
		return true, err
	case response.StatusCode >= 300:
		return false, &refusal{response.StatusCode, string(out)}
	}
	switch a := answer.(type) {
	case nil:
		return false, nil
	case *[]byte:
		*a = out
		return false, nil
	}
	return false, json.Unmarshal(out, answer)
}

// work does what a random plan says.
func (c *caller) work(t *testing.T, tasks int) {
	for range tasks {
		if err := c.task(t.Context()); err != nil {
			t.Errorf("%s: %v", c.name, err)
			return
		}
		c.taskDone()
	}
}

func (c *caller) task(ctx context.Context) error {
	c.count++
	name := fmt.Sprintf("file %d", c.count)
	if c.count%5 == 0 {
		name = "the same/again"
	}
	content := randomBytes(c.random.Uint64(), c.random.IntN(20_000))
	if c.random.IntN(8) == 0 {
		content = randomBytes(c.random.Uint64(), 700_000+c.random.IntN(900_000)) // in pieces
	}
	upload := c.uploadRaw
	if c.random.IntN(2) == 0 {
		upload = c.uploadJSON
	}
	if err := upload(ctx, name, content); err != nil {
		return fmt.Errorf("upload %q: %w", name, err)
	}
	c.kept[name] = content
	switch c.random.IntN(4) {
	case 0:
		if err := c.call(ctx, "DELETE", "/files/"+url.PathEscape(name), nil, nil); err != nil && !isRefusal(err, http.StatusNotFound) {
			return fmt.Errorf("remove %q: %w", name, err)
		}
		delete(c.kept, name)
	case 1:
		return c.download(ctx, name, content)
	}
	return nil
}

type progress struct {
	Awaiting []int  `json:"awaiting_packets"`
	CRC      string `json:"server_crc"`
}

// sendAll sends packets until none is missing.
func sendAll(total int, send func(number int) (progress, error)) (progress, error) {
	missing := make([]int, total)
	for i := range missing {
		missing[i] = i + 1
	}
	var last progress
	for tries := 0; len(missing) > 0; tries++ {
		if tries == 20 {
			return last, errors.New("packets go missing again and again")
		}
		for _, number := range missing {
			var err error
			if last, err = send(number); err != nil {
				return last, err
			}
		}
		missing = last.Awaiting
	}
	return last, nil
}

// uploadRaw uploads packets as bytes.
func (c *caller) uploadRaw(ctx context.Context, name string, content []byte) error {
	for range 20 {
		var begun struct {
			ID      string `json:"upload_id"`
			Wrapped []byte `json:"aes_key_encrypted"`
		}
		if err := c.call(ctx, "POST", "/uploads", map[string]string{"filename": name}, &begun); err != nil {
			return err
		}
		key, err := crypt.Unwrap(c.key, crypt.SHA256, begun.Wrapped)
		if err != nil {
			return err
		}
		packets := cut(encrypted(key, content), 600_000)
		path := "/uploads/" + begun.ID
		done, err := sendAll(len(packets), func(number int) (state progress, err error) {
			last := "?last=" + strconv.FormatBool(number == len(packets))
			err = c.call(ctx, "PUT", fmt.Sprint(path, "/packets/", number, last), packets[number-1], &state)
			return state, err
		})
		if isRefusal(err, http.StatusNotFound) {
			continue // an upload without a packet does not outlive the core
		}
		if err != nil {
			return err
		}
		err = c.confirm(ctx, path+"/verify", map[string]string{"client_crc": crcOf(content)}, name, content, done.CRC)
		if !errors.Is(err, errAgain) {
			return err
		}
	}
	return errors.New("it never came to an end")
}

// uploadJSON uploads packets as scripts do that know JSON alone.
func (c *caller) uploadJSON(ctx context.Context, name string, content []byte) error {
	for range 20 {
		packets := cut(encrypted(c.session, content), 600_000)
		done, err := sendAll(len(packets), func(number int) (state progress, err error) {
			err = c.call(ctx, "POST", "/files/upload", map[string]any{"filename": name, "original_size": len(content),
				"packet_number": number, "total_packets": len(packets), "encrypted_data": packets[number-1]}, &state)
			return state, err
		})
		if isRefusal(err, http.StatusConflict) { // the session has ended
			if err := c.sendKey(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		err = c.confirm(ctx, "/files/verify", map[string]string{"filename": name, "client_crc": crcOf(content)}, name, content, done.CRC)
		if !errors.Is(err, errAgain) {
			return err
		}
	}
	return errors.New("it never came to an end")
}

var errAgain = errors.New("the upload has to be done again")

// confirm verifies an upload. If its answer was lost with the core, what is
// stored says what came of it.
func (c *caller) confirm(ctx context.Context, path string, body any, name string, content []byte, crc string) error {
	if crc != crcOf(content) {
		return fmt.Errorf("the server's checksum is %s", crc)
	}
	var verdict struct {
		Verified bool `json:"verified"`
	}
	err := c.call(ctx, "POST", path, body, &verdict)
	if err == nil && !verdict.Verified {
		return errors.New("not verified")
	}
	if !isRefusal(err, http.StatusNotFound) && !isRefusal(err, http.StatusConflict) {
		return err
	}
	var details struct {
		File struct {
			CRC  string `json:"crc"`
			Size int    `json:"original_size"`
		} `json:"file"`
	}
	err = c.call(ctx, "GET", "/files/"+url.PathEscape(name), nil, &details)
	if err == nil && details.File.CRC == crc && details.File.Size == len(content) {
		return nil
	}
	if err == nil || isRefusal(err, http.StatusNotFound) {
		return errAgain
	}
	return err
}

// download fetches a file and compares it.
func (c *caller) download(ctx context.Context, name string, want []byte) error {
	var details struct {
		Wrapped []byte `json:"aes_key_encrypted"`
	}
	path := "/files/" + url.PathEscape(name)
	if err := c.call(ctx, "GET", path, nil, &details); err != nil {
		return fmt.Errorf("describe %q: %w", name, err)
	}
	key, err := crypt.Unwrap(c.key, crypt.SHA256, details.Wrapped)
	if err != nil {
		return err
	}
	var ciphertext []byte
	if err := c.call(ctx, "GET", path+"/content", nil, &ciphertext); err != nil {
		return fmt.Errorf("download %q: %w", name, err)
	}
	got, err := io.ReadAll(crypt.NewDecryptReader(bytes.NewReader(ciphertext), key))
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("%q came back as another: %d bytes for %d, %w", name, len(got), len(want), err)
	}
	return nil
}

// check compares all that is there with what was acknowledged.
func (c *caller) check(t *testing.T) {
	t.Helper()
	var page struct {
		Files []struct {
			Name string `json:"filename"`
		} `json:"files"`
	}
	if err := c.call(t.Context(), "GET", "/files?limit=1000", nil, &page); err != nil {
		t.Errorf("%s: list: %v", c.name, err)
		return
	}
	listed := make(map[string]bool)
	for _, f := range page.Files {
		listed[f.Name] = true
		if _, ok := c.kept[f.Name]; !ok {
			t.Errorf("%s: %q is there", c.name, f.Name)
		}
	}
	for name, content := range c.kept {
		if !listed[name] {
			t.Errorf("%s: %q was acknowledged and is lost", c.name, name)
		} else if err := c.download(t.Context(), name, content); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func encrypted(key crypt.SessionKey, content []byte) []byte {
	enc := crypt.NewEncrypter(key)
	return enc.Finish(enc.Append(nil, content))
}

func crcOf(content []byte) string { return fmt.Sprintf("0x%08x", cksum.Sum(content)) }
