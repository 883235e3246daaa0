package page_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// The runtime handles events of the page in a goroutine of its own.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent"))
}

// Accounts of package nimhttptest, which is not linked here because a page
// cannot listen.
var myKit = engine.KitAccount{UserUUID: "myaccid", Token: "myUserToken"}

func newKit(t *testing.T, url string) *nimhttp.Kit {
	t.Helper()
	kit, err := nimhttp.NewKit(nimhttp.Options{AppKey: "app1", KitURL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kit.Close() })
	return kit
}

// server returns the address of a server that TestKitInPage has started.
func server(t *testing.T, name string) string {
	t.Helper()
	url := os.Getenv(name)
	if url == "" {
		t.Skip("TestKitInPage starts the servers and this test")
	}
	return url
}

func TestPageLogin(t *testing.T) {
	kit := newKit(t, server(t, "KIT"))
	im, err := kit.Authenticate(t.Context(), myKit)
	if err != nil || im.Accid != "myaccid" || im.AppKey != "app1" || im.Token == "" {
		t.Fatalf("got %v and %v, want the bound account", im, err)
	}
	if err := kit.LoginKit(t.Context(), myKit, engine.Notify{}); err != nil {
		t.Fatal(err)
	}
	if err := kit.CheckToken(t.Context()); err != nil {
		t.Error(err)
	}
	if err := kit.RenewKit(t.Context(), myKit); err != nil {
		t.Error(err)
	}
	if err := kit.LogoutKit(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPageRefused(t *testing.T) {
	kit := newKit(t, server(t, "KIT"))
	for name, test := range map[string]struct {
		account engine.KitAccount
		want    error
	}{
		"wrong token":   {engine.KitAccount{UserUUID: "myaccid", Token: "wrong-token"}, engine.ErrTokenRejected},
		"expired token": {engine.KitAccount{UserUUID: "late", Token: "kit-late"}, engine.ErrTokenExpired},
	} {
		if _, err := kit.Authenticate(t.Context(), test.account); !errors.Is(err, test.want) || strings.Contains(err.Error(), test.account.Token) {
			t.Errorf("%s: got %v, want %v without the token", name, err, test.want)
		}
	}
}

func TestPageAnonymous(t *testing.T) {
	guest, err := newKit(t, server(t, "KIT")).Anonymous(t.Context())
	if err != nil || guest.UserUUID == "" || guest.Token == "" {
		t.Errorf("got %v and %v, want a temporary account", guest, err)
	}
}

// Each of these servers is unavailable in its own way.
func TestPageUnavailable(t *testing.T) {
	tests := map[string]struct{ url, text string }{
		"not there":     {server(t, "CLOSED"), "CORS"},
		"redirects":     {server(t, "STUB") + "/redirect", "HTTP 307"},
		"endless reply": {server(t, "STUB") + "/huge", "1048576"},
		"reply is cut":  {server(t, "STUB") + "/cut", "the kit server"},
	}
	if os.Getenv("IN_CHROMIUM") != "" { // Node hides less, and has no origin
		tests["redirects"] = struct{ url, text string }{server(t, "STUB") + "/redirect", "redirects the request"}
		tests["closed to pages"] = struct{ url, text string }{server(t, "STUB") + "/closed-to-pages", "CORS"}
	}
	for name, test := range tests {
		_, err := newKit(t, test.url).Authenticate(t.Context(), myKit)
		if !errors.Is(err, engine.ErrUnavailable) || !strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), myKit.Token) {
			t.Errorf("%s: got %v, want ErrUnavailable with %q and without the token", name, err, test.text)
		}
	}
}

func TestPageCancel(t *testing.T) {
	stub := server(t, "STUB")
	kit := newKit(t, stub+"/hang")
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user left")
	failed := make(chan error)
	go func() {
		_, err := kit.Authenticate(ctx, myKit)
		failed <- err
	}()
	wait := func(what string) {
		if _, err := newKit(t, stub+what).Authenticate(t.Context(), myKit); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	wait("/arrived")
	cancel(why)
	if err := <-failed; !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
		t.Errorf("got %v, want the cause", err)
	}
	wait("/left") // the request was aborted
	if _, err := kit.Authenticate(ctx, myKit); !errors.Is(err, context.Canceled) {
		t.Errorf("already cancelled: got %v", err)
	}
}

func TestPageTriesAgain(t *testing.T) {
	if _, err := newKit(t, server(t, "STUB")+"/busy").Authenticate(t.Context(), engine.KitAccount{UserUUID: "user1", Token: "t"}); err != nil {
		t.Errorf("got %v, want success at the second try", err)
	}
}

// TestKitInPage checks that the server gets the same bytes as from net/http.
func TestPageHeader(t *testing.T) {
	_, err := newKit(t, server(t, "STUB")+"/header").Authenticate(t.Context(), engine.KitAccount{UserUUID: "用户1", Token: "kit-token"})
	if err != nil {
		t.Error(err)
	}
}

// What needs sockets or other programs is refused with a clear error.
func TestPageUnsupported(t *testing.T) {
	if _, err := nimhttp.NewKit(nimhttp.Options{AppKey: "app1", HTTPClient: new(http.Client)}); !errors.Is(err, engine.ErrArgument) || !strings.Contains(err.Error(), "HTTPClient") {
		t.Errorf("HTTPClient: got %v, want ErrArgument", err)
	}
	_, atNew := nimhttp.New(nimhttp.Options{AppKey: "app1", GatewayURL: "http://127.0.0.1:1", GatewaySecret: "s"})
	_, atIM := nimhttp.NewIM(nimhttp.Options{AppKey: "app1", GatewayURL: "http://127.0.0.1:1", GatewaySecret: "s"})
	_, atStart := nimhttp.StartGateway(t.Context(), nimhttp.GatewayOptions{})
	for i, err := range []error{atNew, atIM, atStart} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%d: got %v, want ErrUnsupported", i, err)
		}
	}
}
