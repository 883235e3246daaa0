package chain_test

import (
	"errors"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// A client logs out after its login has ended, perhaps without knowing of the
// end. The newer login of another client of the slot stays. It also stays when
// the first client is closed.
func TestChainLogoutEndsOnlyOwnLogin(t *testing.T) {
	forEachGateway(t, func(t *testing.T, c *chain) {
		for range 10 { // whether the first client knows of the end is chance
			first, second := c.im("shared"), c.im("shared")
			must(t, "the first", errors.Join(first.InitIM(t.Context(), "app1"), first.LoginIM(t.Context(), alice, engine.Notify{})))
			c.wantOnline([]string{"shared"}, "alice")
			must(t, "LogoutIM by the second", second.LogoutIM(t.Context()))
			must(t, "the second", errors.Join(second.InitIM(t.Context(), "app1"), second.LoginIM(t.Context(), bob, engine.Notify{})))
			must(t, "LogoutIM by the first", first.LogoutIM(t.Context()))
			c.wantOnline([]string{"shared"}, "bob")
			must(t, "Close of the first", first.Close())
			c.wantOnline([]string{"shared"}, "bob")
			must(t, "Close of the second", second.Close())
			c.wantOnline([]string{"shared"})
			if t.Failed() {
				return
			}
		}
	})
}

// After AdoptIM, LogoutIM logs out whoever is logged in.
func TestChainLogoutOfAdopted(t *testing.T) {
	forEachGateway(t, func(t *testing.T, c *chain) {
		host, guest := c.im("shared"), c.im("shared")
		must(t, "the host", errors.Join(host.InitIM(t.Context(), "app1"), host.LoginIM(t.Context(), alice, engine.Notify{})))
		if a, err := guest.AdoptIM(t.Context(), engine.Notify{}); err != nil || a.Accid != "alice" {
			t.Fatalf("AdoptIM: got %v and %v, want alice", a, err)
		}
		must(t, "LogoutIM by the guest", guest.LogoutIM(t.Context()))
		c.wantOnline([]string{"shared"})
	})
}
