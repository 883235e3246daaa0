package nimhttptest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
	"github.com/imreuse/imreuse/engine"
)

// A guest is a temporary account as its client sees it.
type guest struct {
	kit engine.KitAccount
	im  engine.IMAccount
}

func newGuest(t *testing.T, s *nimhttptest.Server) guest {
	t.Helper()
	a := ask(t, s, http.MethodPost, anonymous, with(http.Header{}, "AppKey", "app1"))
	wantCode(t, "anonymous login", a, 0)
	field := func(name string) string { v, _ := a.Data[name].(string); return v }
	return guest{
		engine.KitAccount{UserUUID: field("userUuid"), Token: field("userToken")},
		engine.IMAccount{AppKey: "app1", Accid: field("imAccid"), Token: field("imToken")},
	}
}

func (g guest) header() http.Header { return as(g.kit.UserUUID, g.kit.Token, "device1") }

func wantGuest(t *testing.T, s *nimhttptest.Server, what string, g guest, there bool) {
	t.Helper()
	_, _, kit := s.World().FindKit(g.kit.UserUUID)
	_, im := s.World().FindIM(g.im.Accid)
	if kit != there || im != there {
		t.Errorf("%s: kit account %t, IM account %t, want both %t", what, kit, im, there)
	}
}

func TestGuests(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{World: newWorld(), AppKey: "app1", MaxGuests: 2})
	ctx := context.Background()
	loggedIn := newGuest(t, s)
	device := s.World().Device()
	if err := device.InitIM(ctx, "app1"); err != nil {
		t.Fatal(err)
	}
	if err := device.LoginIM(ctx, loggedIn.im, engine.Notify{}); err != nil {
		t.Fatal(err)
	}
	second := newGuest(t, s)
	wantCode(t, "login of the second", ask(t, s, http.MethodPost, login, second.header()), 0)
	third := newGuest(t, s)
	wantGuest(t, s, "the one in IM", loggedIn, true)
	wantGuest(t, s, "the oldest that is not", second, false)
	wantGuest(t, s, "the new one", third, true)
	wantCode(t, "token check of the second", ask(t, s, http.MethodPost, checkToken, second.header()), 402)
	wantCode(t, "login of another account", ask(t, s, http.MethodPost, login, user1()), 0)

	if err := device.LogoutIM(ctx); err != nil {
		t.Fatal(err)
	}
	newGuest(t, s)
	wantGuest(t, s, "the one that has left IM", loggedIn, false)
	wantGuest(t, s, "the third", third, true)
}

// If all guests are logged in to IM, there is no new one, and the client's
// error tells why.
func TestGuestsFull(t *testing.T) {
	world := newWorld()
	s := nimhttptest.New(t, nimhttptest.Options{World: world, AppKey: "app1", MaxGuests: 1})
	o := nimhttp.Options{AppKey: "app1", KitURL: s.KitURL(), GatewayURL: s.GatewayURL(), GatewaySecret: s.GatewaySecret()}
	backend, err := nimhttp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(backend, "app1", &engine.Options{Mode: engine.AutoLogin})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.LoginAnonymous(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := ask(t, s, http.MethodPost, anonymous, with(http.Header{}, "AppKey", "app1"))
	if a.status != 503 || a.Code != 503 || a.Msg != "all 1 temporary accounts are logged in" {
		t.Errorf("got HTTP %d, code %d, %q", a.status, a.Code, a.Msg)
	}
	if got := e.Status(); got.State != engine.KitLoggedIn || !got.Anonymous {
		t.Errorf("got %+v, want the guest logged in", got)
	}
	if err := e.LogoutKit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.LoginAnonymous(t.Context()); err != nil {
		t.Errorf("with nobody in IM: got %v", err)
	}
}

// Without MaxGuests, the limit is the one that is documented.
func TestGuestsDefault(t *testing.T) {
	s := nimhttptest.New(t, nimhttptest.Options{World: mockim.NewService(mockim.ServiceOptions{AppKey: "app1"}), AppKey: "app1"})
	client := newClient(t)
	var first string
	for i := range 1001 {
		res, err := client.Do(newRequest(t, http.MethodPost, s.KitURL()+anonymous, with(http.Header{}, "AppKey", "app1")))
		if err != nil {
			t.Fatal(err)
		}
		var a answer
		err = json.NewDecoder(res.Body).Decode(&a)
		res.Body.Close()
		if err != nil || a.Code != 0 {
			t.Fatalf("guest %d: got code %d and %v", i, a.Code, err)
		}
		user, _ := a.Data["userUuid"].(string)
		if i == 0 {
			first = user
		}
		if _, _, found := s.World().FindKit(first); found != (i < 1000) {
			t.Fatalf("after guest %d: the first guest exists: %t", i, found)
		}
	}
}
