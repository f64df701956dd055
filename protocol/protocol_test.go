package protocol

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The numbers are the protocol: deployed clients have them built in.
func TestBaseCodes(t *testing.T) {
	tests := []struct {
		code Code
		want uint16
	}{
		{CodeRegister, 1025}, {CodeSendPublicKey, 1026}, {CodeReconnect, 1027}, {CodeSendFile, 1028},
		{CodeChecksumOK, 1029}, {CodeChecksumRetry, 1030}, {CodeChecksumGiveUp, 1031},
		{CodeRegistered, 1600}, {CodeRegisterRefused, 1601}, {CodeKeyReceived, 1602}, {CodeFileReceived, 1603},
		{CodeAcknowledged, 1604}, {CodeReconnected, 1605}, {CodeReconnectDenied, 1606}, {CodeError, 1607},
	}
	for _, test := range tests {
		if uint16(test.code) != test.want {
			t.Errorf("%v, want %d", test.code, test.want)
		}
	}
}

func TestCanonical(t *testing.T) {
	dialect := map[Code]Code{825: 1025, 826: 1026, 827: 1027, 828: 1028, 900: 1029, 901: 1030, 902: 1031}
	for n := range 1 << 16 {
		c := Code(n)
		want, sister := dialect[c]
		if !sister {
			want = c
		}
		if got := c.Canonical(); got != want {
			t.Errorf("Code(%d).Canonical() = %d, want %d", n, got, want)
		}
		if got, want := c.IsBase(), sister || n >= 1025 && n <= 1031; got != want {
			t.Errorf("Code(%d).IsBase() = %t", n, got)
		}
		if got, want := c.Internal(), n >= 1064 && n <= 1072 && n != 1066 || n == 1080 || n == 1082 || n == 1083; got != want {
			t.Errorf("Code(%d).Internal() = %t", n, got)
		}
	}
}

// A code that can be sent has a name; one that cannot has neither a name nor
// a limit.
func TestCodesAreNamed(t *testing.T) {
	names := map[string]Code{}
	for _, c := range codes() {
		name, number, _ := strings.Cut(c.String(), " (")
		if number != fmt.Sprintf("%d)", uint16(c)) {
			t.Errorf("code %d prints as %q", uint16(c), c)
		}
		if other, taken := names[name]; taken {
			t.Errorf("%q is %d and %d", name, other, c)
		}
		names[name] = c
		if base, request := c.IsBase(), c < CodeRegistered; !base && request && (c < 1032 || c > 1199) {
			t.Errorf("%v is outside the extensions' range", c)
		}
	}
	for _, c := range []Code{0, 1024, 1058, 1063, 1066, 1073, 1081, 1101, 1199, 1599, 1624, 1629, 1633, 1641, 1699, 0xFFFF} {
		if _, known := c.Limit(); known || c.String() != fmt.Sprintf("code %d", uint16(c)) {
			t.Errorf("%v is known", c)
		}
	}
}

func TestLimits(t *testing.T) {
	tests := []struct {
		code    Code
		allowed []uint32
		refused []uint32
	}{
		{CodeRegister, []uint32{255}, []uint32{0, 254, 256, MaxPayload}},
		{825, []uint32{255}, []uint32{0, 254, 256, MaxPayload}},
		{CodeSendPublicKey, []uint32{255 + 160, 255 + 162, 255 + 422}, []uint32{0, 255, 1 << 20, MaxPayload}},
		{CodeSendFile, []uint32{267, 268, MaxPayload}, []uint32{0, 266}},
		{CodeUploadPacket, []uint32{21, MaxPayload}, []uint32{20}},
		{CodeNamedPacket, []uint32{271, MaxPayload}, []uint32{270}},
		{CodeOpenPacket, []uint32{41}, []uint32{0, 40, 42, MaxPayload}},
		{CodeOpenNamedPacket, []uint32{291}, []uint32{0, 290, 292, MaxPayload}},
		{CodePacketPiece, []uint32{21, MaxPayload}, []uint32{20}},
		{CodeDropPacket, []uint32{16}, []uint32{0, 15, 17, MaxPayload}},
		{CodeBeginRun, []uint32{22, 22 + 34}, []uint32{21, 22 + 1025, MaxPayload}},
		{CodeAskPacks, []uint32{18 + 32, 18 + 32*MaxAskPacks}, []uint32{17, 18 + 32*MaxAskPacks + 1, MaxPayload}},
		{CodePutPack, []uint32{48, 48 + MaxPack}, []uint32{47, 48 + MaxPack + 1, MaxPayload}},
		{CodeCommitSnapshot, []uint32{40, 40 + 34 + MaxHead + 64*MaxSnapshotPacks + MaxManifest}, []uint32{39, MaxPayload}},
		{CodePackContent, []uint32{16, 16 + MaxPack}, []uint32{15, 16 + MaxPack + 1}},
		{CodePutKeyBundle, []uint32{0, MaxKeyBundle}, []uint32{MaxKeyBundle + 1, MaxPayload}},
		{CodeGetAccount, []uint32{0}, []uint32{1, MaxPayload}},
	}
	for _, test := range tests {
		limit, known := test.code.Limit()
		if !known {
			t.Errorf("%v is not known", test.code)
		}
		for _, size := range test.allowed {
			if !limit.Allows(size) {
				t.Errorf("%v with %d bytes is refused", test.code, size)
			}
		}
		for _, size := range test.refused {
			if limit.Allows(size) {
				t.Errorf("%v with %d bytes is allowed", test.code, size)
			}
		}
	}
}

// The longest names and the fullest page fit the limits that their readers
// hold them to.
func TestLargestMessagesFit(t *testing.T) {
	entry := sampleEntry
	entry.Name = strings.Repeat("n", MaxName)
	page := &FileList{More: true}
	for range MaxListFiles {
		page.Files = append(page.Files, entry)
	}
	state := sampleState
	state.Missing, state.Name = make([]Range, MaxMissing), entry.Name
	for _, m := range []Decoder{
		page,
		&state,
		&FileInfo{FileEntry: entry, WrappedKey: make([]byte, maxWrapped)},
		&UploadBegun{WrappedKey: make([]byte, maxWrapped)},
		&KeyBundle{Bundle: make([]byte, MaxKeyBundle)},
		&PacksMissing{IDs: make([]PackID, MaxAskPacks)},
		&PackList{Packs: make([]PackEntry, MaxListPacks)},
		&SnapshotList{Snapshots: []SnapshotEntry{{FileEntry: entry, Head: make([]byte, MaxHead)}}},
		&Mends{Records: [][]byte{make([]byte, MaxMendRecord)}},
		&MendSnapshot{Added: make([]PackID, MaxAskPacks), Name: entry.Name, Record: make([]byte, MaxMendRecord)},
		&Failure{Status: StatusInvalid, Message: strings.Repeat("m", maxText)},
	} {
		payload := m.AppendPayload(nil)
		if limit, _ := m.Code().Limit(); !limit.Allows(uint32(len(payload))) {
			t.Errorf("%v of %d bytes is over its limit %+v", m.Code(), len(payload), limit)
		}
		if err := blank(m).DecodePayload(payload); err != nil {
			t.Errorf("%v: %v", m.Code(), err)
		}
	}
}

func TestFailure(t *testing.T) {
	failure := fmt.Errorf("restoring: %w", &Failure{Status: StatusNotFound, Message: "There is no file of that name."})
	tests := []struct {
		name   string
		target error
		want   bool
	}{
		{"the same status", &Failure{Status: StatusNotFound}, true},
		{"the same message", &Failure{Status: StatusNotFound, Message: "There is no file of that name."}, true},
		{"another message", &Failure{Status: StatusNotFound, Message: "There is no such upload."}, false},
		{"another status", &Failure{Status: StatusConflict}, false},
		{"another error", ErrMalformed, false},
	}
	for _, test := range tests {
		if got := errors.Is(failure, test.target); got != test.want {
			t.Errorf("%s: errors.Is = %t, want %t", test.name, got, test.want)
		}
	}
	if got, want := failure.Error(), "restoring: There is no file of that name."; got != want {
		t.Errorf("Error = %q, want %q", got, want)
	}
	for status, want := range map[Status]string{
		StatusInvalid: "invalid request", StatusNoSpace: "no space", StatusInternal: "internal error",
		0: "status 0", 99: "status 99",
	} {
		if got := (&Failure{Status: status}).Error(); got != want {
			t.Errorf("a failure with status %d and no message = %q, want %q", uint16(status), got, want)
		}
	}
}
