package upload

import "errors"

// A Reason says why a packet or an upload is refused.
type Reason int

const (
	Gone       Reason = iota + 1 // the upload was cancelled, replaced or finished
	NotFound                     // there is no such upload
	Incomplete                   // the file is not complete
	Numbers                      // packet numbers contradict each other, or the total
	Sizes                        // the packets do not add up to the original size
	Padding                      // the content does not end in valid padding
	TooMany                      // uploads, or packets that wait
	Forgotten                    // the beginning of a packet in pieces is not there any more
	OutOfStep                    // a piece does not follow the one before
	TooLarge                     // a packet is larger than it was announced
	Changed                      // what was sent again was not the same, too often
)

// A Refusal is why a packet or an upload is refused, for its client to know. Any
// other error is not the client's doing.
type Refusal struct {
	Reason  Reason
	message string
}

// Error is a sentence for a person.
func (r *Refusal) Error() string { return r.message }

func refuse(reason Reason, message string) *Refusal { return &Refusal{reason, message} }

// What uploads are refused for.
var (
	ErrGone       = refuse(Gone, "the upload is no more; it was cancelled, replaced or finished")
	ErrNotFound   = refuse(NotFound, "no such upload")
	ErrIncomplete = refuse(Incomplete, "the file is not complete")
	ErrPadding    = refuse(Padding, "the content does not end in valid padding: wrong key, or not encrypted as one AES-256-CBC stream")

	errChanged     = refuse(Changed, "too many files were sent again and were not the same; wait, then reconnect")
	errPacketZero  = refuse(Numbers, "packet number: packets are counted from 1")
	errBeyondTotal = refuse(Numbers, "packet number: beyond the total")
	errLaterPacket = refuse(Numbers, "last: a later packet was received")
	errNotLast     = refuse(Numbers, "last: not the packet that the total says")
	errSizes       = refuse(Sizes, "sizes do not add up: the packets hold less than the original size asks for")
	errSurplus     = refuse(Sizes, "sizes do not add up: the packets hold more than the original size asks for")

	errForgotten    = refuse(Forgotten, "the server no longer has the beginning of this packet; send the packet again")
	errPieceMissing = refuse(OutOfStep, "offset: the piece before this one is missing")
	errPieceBehind  = refuse(OutOfStep, "end: more of the packet was received before")
	errNoRoom       = refuse(TooLarge, "the packet is larger than the room it was opened with")
)

// cannotBecomeAFile reports whether an upload ends with an error: its packets
// are wrong, or cannot be read back. After any other, a packet may come again.
func cannotBecomeAFile(err error) bool {
	return errors.As(err, new(*Refusal)) || errors.Is(err, errUnreadable)
}
