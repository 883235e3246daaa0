package nimcodes_test

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/engine"
	"github.com/imreuse/imreuse/internal/nimcodes"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNumbers(t *testing.T) {
	tests := []struct {
		err    error
		number int
		code   engine.Code // that Code returns for the number
	}{
		{engine.ErrTokenRejected, 102302, engine.ErrTokenRejected},
		{engine.ErrTokenExpired, 102302, engine.ErrTokenRejected},
		{engine.ErrAccountBanned, 102422, engine.ErrAccountBanned},
		{engine.ErrNotEnabled, 101301, 0},
		{engine.ErrAppKeyMismatch, 101303, 0},
		{engine.ErrIMLoggedOut, 0, engine.ErrUnavailable},
		{engine.ErrUnavailable, 0, engine.ErrUnavailable},
		{nil, 0, engine.ErrUnavailable},
	}
	for _, test := range tests {
		wrapped := test.err
		if wrapped != nil {
			wrapped = fmt.Errorf("the login: %w", wrapped)
		}
		number := nimcodes.Of(wrapped)
		if code := nimcodes.Code(number); number != test.number || code != test.code {
			t.Errorf("%v: got %d and %v, want %d and %v", test.err, number, code, test.number, test.code)
		}
	}
}

func TestNumberWithoutCode(t *testing.T) {
	if code := nimcodes.Code(417); code != 0 {
		t.Errorf("417, too many devices: got %v, want none", code)
	}
}

func TestV1(t *testing.T) {
	for number, want := range map[int]int{102302: 302, 102404: 404, 102422: 422, 101301: 403, 101303: 302, 417: 417, 20001: 20001, 0: 0} {
		if got := nimcodes.V1(number); got != want {
			t.Errorf("%d: got %d, want %d", number, got, want)
		}
	}
}
