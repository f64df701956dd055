// Package storetest is the suite that every implementation of the storage
// contracts passes: what the prose in package store promises, each promise
// tested against the real thing. It knows no implementation, and does not test
// what a power cut leaves, which needs the implementation's help.
//
// An implementation calls it in four lines:
//
//	func TestCatalog(t *testing.T) {
//		storetest.Catalog(t, func(t *testing.T) store.Catalog { ... })
//	}
package storetest

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"coffer/store"
)

// Catalog tests a catalog. Each call of open returns an empty one; the suite
// closes it.
func Catalog(t *testing.T, open func(t *testing.T) store.Catalog) {
	tests := []struct {
		name string
		run  func(*testing.T, store.Catalog)
	}{
		{"clients", testClients},
		{"names are taken once", testNameTaken},
		{"update client", testUpdateClient},
		{"update sign-in", testUpdateSignIn},
		{"remove client", testRemoveClient},
		{"every client", testEachClient},
		{"sessions", testSessions},
		{"key bundles", testKeyBundles},
		{"former keys", testFormerKeys},
		{"former keys that lasted", testFormerKeysThatLasted},
		{"revoked tokens", testRevocations},
		{"removals", testRemovals},
		{"commit", testCommit},
		{"keep versions", testKeepVersions},
		{"keep young versions", testKeepYoung},
		{"keep what lasted", testKeepWhatLasted},
		{"commit for nobody", testCommitNoClient},
		{"same name, two clients", testSameName},
		{"find versions", testVersions},
		{"add version", testAddVersion},
		{"list", testList},
		{"list names in order", testListOrder},
		{"list while it changes", testListChanging},
		{"remove versions", testRemoveVersions},
		{"usage", testUsage},
		{"runs", testRuns},
		{"put packs", testPutPacks},
		{"damaged packs", testDamagedPacks},
		{"ask for many packs", testAskMany},
		{"commit a snapshot", testCommitSnapshot},
		{"snapshots that conflict", testSnapshotConflict},
		{"sweep", testSweep},
		{"commit what was swept", testCommitSwept},
		{"remove snapshots", testRemoveSnapshots},
		{"keep snapshots", testKeepSnapshots},
		{"runs expire", testRunsExpire},
		{"a run's base is pinned", testBaseIsPinned},
		{"sweep in steps", testSweepSteps},
		{"needs that cannot be read", testUnreadableNeeds},
		{"list snapshots", testListSnapshots},
		{"mends", testMends},
		{"remove a client with packs", testRemoveClientWithPacks},
		{"restore snapshots", testRestoreSnapshots},
		{"machines", testMachines},
		{"labels of machines", testMachineLabels},
		{"settings", testSettings},
		{"activities", testActivities},
		{"activity filter", testMatches},
		{"list clients", testListClients},
		{"list clients that are alike", testListAlike},
		{"suspended", testSuspended},
		{"concurrent commits", testConcurrentCommits},
		{"concurrent updates", testConcurrentUpdates},
		{"failures spare the others", testConcurrentFailures},
		{"cancelled", testCancelled},
		{"check and close", testCheckAndClose},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := open(t)
			defer func() {
				if err := c.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}()
			test.run(t, c)
		})
	}
}

// Blobs tests a blob store. open opens the one in dir, which may hold what an
// earlier one left there; the suite closes it.
func Blobs(t *testing.T, open func(t *testing.T, dir string) store.Blobs) {
	tests := []struct {
		name string
		run  func(*testing.T, *reopener)
	}{
		{"put and open", testPut},
		{"put keeps nothing", testPutKeepsNothing},
		{"put concurrently", testPutConcurrently},
		{"put too much", testPutTooMuch},
		{"no such blob", testNoBlob},
		{"remove", testRemoveBlob},
		{"remove while open", testRemoveOpen},
		{"remove most", testRemoveMost},
		{"confirm", testConfirm},
		{"pending", testPending},
		{"walk", testWalk},
		{"part to blob", testPart},
		{"part of several writers", testPartConcurrently},
		{"part with waiting packets", testPartWaiting},
		{"part truncated", testPartTruncate},
		{"part discarded", testPartDiscard},
		{"part too short", testPartTooShort},
		{"parts survive", testPartsSurvive},
		{"parts in use", testPartsInUse},
		{"account records", testAccountRecords},
		{"packs", testPacks},
		{"pack discarded", testPackDiscarded},
		{"remove an open pack", testRemoveOpenPack},
		{"generation", testGeneration},
		{"metadata of snapshots", testSnapshotMetadata},
		{"space and check", testSpace},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := &reopener{t: t, dir: t.TempDir(), open: open}
			r.Blobs = open(t, r.dir)
			defer r.close()
			test.run(t, r)
		})
	}
}

// A reopener is the blob store under test, which can be closed and opened.
type reopener struct {
	store.Blobs
	t    *testing.T
	dir  string
	open func(t *testing.T, dir string) store.Blobs
}

func (r *reopener) close() {
	r.t.Helper()
	if err := r.Close(); err != nil {
		r.t.Errorf("close: %v", err)
	}
}

func (r *reopener) reopen() {
	r.t.Helper()
	r.close()
	r.Blobs = r.open(r.t, r.dir)
}

// noon is when things happen in the suite; implementations keep nanoseconds.
var noon = time.Date(2025, 3, 14, 12, 0, 0, 123456789, time.UTC)

func clientID(n int) store.ClientID {
	var id store.ClientID
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	id[0] = byte(n * 37)
	return id
}

func newClient(n int) store.Client {
	return store.Client{
		ID:       clientID(n),
		Name:     fmt.Sprintf("client %d", n),
		Kind:     "api_client",
		OAEPHash: "sha256",
		Created:  noon,
	}
}

// newMetadata fills every field, so that one that is lost is noticed.
func newMetadata(client int, name string, size int64) store.Metadata {
	l := store.Metadata{
		Client:         clientID(client),
		Name:           name,
		WireName:       append([]byte(name), 0, 0xff),
		WrappedKey:     []byte{1, 2, 3},
		KeyFingerprint: sha256.Sum256([]byte("key")),
		OAEPHash:       "sha1",
		Format:         7,
		Size:           size,
		OriginalSize:   size - 1,
		Cksum:          0xfedcba98,
		SHA256:         sha256.Sum256([]byte(name)),
		Received:       noon.Add(time.Minute),
	}
	sum := sha256.Sum256(fmt.Append(nil, client, name, size))
	copy(l.Upload[:], sum[:])
	return l
}

// newVersion has a blob of its own for every distinct blob.
func newVersion(client int, name string, size int64, blob any) store.Version {
	return store.Version{
		Metadata: newMetadata(client, name, size),
		Verified: true,
		Created:  noon.Add(time.Hour),
		Blob:     store.BlobRef(fmt.Sprintf("blob/%v", blob)),
	}
}

// A reporter is a test, or a step of one that is made at random.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

func must(t reporter, doing string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", doing, err)
	}
}

func wantErr(t reporter, doing string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want %v", doing, err, want)
	}
}

func wantEqual[T any](t reporter, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// keepNewest keeps so many versions of a file, whatever their age.
func keepNewest(n int) store.Retention { return store.Retention{Versions: n} }
