package server

import (
	"errors"
	"testing"

	"coffer/protocol"
	"coffer/server/upload"
)

// Package upload knows no messages, and yet keeps what they promise.
func TestUploadsKeepTheProtocol(t *testing.T) {
	if upload.MaxAttempts != protocol.MaxAttempts || upload.UnknownSize != uint64(protocol.UnknownSize) {
		t.Error("attempts or the unknown size differ")
	}
	for reason := upload.Gone; reason <= upload.TooLarge; reason++ {
		if _, known := uploadRefusals[reason]; !known {
			t.Errorf("the wire has no word for reason %d", reason)
		}
	}
	lost := errors.Join(lostError{errors.New("cut")}, upload.ErrPadding)
	if err := refusedUpload(lost); !errors.As(err, new(lostError)) {
		t.Errorf("who is gone is answered: %v", err)
	}
	if refused, ok := errors.AsType[*refusal](refusedUpload(upload.ErrPadding)); !ok || refused.rule != protocol.RulePadding {
		t.Errorf("bad padding is %+v", refused)
	}
}
