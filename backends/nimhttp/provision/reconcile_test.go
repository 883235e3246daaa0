package provision_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp/provision"
	"github.com/imreuse/imreuse/engine"
)

var html = http.Header{"Content-Type": {"text/html"}}

// Whatever goes wrong with a create, at most one account is made. If the create
// worked, the account is found. Otherwise the call fails, without a second
// create.
func TestFaultsOfCreate(t *testing.T) {
	tests := []struct {
		name    string
		faults  []fault
		posts   int
		queries int
		works   bool
	}{
		{"cut after", []fault{{works: true, cut: true}}, 1, 1, true},
		{"cut before", []fault{{cut: true}}, 1, 1, false},
		{"late, and done", []fault{{works: true, late: true}}, 1, 1, true},
		{"late, and not done", []fault{{late: true}}, 1, 1, false},
		{"HTTP 500 after", []fault{{works: true, status: 500, body: "oops"}}, 1, 1, true},
		{"HTTP 500 before", []fault{{status: 500, body: "oops"}}, 1, 1, false},
		{"HTTP 502 after", []fault{{works: true, status: 502, body: "<html>", header: html}}, 1, 1, true},
		{"HTTP 503 before", []fault{{status: 503, body: "busy", header: html}}, 1, 1, false},
		{"HTTP 504 after", []fault{{works: true, status: 504, body: "<html>", header: html}}, 1, 1, true},
		{"HTTP 500 with a code after", []fault{{works: true, status: 500, body: `{"code":9,"msg":"oops"}`}}, 1, 1, true},
		{"HTTP 408 after", []fault{{works: true, status: 408, body: "late", header: html}}, 1, 1, true},
		{"code 500 after", []fault{{works: true, body: `{"code":500,"msg":"internal"}`}}, 1, 1, true},
		{"code 503 before", []fault{{body: `{"code":503,"msg":"busy"}`}}, 1, 1, false},
		{"code 431 after", []fault{{works: true, body: `{"code":431,"msg":"repeated"}`}}, 1, 1, true},
		{"code 431 before", []fault{{body: `{"code":431,"msg":"repeated"}`}}, 1, 1, false},
		{"empty object after", []fault{{works: true, body: `{}`}}, 1, 1, true},
		{"empty object before", []fault{{body: `{}`}}, 1, 1, false},
		{"not JSON after", []fault{{works: true, body: `ok`}}, 1, 1, true},
		{"cut JSON after", []fault{{works: true, body: `{"code":0,"data":{"user_uuid":"us`}}, 1, 1, true},
		{"a proxy's page before", []fault{{body: "<html>Please log in</html>", header: html}}, 1, 1, false},
		{"rate limit", []fault{{body: `{"code":416}`}}, 2, 0, true},
		{"rate limit twice", []fault{{body: `{"code":416}`}, {status: 429, body: "slow", header: html}}, 3, 0, true},
		{"rate limit for ever", []fault{{body: `{"code":416}`}, {body: `{"code":416}`}, {body: `{"code":416}`}}, 3, 0, false},
		{"rate limit, then cut after", []fault{{body: `{"code":416}`}, {works: true, cut: true}}, 2, 1, true},
		{"rate limit, then cut before", []fault{{body: `{"code":416}`}, {cut: true}}, 2, 1, false},
		{"redirect", []fault{{status: 307, body: "there", header: http.Header{"Location": {"https://example.com/"}}}}, 1, 0, false},
	}
	for _, call := range creates {
		for _, test := range tests {
			t.Run(call.name+", "+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.faults["POST"] = slices.Clone(test.faults)
					id, token, err := call.create(t.Context(), w.client(t), wanted)
					if test.works && (err != nil || id != "user01" || token != call.token) {
						t.Errorf("got %q, %q, %v, want user01 and its token", id, token, err)
					}
					if !test.works && (!errors.Is(err, engine.ErrUnavailable) || id+token != "") {
						t.Errorf("got %q, %v, want ErrUnavailable", id, err)
					}
					if w.count("POST") != test.posts || w.count("GET") != test.queries {
						t.Errorf("got %d creates and %d queries, want %d and %d", w.count("POST"), w.count("GET"), test.posts, test.queries)
					}
					if got, want := w.made, map[bool]int{true: 1}[test.works]; got != want {
						t.Errorf("got %d accounts, want %d", got, want)
					}
					wantNoSecrets(t, err)
				})
			})
		}
	}
}

// IM asks for another try if the account is being changed elsewhere.
func TestIMAsksToRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, code := range []string{`{"code":449}`, `{"code":102449,"msg":"retry"}`} {
			w := newWorld()
			w.faults["POST"] = []fault{{body: code}, {body: code}}
			if _, err := w.client(t).CreateIMAccount(t.Context(), wanted); err != nil || w.count("POST") != 3 || w.made != 1 {
				t.Errorf("got %v after %d requests and %d accounts, want success at the third", err, w.count("POST"), w.made)
			}
		}
	})
}

// Faults of the query after a create that worked and was cut. IM shows no
// tokens.
func TestFaultsOfQuery(t *testing.T) {
	busy := fault{status: 503, body: "busy", header: html}
	tests := []struct {
		name    string
		faults  []fault
		queries int
		works   bool
	}{
		{"cut", []fault{{cut: true}}, 1, false},
		{"late", []fault{{late: true}}, 1, false},
		{"HTTP 500", []fault{{status: 500, body: "oops"}}, 1, false},
		{"code 500", []fault{{body: `{"code":500,"msg":"of im-token-1 and user-token-1"}`}}, 1, false},
		{"HTTP 404 of a proxy", []fault{{status: 404, body: "<html>", header: html}}, 1, false},
		{"busy twice", []fault{busy, busy}, 3, true},
		{"busy for ever", []fault{busy, busy, busy}, 3, false},
		{"rate limit", []fault{{body: `{"code":416}`}}, 2, true},
		{"empty object", []fault{{body: `{}`}}, 1, false},
		{"nothing", []fault{{body: `{"code":0,"data":null}`}}, 1, false},
		{"another account", []fault{{body: `{"code":0,"data":{"user_uuid":"user02","user_token":"x","im_token":"im-token-1"}}`}}, 1, false},
		{"a number", []fault{{body: `{"code":0,"data":7}`}}, 1, false},
	}
	for _, call := range creates {
		for _, test := range tests {
			t.Run(call.name+", "+test.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.faults["POST"], w.faults["GET"] = []fault{{works: true, cut: true}}, slices.Clone(test.faults)
					c := w.client(t)
					id, _, err := call.create(t.Context(), c, wanted)
					if test.works && (err != nil || id != "user01") || !test.works && !errors.Is(err, engine.ErrUnavailable) {
						t.Errorf("got %q, %v, want success: %t", id, err, test.works)
					}
					if w.count("POST") != 1 || w.count("GET") != test.queries || w.made != 1 {
						t.Errorf("got %d creates, %d accounts, %d queries, want 1, 1 and %d", w.count("POST"), w.made, w.count("GET"), test.queries)
					}
					wantNoSecrets(t, err)
					if id, token, err := call.create(t.Context(), c, wanted); err != nil || id != "user01" || token != call.token {
						t.Errorf("the same call again: got %q, %q, %v", id, token, err)
					}
					if w.made != 1 {
						t.Errorf("got %d accounts, want 1", w.made)
					}
				})
			})
		}
	}
}

// A dial that fails has written nothing, so it is tried again without a query.
func TestConnectErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	l.Close()
	for _, call := range creates {
		dials := 0
		transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
		c := newClient(t, provision.Options{IMURL: address, KitURL: address, HTTPClient: &http.Client{Transport: transport}})
		if _, _, err := call.create(t.Context(), c, wanted); !errors.Is(err, engine.ErrUnavailable) || dials != 3 {
			t.Errorf("%s: got %v after %d dials, want ErrUnavailable after 3", call.name, err, dials)
		}
	}
}

// The same over sockets, with kept-alive connections that are cut.
func TestCutConnections(t *testing.T) {
	for _, call := range creates {
		for _, works := range []bool{false, true} {
			w := newWorld()
			s := httptest.NewServer(w)
			c := newClient(t, provision.Options{IMURL: s.URL, KitURL: s.URL})
			if _, _, err := call.create(t.Context(), c, provision.AccountRequest{Accid: "user02", IMToken: imToken}); err != nil {
				t.Fatal(err)
			}
			w.faults["POST"] = []fault{{works: works, cut: true}}
			_, _, err := call.create(t.Context(), c, wanted)
			if works && err != nil || !works && !errors.Is(err, engine.ErrUnavailable) {
				t.Errorf("%s: got %v, want success: %t", call.name, err, works)
			}
			if w.count("POST") != 2 || w.count("GET") != 1 {
				t.Errorf("%s: got %d creates and %d queries, want 2 and 1", call.name, w.count("POST"), w.count("GET"))
			}
			s.Close()
		}
	}
}

// If the caller gives up, errors.Is finds the reason, and there is no query.
func TestCallerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reason := errors.New("the user closed the window")
		for _, call := range creates {
			w := newWorld()
			w.faults["POST"] = []fault{{works: true, late: true}}
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(reason) })
			began := time.Now()
			_, _, err := call.create(ctx, w.client(t), wanted)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) || errors.Is(err, engine.ErrUnavailable) {
				t.Errorf("%s: got %v, want the caller's reason", call.name, err)
			}
			if w.count("POST") != 1 || w.count("GET") != 0 || time.Since(began) != time.Second {
				t.Errorf("%s: got %d creates and %d queries after %v", call.name, w.count("POST"), w.count("GET"), time.Since(began))
			}
		}
	})
}

// The Client waits out a rate limit, unless the caller gives up or would give
// up before its end.
func TestRateLimit(t *testing.T) {
	tests := []struct {
		name   string
		limit  fault
		ctx    time.Duration
		took   time.Duration
		works  bool
		caller bool // gives up
	}{
		{"IM's own", fault{body: `{"code":416}`}, time.Minute, 10 * time.Second, true, false},
		{"HTTP's", fault{status: 429, body: "slow", header: html}, time.Minute, 10 * time.Second, true, false},
		{"as asked for", fault{status: 429, body: "slow", header: http.Header{"Retry-After": {"3"}}}, time.Minute, 3 * time.Second, true, false},
		{"longer than ctx", fault{body: `{"code":416}`}, 9 * time.Second, 0, false, false},
		{"the caller goes", fault{body: `{"code":416}`}, 0, 2 * time.Second, false, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.faults["POST"] = []fault{test.limit}
				ctx, cancel := context.WithCancel(t.Context())
				if test.caller {
					time.AfterFunc(test.took, cancel)
				} else {
					ctx, cancel = context.WithTimeout(ctx, test.ctx)
				}
				defer cancel()
				began := time.Now()
				_, err := w.client(t).CreateIMAccount(ctx, wanted)
				if (err == nil) != test.works || time.Since(began) != test.took {
					t.Errorf("got %v after %v, want success: %t, after %v", err, time.Since(began), test.works, test.took)
				}
				if !test.works && (!errors.Is(err, engine.ErrUnavailable) || errors.Is(err, context.Canceled) != test.caller) {
					t.Errorf("got %v, want ErrUnavailable, and the caller's reason: %t", err, test.caller)
				}
			})
		})
	}
}

// An update may be repeated. If the outcome is still unknown, there is a query.
func TestFaultsOfUpdate(t *testing.T) {
	busy := fault{status: 503, body: "busy", header: html}
	tests := []struct {
		name    string
		faults  []fault
		patches int
		queries int
		want    error
	}{
		{"busy", []fault{busy, busy}, 3, 0, nil},
		{"busy for ever", []fault{busy, busy, busy}, 3, 1, engine.ErrUnavailable},
		{"cut after", []fault{{works: true, cut: true}}, 1, 1, nil},
		{"cut before", []fault{{cut: true}}, 1, 1, engine.ErrUnavailable},
		{"late, and done", []fault{{works: true, late: true}}, 1, 1, nil},
		{"empty object after", []fault{{works: true, body: `{}`}}, 1, 1, nil},
		{"empty object before", []fault{{body: `{}`}}, 1, 1, engine.ErrUnavailable},
		{"busy after, then refused", []fault{{works: true, status: 503, body: "busy", header: html}, {body: `{"code":400}`}}, 2, 1, nil},
		{"refused", []fault{{body: `{"code":704,"msg":"wrong"}`}}, 1, 0, engine.ErrTokenRejected},
	}
	for _, change := range []provision.AccountRequest{{Accid: "user01", IMToken: "im-token-2"}, {UserUUID: "user01", Name: "Zoe"}} {
		for _, test := range tests {
			t.Run(test.name+" "+change.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld()
					w.accounts["room user01"] = fields{"id": "user01", "token": userToken, "imToken": imToken}
					w.faults["PATCH"] = slices.Clone(test.faults)
					err := w.client(t).UpdateAccount(t.Context(), change)
					if !errors.Is(err, test.want) || w.count("PATCH") != test.patches || w.count("GET") != test.queries {
						t.Errorf("got %v after %d changes and %d queries, want %v after %d and %d", err,
							w.count("PATCH"), w.count("GET"), test.want, test.patches, test.queries)
					}
					wantNoSecrets(t, err)
				})
			})
		}
	}
}
