package hostim_test

import (
	"errors"
	"testing"

	"github.com/imreuse/imreuse/engine"
)

// FuzzReports plays a host and an engine on one SDK, in the order that the
// bytes say, and holds what the IM tells the engine against what the SDK knows.
func FuzzReports(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
	f.Add([]byte{1, 0, 4, 1, 5, 2, 9, 0, 3})
	f.Add([]byte{2, 4, 2, 6, 0, 8, 1, 10, 2, 5, 2})
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		w := &fuzzWorld{t: t, sdk: newSDK(when(script[0] % 2))}
		for _, b := range script[1:] {
			w.step(b)
			w.check()
		}
	})
}

// A fuzzWorld has what the engine knows: the login that it holds, if any.
type fuzzWorld struct {
	t     *testing.T
	sdk   *sdk
	owner string // who made the present login of the SDK: "", "host", "engine"
	held  *listener
	ended bool // the held login has ended unasked
	all   []*listener
}

func (w *fuzzWorld) account(b byte) engine.IMAccount {
	if b&0x10 != 0 {
		return bob
	}
	return alice
}

func (w *fuzzWorld) step(b byte) {
	s, a := w.sdk, w.account(b)
	switch b % 12 {
	case 0, 1:
		w.login(a)
	case 2:
		if err := s.im.LogoutIM(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.held, w.owner = nil, ""
	case 3:
		w.adopt()
	case 4, 5:
		if s.who != a.Accid {
			w.unasked()
			s.hostLogin(a)
			w.owner = "host"
		}
	case 6:
		if s.who != "" && s.who != a.Accid { // another account, and no logout in between
			w.unasked()
			s.setBy(a.Accid, true)
			s.im.LoggedIn(a)
			w.owner = "host"
		}
	case 7:
		w.unasked()
		s.hostLogout()
	case 8:
		w.unasked()
		s.end(engine.ErrKicked)
	case 9:
		if w.owner == "host" || w.owner == "engine" && s.report != never {
			s.im.LoggedIn(engine.IMAccount{Accid: s.who}) // repeated
		}
	case 10:
		s.im.Link(b&0x20 != 0)
	case 11:
		s.im.LoggedOut(engine.ErrKicked) // late, repeated or made up: of nobody
		if s.who != "" {
			w.unasked()
			s.set("")
		}
	}
}

func (w *fuzzWorld) unasked() {
	w.ended = w.ended || w.held != nil
	w.owner = ""
}

func (w *fuzzWorld) listen() *listener {
	l := new(listener)
	w.all = append(w.all, l)
	return l
}

// login acts as the engine does: it logs in only if it holds no login.
func (w *fuzzWorld) login(a engine.IMAccount) {
	if w.held != nil && !w.ended {
		return
	}
	l := w.listen()
	err := w.sdk.im.LoginIM(w.t.Context(), a, l.notify())
	if w.owner == "host" {
		if !errors.Is(err, engine.ErrIMInUse) {
			w.t.Fatalf("LoginIM while the host is logged in: got %v, want ErrIMInUse", err)
		}
		return
	}
	if err != nil {
		w.t.Fatalf("LoginIM: %v", err)
	}
	w.held, w.ended, w.owner = l, false, "engine"
}

func (w *fuzzWorld) adopt() {
	if w.held != nil && !w.ended {
		return
	}
	l := w.listen()
	a, err := w.sdk.im.AdoptIM(w.t.Context(), l.notify())
	if err != nil {
		w.t.Fatalf("AdoptIM: %v", err)
	}
	want := ""
	if w.owner == "host" {
		want = w.sdk.who
	}
	if fold := map[string]string{"Alice": "alice"}; a.Accid != want && a.Accid != fold[want] {
		w.t.Fatalf("AdoptIM: got %q, want %q of %q", a.Accid, want, w.owner)
	}
	if a.Accid != "" {
		w.held, w.ended = l, false
	}
}

func (w *fuzzWorld) check() {
	for _, l := range w.all {
		if len(l.lost) > 1 {
			w.t.Fatalf("one login was lost %d times: %v", len(l.lost), l.lost)
		}
		for i := 1; i < len(l.links); i++ {
			if l.links[i] == l.links[i-1] {
				w.t.Fatalf("the link changed from %t to %t", l.links[i-1], l.links[i])
			}
		}
	}
	if w.held != nil && (len(w.held.lost) == 1) != w.ended {
		w.t.Fatalf("the login that the engine holds: lost %v, ended %t", w.held.lost, w.ended)
	}
}
