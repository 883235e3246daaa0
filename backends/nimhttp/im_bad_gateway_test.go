package nimhttp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/engine"
)

// imCalls has the calls that need a gateway.
var imCalls = map[string]func(*testing.T, *nimhttp.IM) error{
	"InitIM":  func(t *testing.T, im *nimhttp.IM) error { return im.InitIM(t.Context(), "app1") },
	"LoginIM": func(t *testing.T, im *nimhttp.IM) error { return im.LoginIM(t.Context(), stubAlice, engine.Notify{}) },
	"AdoptIM": func(t *testing.T, im *nimhttp.IM) error {
		a, err := im.AdoptIM(t.Context(), engine.Notify{})
		if err != nil && a != (engine.IMAccount{}) {
			t.Errorf("got %v with an error", a)
		}
		return err
	},
}

// every has the names of all requests that get a snapshot, except the blocking
// read.
var everyCall = []string{"init", "read", "login", "logout", "release"}

// badReplies must not pass for snapshots.
func badReplies() map[string]http.HandlerFunc {
	good := stubSnapshot{Boot: "boot-1", Seq: 1, AppKey: "app1", Login: "logged_out", Link: "down"}
	held := good
	held.hold(1, "alice", "somebody")
	bad := map[string]http.HandlerFunc{
		"a page":                     reply(200, "text/html", "<html>Please log in</html>"),
		"empty object":               stubReply(200, `{}`),
		"null":                       stubReply(200, `null`),
		"array":                      stubReply(200, `[]`),
		"no JSON":                    stubReply(200, `{"boot":`),
		"two values":                 stubReply(200, good.json()+good.json()),
		"nothing":                    stubReply(200, ``),
		"other JSON":                 stubReply(200, `{"code":0,"data":{"userUuid":"user1"}}`),
		"other success":              stubReply(201, good.json()),
		"no content":                 reply(204, "application/json", ""),
		"2 MiB":                      stubReply(200, strings.Replace(good.json(), "{", "{"+strings.Repeat(" ", 2<<20), 1)),
		"cut":                        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"problem in a success":       stubReply(200, `{"type":"urn:imreuse:gateway:internal","title":"","status":500,"detail":""}`),
		"problem of another":         stubReply(500, `{"type":"about:blank","title":"no","status":500,"detail":"no"}`),
		"no problem":                 stubReply(500, `{}`),
		"problem as text":            reply(500, "text/plain", "no"),
		"login-failed, no code":      stubProblem(422, "login-failed", ""),
		"login-failed, code as text": stubProblem(422, "login-failed", `,"code":"302"`),
		"problem, bad snapshot":      stubProblem(409, "other-account", `,"snapshot":{"boot":"boot-1"}`),
		"internal":                   stubProblem(500, "internal", ""),
		"closing":                    stubProblem(503, "closing", ""),
		"unknown problem":            stubProblem(418, "teapot", ""),
		"404 of another":             reply(404, "text/plain", "404 page not found"),
	}
	for field, without := range map[string]string{
		"boot": `"boot":"boot-1",`, "seq": `"seq":1,`, "appKey": `"appKey":"app1",`, "login": `"login":"logged_in",`, "link": `"link":"up",`,
		"accid": `"accid":"alice",`, "owner": `"owner":"somebody",`, "session": `"session":1,`,
	} {
		bad["no "+field] = stubReply(200, strings.Replace(held.json(), without, "", 1))
	}
	for name, value := range map[string]string{"negative": `-1`, "text": `"1"`, "broken": `1.5`, "huge": `1e300`} {
		bad[name+" seq"] = stubReply(200, strings.Replace(good.json(), `"seq":1`, `"seq":`+value, 1))
	}
	return bad
}

// A malformed reply is ErrUnavailable for every call, and the client remembers
// nothing from it.
func TestBadGateway(t *testing.T) {
	for name, answer := range badReplies() {
		for op, call := range imCalls {
			t.Run(name+", "+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, log := newIMStub(), new(safeBuffer)
					im := s.client(t, logTo(log))
					if op == "LoginIM" {
						wantWell(t, im.InitIM(t.Context(), "app1"))
					}
					s.answer(answer, everyCall...)
					err := call(t, im)
					if engine.CodeOf(err) != engine.ErrUnavailable {
						t.Errorf("got %v, want ErrUnavailable", err)
					}
					s.answer(nil, everyCall...)
					wantWorks(t, im)
					noSecrets(t, "the error", fmt.Sprint(err))
					noSecrets(t, "the log", log.String())
				})
			})
		}
	}
}

func wantWell(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

// wantWorks checks that the client logs in and out once its gateway is healthy.
func wantWorks(t *testing.T, im *nimhttp.IM) {
	t.Helper()
	var n notices
	logInAlice(t, im, n.notify())
	synctest.Wait()
	n.wantNothing(t)
	if err := im.LogoutIM(t.Context()); err != nil {
		t.Errorf("LogoutIM: %v", err)
	}
	if a, err := im.AdoptIM(t.Context(), n.notify()); err != nil || a.Accid != "" {
		t.Errorf("AdoptIM: got %v and %v, want nobody", a, err)
	}
}

// logTo returns a logger with the Debug level.
func logTo(log *safeBuffer) func(*nimhttp.Options) {
	return func(o *nimhttp.Options) {
		o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

// A program without a proof, or with another version of the contract, gets
// neither the secret nor any request.
func TestNoGateway(t *testing.T) {
	health := func(boot, version string) http.HandlerFunc { return stubHealth(boot, version, stubSecret) }
	answers := map[string]http.HandlerFunc{
		"version 0.1.0":    health("boot-1", "0.1.0"),
		"version 0.20.0":   health("boot-1", "0.20.0"),
		"version 1.0.0":    health("boot-1", "1.0.0"),
		"version unknown":  health("boot-1", "unknown"),
		"version is empty": health("boot-1", ""),
		"no boot":          health("", gateway.Version),
		"no proof":         stubReply(200, `{"boot":"boot-1","sdk":"10.0.0","version":"0.3.0","slots":0}`),
		"older, no proof":  stubReply(200, `{"boot":"boot-1","sdk":"10.0.0","version":"0.1.0","slots":0}`),
		"status":           stubReply(503, `{"boot":"boot-1","sdk":"10.0.0","version":"0.3.0","slots":0}`),
		"foreign host":     stubProblem(421, "foreign-host", ""),
	}
	for name, answer := range badReplies() {
		answers[name] = answer
	}
	for name, answer := range answers {
		for op, call := range imCalls {
			t.Run(name+", "+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newIMStub()
					im := s.client(t)
					if op == "LoginIM" {
						wantWell(t, im.InitIM(t.Context(), "app1"))
						s.cut()
						s.sent()
					}
					s.answer(answer, "proof")
					err := call(t, im)
					if engine.CodeOf(err) != engine.ErrUnavailable {
						t.Errorf("got %v, want ErrUnavailable", err)
					}
					noSecrets(t, "the error", fmt.Sprint(err))
					if got := s.sent(); got != "" {
						t.Errorf("got requests %s, want none", got)
					}
					s.answer(nil, "proof")
					wantWorks(t, im)
				})
			})
		}
	}
}

func TestGatewayVersions(t *testing.T) {
	for _, version := range []string{"0.3.0", "0.3.9", "0.3.10-beta"} {
		synctest.Test(t, func(t *testing.T) {
			s := newIMStub()
			s.answer(stubHealth("boot-1", version, stubSecret), "proof")
			wantWorks(t, s.client(t))
		})
	}
}

// A wrong secret is reported at once, with a remedy, and the error does not
// show it.
func TestGatewaySecretIsWrong(t *testing.T) {
	for op, call := range imCalls {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIMStub()
				im := s.client(t)
				if op == "LoginIM" {
					wantWell(t, im.InitIM(t.Context(), "app1"))
					s.cut()
					s.sent()
				}
				s.answer(stubHealth("boot-1", gateway.Version, "another"), "proof")
				before := len(s.seen("proof"))
				began := time.Now()
				err := call(t, im)
				if engine.CodeOf(err) != engine.ErrArgument || errors.Is(err, engine.ErrUnavailable) {
					t.Errorf("got %v, want ErrArgument", err)
				}
				for _, hint := range []string{"GatewaySecret", "IMREUSE_GATEWAY_SECRET", "imreuse gateway"} {
					if !strings.Contains(fmt.Sprint(err), hint) {
						t.Errorf("got %v, want the remedy: it names %s", err, hint)
					}
				}
				if got, n := s.sent(), len(s.seen("proof"))-before; got != "" || !began.Equal(time.Now()) {
					t.Errorf("got requests %q, %d proofs and %v, want no request and no wait", got, n, time.Since(began))
				}
				noSecrets(t, "the error", fmt.Sprint(err))
			})
		})
	}
}

// The same error comes if the gateway itself refuses the secret after a proof.
func TestGatewayRefusesSecret(t *testing.T) {
	for op, call := range imCalls {
		synctest.Test(t, func(t *testing.T) {
			s, im := readyIM(t)
			s.answer(stubProblem(401, "unauthorized", ""), everyCall...)
			if err := call(t, im); engine.CodeOf(err) != engine.ErrArgument || !strings.Contains(fmt.Sprint(err), "IMREUSE_GATEWAY_SECRET") {
				t.Errorf("%s: got %v, want ErrArgument and the remedy", op, err)
			}
			s.answer(nil, everyCall...)
		})
	}
}

// No redirect is followed, so the secret goes nowhere else.
func TestGatewayRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for op, call := range imCalls {
			t.Run(fmt.Sprint(status, " ", op), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newIMStub()
					watched := s.transport()
					watched.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
						if addr != "127.0.0.1:7788" {
							t.Errorf("it connected to %s", addr)
						}
						return s.dial(ctx, network, addr)
					}
					im := s.client(t, func(o *nimhttp.Options) { o.HTTPClient = &http.Client{Transport: watched} })
					wantWell(t, im.InitIM(t.Context(), "app1"))
					s.answer(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("Content-Type", "application/json")
						http.Redirect(w, r, "http://127.0.0.1:9999"+r.URL.Path, status)
					}, everyCall...)
					if err := call(t, im); engine.CodeOf(err) != engine.ErrUnavailable {
						t.Errorf("got %v, want ErrUnavailable", err)
					}
					s.answer(nil, everyCall...)
					wantWorks(t, im)
				})
			})
		}
	}
}

// With a real socket: nothing listens at the address.
func TestNoGatewayListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for op, call := range imCalls {
		im := newIMStub().client(t, func(o *nimhttp.Options) { o.GatewayURL, o.HTTPClient = "http://"+address, nil })
		want := engine.ErrUnavailable
		if op == "LoginIM" {
			want = engine.ErrState // InitIM has not succeeded
		}
		if err := call(t, im); engine.CodeOf(err) != want {
			t.Errorf("%s: got %v, want %v", op, err, want)
		}
		if err := im.LogoutIM(t.Context()); err != nil {
			t.Errorf("LogoutIM after %s: got %v, want nil: nobody is logged in there", op, err)
		}
		if err := im.Close(); err != nil {
			t.Errorf("Close after %s: got %v", op, err)
		}
	}
}

// With a real socket: a reply is cut short.
func TestGatewayCutsReply(t *testing.T) {
	s := newIMStub()
	server := httptest.NewServer(s)
	defer server.Close()
	im := s.client(t, func(o *nimhttp.Options) { o.GatewayURL, o.HTTPClient = server.URL, nil })
	s.answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		stubReply(200, s.shows().json())(w, r)
	}, "init")
	if err := im.InitIM(t.Context(), "app1"); engine.CodeOf(err) != engine.ErrUnavailable {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	s.answer(nil, "init")
	if err := im.InitIM(t.Context(), "app1"); err != nil {
		t.Errorf("when it is well again: got %v", err)
	}
}

// The client waits 15 s for a gateway that does not answer, on top of the time
// that it asked the gateway to wait.
func TestGatewayIsSilent(t *testing.T) {
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	const patience, proof = 15 * time.Second, 10 * time.Second
	tests := []struct {
		op, at string
		want   time.Duration
	}{
		{"InitIM", "proof", proof},
		{"InitIM", "read", patience},
		{"InitIM", "init", patience},
		{"LoginIM", "proof", proof},
		{"LoginIM", "init", patience},
		{"LoginIM", "login", time.Minute + patience},
		{"AdoptIM", "proof", proof},
		{"AdoptIM", "read", patience},
	}
	for _, test := range tests {
		t.Run(test.op+" at "+test.at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIMStub()
				im := s.client(t)
				if test.op == "LoginIM" {
					wantWell(t, im.InitIM(t.Context(), "app1"))
				}
				if test.at == "proof" {
					s.cut()
				}
				s.answer(silent, test.at)
				began := time.Now()
				err := imCalls[test.op](t, im)
				if got := time.Since(began); engine.CodeOf(err) != engine.ErrUnavailable || got != test.want {
					t.Errorf("got %v after %v, want ErrUnavailable after %v", err, got, test.want)
				}
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v has a deadline in it that the caller does not have", err)
				}
				s.answer(nil, test.at)
				wantWorks(t, im)
			})
		})
	}
}
