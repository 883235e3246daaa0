package backendtest_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/backendtest"
	"github.com/imreuse/imreuse/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harnessOf returns a function that opens a harness. Its backend is a correct
// one, wrapped by wrap.
func harnessOf(wrap func(*memory) engine.Backend) func() *backendtest.Harness {
	return func() *backendtest.Harness {
		m := new(memory)
		h := &backendtest.Harness{
			Backend:    wrap(m),
			AppKey:     "myAppKey",
			IM:         engine.IMAccount{Accid: "alice", Token: "im-secret-a"},
			Kit:        engine.KitAccount{UserUUID: "user-a", Token: "kit-secret-a"},
			Other:      engine.KitAccount{UserUUID: "user-b", Token: "kit-secret-b"},
			Kick:       m.kick,
			Link:       m.link,
			HostLogin:  m.hostLogin,
			HostLogout: m.hostLogout,
		}
		h.Expire = func() { h.Kit.Token = m.expire() }
		return h
	}
}

var correct = harnessOf(func(m *memory) engine.Backend { return m })

func TestConformance(t *testing.T) {
	backendtest.Run(t, func(*testing.T) *backendtest.Harness { return correct() })
}

// Without hooks, and without AdoptIM, the other cases still pass.
func TestConformanceWithoutHooks(t *testing.T) {
	backendtest.Run(t, func(*testing.T) *backendtest.Harness { return bareHarness() })
}

func bareHarness() *backendtest.Harness {
	h := correct()
	return &backendtest.Harness{
		Backend: struct{ engine.Backend }{h.Backend}, // hides AdoptIM
		AppKey:  h.AppKey,
		IM:      h.IM,
		Kit:     h.Kit,
	}
}

func TestSkips(t *testing.T) {
	for _, o := range backendtest.Outcomes(t.Context(), correct) {
		if o.Skipped != "" {
			t.Errorf("%s was skipped with a full harness: %s", o.Case, o.Skipped)
		}
	}
	skipped := map[string]string{}
	for _, o := range backendtest.Outcomes(t.Context(), bareHarness) {
		if o.Skipped != "" {
			skipped[o.Case] = o.Skipped
		}
	}
	for name, want := range map[string]string{
		"kicked":             "Harness.Kick is nil",
		"link":               "Harness.Link is nil",
		"authenticate-other": "Harness.Other is zero",
		"adopt":              "the backend is not an engine.IMAdopter",
		"kit-expired":        "Harness.Expire is nil",
		"kit-renew":          "the backend is not an engine.KitRenewer",
	} {
		if got := skipped[name]; got != want {
			t.Errorf("%s with a bare harness: got skip reason %q, want %q", name, got, want)
		}
	}
}

func TestBrokenBackends(t *testing.T) {
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { wantFailures(t, b.open, b.fails) }) // whose time costs nothing
		})
	}
}

// A backend that never calls Expired breaks every rule about it.
func TestAbruptBackend(t *testing.T) {
	open := harnessOf(func(m *memory) engine.Backend { return abrupt{m} })
	wantFailures(t, open, "kit-expired", "kit-expired-holds", "kit-renewed-expires", "engine-renewed")
}

// logged and the like are the wrappers in the package comment.
type logged struct{ engine.Backend }

type loggedAdopter struct {
	logged
	engine.IMAdopter
}

type loggedRenewer struct {
	logged
	engine.KitRenewer
}

type loggedAdopterRenewer struct {
	logged
	engine.IMAdopter
	engine.KitRenewer
}

func wrap(b engine.Backend) engine.Backend {
	a, adopts := b.(engine.IMAdopter)
	r, renews := b.(engine.KitRenewer)
	switch {
	case adopts && renews:
		return loggedAdopterRenewer{logged{b}, a, r}
	case adopts:
		return loggedAdopter{logged{b}, a}
	case renews:
		return loggedRenewer{logged{b}, r}
	}
	return logged{b}
}

func TestWrappedBackend(t *testing.T) {
	backendtest.Run(t, func(*testing.T) *backendtest.Harness {
		h := correct()
		h.Backend = wrap(h.Backend)
		return h
	})
}

func TestHarnessWithoutHostLogin(t *testing.T) {
	open := func() *backendtest.Harness {
		h := correct()
		h.HostLogin = nil
		return h
	}
	wantFailures(t, open, "adopter")
}

func wantFailures(t *testing.T, open func() *backendtest.Harness, want ...string) {
	t.Helper()
	var got []string
	for _, o := range backendtest.Outcomes(t.Context(), open) {
		if o.Failed != "" {
			got = append(got, o.Case)
			t.Logf("%s: %s", o.Case, o.Failed)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("cases that fail: got %q, want %q", got, want)
	}
}
