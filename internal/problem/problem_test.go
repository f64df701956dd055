package problem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
)

func TestOfBody(t *testing.T) {
	field := Field("name", "missing")
	for _, test := range []struct {
		err  error
		kind Kind
	}{
		{fmt.Errorf("read: %w", field), Invalid},
		{&http.MaxBytesError{Limit: 5}, TooLarge},
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), Timeout},
		{io.ErrUnexpectedEOF, Invalid},
		{context.Canceled, Unavailable},
	} {
		if p := OfBody(test.err); p.Kind != test.kind || p.Detail == "" || !errors.Is(p, test.err) && !errors.Is(test.err, p) {
			t.Errorf("%v: %+v", test.err, p)
		}
	}
}

func TestOfLeavesTheRestToThePrograms(t *testing.T) {
	if p := Of(errors.New("the disk is full")); p != nil {
		t.Errorf("%+v", p)
	}
}
