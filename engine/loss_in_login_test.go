package engine_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// A login that the host asked for is ended by its own loss as one of the kit's
// is: before LoginIM has returned, in whatever way the backend then answers.
func TestLostInsideLoginIM(t *testing.T) {
	for name, says := range map[string]error{"which succeeds": nil, "which fails": errStuck} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			e := open(t, f, nil)
			climb(t, e, imInitialized)
			f.on = func(call string) error {
				if call != "LoginIM" {
					return nil
				}
				f.imNotify().Lost(engine.ErrAccountBanned)
				return says
			}
			if err := e.LoginIM(t.Context(), imAccount); !errors.Is(err, engine.ErrAccountBanned) {
				t.Errorf("got %v, want ErrAccountBanned", err)
			}
			if s := e.Status(); s.State != imInitialized || s.Floor != imInitialized {
				t.Errorf("got %v over the floor %v, want im_initialized twice", s.State, s.Floor)
			}
			if got, want := f.called(), []string{"InitIM", "LoginIM"}; !slices.Equal(got, want) {
				t.Errorf("got calls %v, want %v", got, want)
			}
		})
	}
}
