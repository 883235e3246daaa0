package flat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/imreuse/imreuse/bindings/internal/flat"
	"github.com/imreuse/imreuse/engine"
)

type panics struct{}

func (panics) Error() string { panic("Error") }

func TestFlatten(t *testing.T) {
	kicked := &engine.Error{Op: "LoginKit", Call: "LoginIM", Err: &engine.KickError{Reason: engine.KickedByServer, Text: "see you"}}
	for _, row := range []struct {
		err      error
		code     int
		op, call string
		says     string
	}{
		{nil, 0, "", "", ""},
		{fmt.Errorf("app: %w", kicked), int(engine.ErrKicked), "LoginKit", "LoginIM", "see you"},
		{engine.ErrClosed, int(engine.ErrClosed), "", "", "closed"},
		{context.Canceled, flat.NoCode, "", "", "canceled"},
		{panics{}, flat.NoCode, "", "", "panics"},
	} {
		got := flat.Flatten(row.err)
		if got.Code != row.code || got.Op != row.op || got.Call != row.call || !strings.Contains(got.Message, row.says) {
			t.Errorf("%T: got %+v, want %+v", row.err, got, row)
		}
		if (got.Remedy != "") != (row.code != 0 && row.code != flat.NoCode) {
			t.Errorf("%T: remedy %q", row.err, got.Remedy)
		}
	}
}

func TestCause(t *testing.T) {
	for _, row := range []struct {
		code   int
		reason engine.KickReason
		text   string
		want   engine.Code
		says   string
	}{
		{int(engine.ErrKicked), engine.KickedByServer, "see you", engine.ErrKicked, "see you"},
		{0, engine.KickedByServer, "", engine.ErrKicked, "by the server"},
		{int(engine.ErrTokenExpired), 0, "", engine.ErrTokenExpired, ""},
		{int(engine.ErrTokenExpired), 0, "at noon", engine.ErrTokenExpired, "at noon"},
		{302, 0, "", 0, "302"},
		{302, 0, "no such token", 0, "302: no such token"},
		{flat.NoCode, 0, "disk full", 0, "disk full"},
	} {
		got := flat.Cause(row.code, row.reason, row.text)
		if engine.CodeOf(got) != row.want || !strings.Contains(got.Error(), row.says) {
			t.Errorf("%d, %d, %q: got %v", row.code, row.reason, row.text, got)
		}
	}
	if got := flat.Cause(0, 0, "ignored"); got != nil {
		t.Errorf("got %v, want no error", got)
	}
}

// A token that the host got does not show in what it says about it.
func TestHostRepeatsToken(t *testing.T) {
	for _, said := range []error{fmt.Errorf("%w: not %s", engine.ErrTokenRejected, account.Token), errors.New("not " + account.Token)} {
		f := newFixture(t, func(o *flat.Options) {
			o.IM = flat.NewIM(flat.Client{
				Login:  func(_ engine.IMAccount, r *flat.Request) func(bool) { r.Fail(said); return nil },
				Logout: func(r *flat.Request) func(bool) { r.Done(); return nil },
			})
		})
		f.must(initIM)
		got := f.do(loginIM)
		if got == nil || strings.Contains(got.Error(), account.Token) || engine.CodeOf(got) != engine.CodeOf(said) {
			t.Errorf("got %v", got)
		}
	}
}

// Nor does it show in a report, plain or escaped.
func TestReportRepeatsToken(t *testing.T) {
	const token = "a+b/c="
	for _, row := range []struct {
		said error
		code int
		word string // of what was said
	}{
		{fmt.Errorf("%w: token=%s", engine.ErrTokenRejected, token), int(engine.ErrTokenRejected), "a+b"},
		{errors.New("token=a%2Bb%2Fc%3D"), flat.NoCode, "a%2B"},
		{errors.New(`{"token": "a\u002bb\/c="}`), flat.NoCode, "u002b"},
		{&engine.KickError{Reason: engine.KickedByServer, Text: token}, int(engine.ErrKicked), "a+b"},
		{errors.New("the disk is full"), flat.NoCode, ""},
	} {
		bubble(t, func(t *testing.T) {
			done := func(r *flat.Request) func(bool) { r.Done(); return nil }
			im := flat.NewIM(flat.Client{
				Login:  func(_ engine.IMAccount, r *flat.Request) func(bool) { return done(r) },
				Logout: done,
			})
			f := newFixture(t, func(o *flat.Options) { o.IM = im })
			f.must(initIM)
			f.must(func(ctx context.Context, e *engine.Engine) error {
				return e.LoginIM(ctx, engine.IMAccount{Accid: account.Accid, Token: token})
			})
			im.LoggedOut(row.said)
			synctest.Wait()
			s := f.Status()
			shown := fmt.Sprintf("%+v", s)
			if s.State != engine.IMInitialized || s.Cause.Code != row.code || row.word != "" && strings.Contains(shown, row.word) {
				t.Errorf("%v was published as %s", row.said, shown)
			}
			if row.word == "" && !strings.Contains(shown, row.said.Error()) {
				t.Errorf("%v was published as %s", row.said, shown)
			}
		})
	}
}

// A token source answers later, and is told to stop if nobody waits any more.
func TestTokenSource(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var asked []*flat.Request
		var refusals []string
		gaveUp := 0
		f := newFixture(t, func(o *flat.Options) {
			o.KitToken = func(id, refused string, r *flat.Request) func(bool) {
				asked, refusals = append(asked, r), append(refusals, refused)
				return func(g bool) {
					if g {
						gaveUp++
					}
				}
			}
		})
		login := func(ctx context.Context, e *engine.Engine) error {
			return e.LoginKit(ctx, engine.KitAccount{UserUUID: user.UserUUID})
		}
		var ends []error
		c := f.Start("LoginKit", login, func(err error) { ends = append(ends, err) })
		synctest.Wait()
		c.Cancel(nil)
		synctest.Wait()
		asked[0].Token(user.Token) // too late
		if len(ends) != 1 || !errors.Is(ends[0], context.Canceled) || gaveUp != 1 {
			t.Errorf("got %v, told %d times to give up", ends, gaveUp)
		}
		f.Start("LoginKit", login, func(err error) { ends = append(ends, err) })
		synctest.Wait()
		asked[1].Token("another")
		synctest.Wait()
		asked[2].Token(user.Token)
		synctest.Wait()
		if len(ends) != 2 || ends[1] != nil || refusals[1] != "" || refusals[2] != "another" || gaveUp != 1 {
			t.Errorf("got %v, refused %q, told %d times to give up", ends, refusals, gaveUp)
		}
	})
}

// A watcher gets the status of now, then each change in order, until it stops.
func TestWatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFixture(t, nil)
		var via []string
		ended := 0
		w := f.Watch(func(s flat.Status) { via = append(via, s.Via) }, func() { ended++ })
		f.must(initIM)
		f.must(loginIM)
		synctest.Wait()
		w.Stop()
		w.Stop()
		f.must(loginKit)
		synctest.Wait()
		if got := strings.Join(via, ","); got != ",init_im,login_im" || ended != 1 {
			t.Errorf("got %s and %d ends", got, ended)
		}
		f.Watch(func(s flat.Status) { via = append(via, s.Via) }, func() { ended++ })
		if err := f.close(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(via[3:], ","); got != "login_kit,close" || ended != 2 {
			t.Errorf("got %s and %d ends after close", got, ended)
		}
	})
}

// A kit serves one engine. An engine needs both roles.
func TestNewRefuses(t *testing.T) {
	cloud, err := flat.NewMock("")
	if err != nil {
		t.Fatal(err)
	}
	im, kit := flat.MockIM(cloud.Device(), cloud), flat.MockKit(cloud.Device())
	newFixture(t, func(o *flat.Options) { o.Kit = kit })
	released := flat.MockKit(cloud.Device())
	released.Release()
	for name, o := range map[string]flat.Options{
		"no IM":        {AppKey: "app1", Kit: flat.MockKit(cloud.Device())},
		"no kit":       {AppKey: "app1", IM: im},
		"taken kit":    {AppKey: "app1", IM: im, Kit: kit},
		"released kit": {AppKey: "app1", IM: im, Kit: released},
		"no appKey":    {IM: im, Kit: flat.MockKit(cloud.Device())},
	} {
		if _, err := flat.New(o); engine.CodeOf(err) != engine.ErrArgument {
			t.Errorf("%s: got %v, want ErrArgument", name, err)
		}
	}
}
