package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// adopted is a backend in which the host has logged IM in.
type adopted struct {
	*fake
	account engine.IMAccount
}

func (a adopted) AdoptIM(context.Context, engine.Notify) (engine.IMAccount, error) {
	return a.account, nil
}

// The bound account must belong to the engine's AppKey, whichever AppKey the
// host's IM login has.
func TestAppKeyOfAdoptedLogin(t *testing.T) {
	other := engine.IMAccount{AppKey: "other-app", Accid: imAccount.Accid}
	tests := []struct {
		name         string
		bound, there engine.IMAccount
	}{
		{"both of another", other, other},
		{"bound of another", other, imAccount},
		{"logged in of another", imAccount, other},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := adopted{newFake(), test.there}
			b.bound = test.bound
			err := open(t, b, nil).LoginKit(t.Context(), kitAccount)
			var m *engine.MismatchError
			if !errors.Is(err, engine.ErrAppKeyMismatch) || !errors.As(err, &m) || m.Bound.Token+m.LoggedIn.Token != "" {
				t.Errorf("got %v, want ErrAppKeyMismatch with both sides and no token", err)
			}
		})
	}
}

func TestFoldingOfAccids(t *testing.T) {
	kelvin := "\u212Aarl" // folds to "karl", and is no letter of an accid
	err := open(t, newFake(), nil).LoginIM(t.Context(), engine.IMAccount{Accid: kelvin, Token: "x"})
	if !errors.Is(err, engine.ErrArgument) {
		t.Errorf("%s: got %v, want ErrArgument", fmt.Sprintf("%+q", kelvin), err)
	}
}
