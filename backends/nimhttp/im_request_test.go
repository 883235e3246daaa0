package nimhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// With real sockets and the IM's own HTTP client: every request from InitIM to
// Close.
func TestIMRequests(t *testing.T) {
	s := newIMStub()
	server := httptest.NewServer(s)
	defer server.Close()
	im := s.client(t, func(o *nimhttp.Options) { o.GatewayURL, o.HTTPClient = server.URL+"/behind/proxy/", nil })
	logInAlice(t, im, engine.Notify{})
	if err := im.LogoutIM(t.Context()); err != nil {
		t.Errorf("LogoutIM: %v", err)
	}
	if a, err := im.AdoptIM(t.Context(), engine.Notify{}); err != nil || a.Accid != "" {
		t.Errorf("AdoptIM: got %v and %v, want nobody", a, err)
	}
	if err := im.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	const slot = "/behind/proxy/v1/im/slot-1"
	want := []string{
		"GET " + slot + " ",
		"PUT " + slot + ` {"appKey":"app1"}`,
		"PUT " + slot + ` {"appKey":"app1"}`,
		"POST " + slot + `/login {"accid":"alice","owner":"OWNER","timeoutMs":60000,"token":"` + stubToken + `"}`,
		"POST " + slot + `/logout {"owner":"OWNER"}`,
		"GET " + slot + " ",
		"GET " + slot + " ",
		"DELETE " + slot + "?owner=OWNER ",
	}
	var got []string
	for _, r := range s.seen("health", "init", "read", "login", "logout", "release") {
		line := uuidInQuery.ReplaceAllString(r.line, "?owner=OWNER")
		got = append(got, line+" "+sortedJSON(t, r.body))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got requests\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, r := range s.seen() {
		authorization, contentType := "Bearer "+stubSecret, ""
		if r.name == "proof" {
			authorization = ""
		}
		if r.body != "" {
			contentType = "application/json"
		}
		if r.authorization != authorization || r.contentType != contentType {
			t.Errorf("%s: got Authorization %q and Content-Type %q, want %q and %q", r.line, r.authorization, r.contentType, authorization, contentType)
		}
	}
}

var uuidInQuery = regexp.MustCompile(`\?owner=[0-9a-f-]{36}$`)

// sortedJSON returns the JSON with its fields in order, and with OWNER instead
// of the owner's UUID.
func sortedJSON(t *testing.T, body string) string {
	t.Helper()
	if body == "" {
		return ""
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		t.Errorf("%q: %v", body, err)
	}
	if owner, is := fields["owner"].(string); is && uuid.Validate(owner) == nil {
		fields["owner"] = "OWNER"
	}
	b, err := json.Marshal(fields)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestIMRequestOfPrivateDeployment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		im := s.client(t, func(o *nimhttp.Options) {
			o.LBSURL, o.LinkAddr, o.LinkPlain = "http://127.0.0.1:1/lbs", "127.0.0.1:2", true
		})
		logInAlice(t, im, engine.Notify{})
		bodies := s.seen("init")
		if len(bodies) != 2 {
			t.Fatalf("got %d requests, want one of InitIM and one of LoginIM", len(bodies))
		}
		want := `{"appKey":"app1","lbsUrl":"http://127.0.0.1:1/lbs","linkAddr":"127.0.0.1:2","linkPlain":true}`
		for _, r := range bodies {
			if got := sortedJSON(t, r.body); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

func TestIMLoginTimeout(t *testing.T) {
	tests := []struct {
		name     string
		deadline time.Duration // 0: none
		want     int
	}{
		{"no deadline", 0, 60000},
		{"three seconds", 3 * time.Second, 3000},
		{"less than a millisecond", 100 * time.Microsecond, 1},
		{"an hour", time.Hour, 120000},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIMStub()
				im := s.client(t)
				if err := im.InitIM(t.Context(), "app1"); err != nil {
					t.Fatal(err)
				}
				ctx := t.Context()
				if test.deadline != 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.deadline)
					defer cancel()
				}
				if err := im.LoginIM(ctx, stubAlice, engine.Notify{}); err != nil {
					t.Fatal(err)
				}
				var got struct{ TimeoutMs int }
				if err := json.Unmarshal([]byte(s.seen("login")[0].body), &got); err != nil || got.TimeoutMs != test.want {
					t.Errorf("got %v and %d ms, want %d", err, got.TimeoutMs, test.want)
				}
			})
		})
	}
}

// Each IM has one owner for all its logins, and no two IMs have the same.
func TestIMOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		var owners []string
		for range 2 {
			im := s.client(t)
			for range 2 {
				logInAlice(t, im, engine.Notify{})
				owners = append(owners, s.shows().Owner)
				if err := im.LogoutIM(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if owners[0] != owners[1] || owners[2] != owners[3] || owners[0] == owners[2] {
			t.Errorf("got %q, want one for each of the two", owners)
		}
	})
}

func TestIMWatchRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		im := s.client(t)
		logInAlice(t, im, engine.Notify{})
		synctest.Wait()
		first := s.shows().Seq
		s.change(func(n *stubSnapshot) { n.Link = "down" })
		pass(7 * time.Second) // the wait of the first read is over
		var got []string
		for _, r := range s.seen("watch") {
			got = append(got, r.line)
		}
		line := "GET /v1/im/slot-1?after=%d&waitMs=7000"
		want := []string{fmt.Sprintf(line, first), fmt.Sprintf(line, first+1), fmt.Sprintf(line, first+1)}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestIMPaths(t *testing.T) {
	tests := []struct {
		name, url, slot, want string
	}{
		{"root", "http://127.0.0.1:7788/", "slot-1", "/v1/im/slot-1"},
		{"prefix", "http://127.0.0.1:7788/a/b", "slot-1", "/a/b/v1/im/slot-1"},
		{"escaped prefix", "http://127.0.0.1:7788/a%2Fb", "slot-1", "/a%2Fb/v1/im/slot-1"},
		{"dots", "http://127.0.0.1:7788", "..", "/v1/im/.."},
		{"longest slot", "http://127.0.0.1:7788", strings.Repeat("s", 64), "/v1/im/" + strings.Repeat("s", 64)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newIMStub()
				im := s.client(t, func(o *nimhttp.Options) { o.GatewayURL, o.Slot = test.url, test.slot })
				if err := im.InitIM(t.Context(), "app1"); err != nil {
					t.Fatal(err)
				}
				if got, want := s.seen("init")[0].line, "PUT "+test.want; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

func TestIMDefaultSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newIMStub()
		for range 2 {
			im := s.client(t, func(o *nimhttp.Options) { o.Slot = "" })
			if err := im.InitIM(t.Context(), "app1"); err != nil {
				t.Fatal(err)
			}
		}
		lines := s.seen("read")
		for _, r := range lines {
			if err := uuid.Validate(strings.TrimPrefix(r.line, "GET /v1/im/")); err != nil {
				t.Errorf("%s: %v", r.line, err)
			}
		}
		if lines[0].line == lines[1].line {
			t.Errorf("got %s twice", lines[0].line)
		}
	})
}

func TestBadIMOptions(t *testing.T) {
	const lbs, link = "https://lbs.example.com", "link.example.com:443"
	tests := []struct {
		name, field string
		change      func(*nimhttp.Options)
	}{
		{"no AppKey", "AppKey", func(o *nimhttp.Options) { o.AppKey = "" }},
		{"no GatewayURL", "GatewayURL", func(o *nimhttp.Options) { o.GatewayURL = "" }},
		{"no URL", "GatewayURL", func(o *nimhttp.Options) { o.GatewayURL = "http://[::1" }},
		{"no scheme", "GatewayURL", func(o *nimhttp.Options) { o.GatewayURL = "127.0.0.1:7788" }},
		{"other scheme", "GatewayURL", func(o *nimhttp.Options) { o.GatewayURL = "ftp://127.0.0.1" }},
		{"no host", "GatewayURL", func(o *nimhttp.Options) { o.GatewayURL = "http://" }},
		{"query", "GatewayURL", func(o *nimhttp.Options) { o.GatewayURL += "/?a=b" }},
		{"dots", "GatewayURL", func(o *nimhttp.Options) { o.GatewayURL += "/a/../b" }},
		{"plain http", "GatewayURL", func(o *nimhttp.Options) { o.GatewayURL = "http://gateway.example.com" }},
		{"user info", "GatewayURL", func(o *nimhttp.Options) { o.GatewayURL = "http://me:" + stubToken + "@127.0.0.1" }},
		{"no secret", "GatewaySecret", func(o *nimhttp.Options) { o.GatewaySecret = "" }},
		{"long secret", "GatewaySecret", func(o *nimhttp.Options) { o.GatewaySecret = strings.Repeat(stubSecret, 1000) }},
		{"control in secret", "GatewaySecret", func(o *nimhttp.Options) { o.GatewaySecret += "\r\nX: y" }},
		{"secret not UTF-8", "GatewaySecret", func(o *nimhttp.Options) { o.GatewaySecret += "\xff" }},
		{"slash in slot", "Slot", func(o *nimhttp.Options) { o.Slot = "a/b" }},
		{"long slot", "Slot", func(o *nimhttp.Options) { o.Slot = strings.Repeat("s", 65) }},
		{"slot with newline", "Slot", func(o *nimhttp.Options) { o.Slot = "slot\n" }},
		{"LBSURL alone", "LinkAddr", func(o *nimhttp.Options) { o.LBSURL = lbs }},
		{"LinkAddr alone", "LBSURL", func(o *nimhttp.Options) { o.LinkAddr = link }},
		{"LinkPlain alone", "LinkPlain", func(o *nimhttp.Options) { o.LinkPlain = true }},
		{"LBSURL no URL", "LBSURL", func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr = "lbs", link }},
		{"LBSURL plain", "LBSURL", func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr = "http://lbs.example.com", link }},
		{"LBSURL plain all the same", "LBSURL", func(o *nimhttp.Options) {
			o.LBSURL, o.LinkAddr, o.PlainHTTP = "http://lbs.example.com", link, true
		}},
		{"link without port", "LinkAddr", func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr = lbs, "link.example.com" }},
		{"link without host", "LinkAddr", func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr = lbs, ":443" }},
		{"link port 0", "LinkAddr", func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr = lbs, "link.example.com:0" }},
		{"link port too high", "LinkAddr", func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr = lbs, "link.example.com:65536" }},
		{"link port empty", "LinkAddr", func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr = lbs, "link.example.com:" }},
		{"plain link to others", "LinkPlain", func(o *nimhttp.Options) {
			o.LBSURL, o.LinkAddr, o.LinkPlain = "http://127.0.0.1:1", "192.0.2.1:2", true
		}},
		{"plain link by others", "LinkPlain", func(o *nimhttp.Options) {
			o.LBSURL, o.LinkAddr, o.LinkPlain = lbs, "127.0.0.1:2", true
		}},
	}
	never := &http.Transport{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		t.Errorf("it connected to %s", addr)
		return nil, errors.ErrUnsupported
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := nimhttp.Options{
				AppKey: "app1", GatewayURL: "http://127.0.0.1:7788", GatewaySecret: stubSecret, HTTPClient: &http.Client{Transport: never},
			}
			test.change(&o)
			im, err := nimhttp.NewIM(o)
			both, errBoth := nimhttp.New(o)
			if im != nil || both != nil {
				t.Fatalf("got an IM and no error")
			}
			for _, err := range []error{err, errBoth} {
				if !errors.Is(err, engine.ErrArgument) || !strings.Contains(err.Error(), test.field) {
					t.Errorf("got %v, want ErrArgument that names %s", err, test.field)
				}
				noSecrets(t, "the error", err.Error())
			}
		})
	}
}

func TestGoodIMOptions(t *testing.T) {
	for name, change := range map[string]func(*nimhttp.Options){
		"https":               func(o *nimhttp.Options) { o.GatewayURL = "https://gateway.example.com" },
		"plain http allowed":  func(o *nimhttp.Options) { o.GatewayURL, o.PlainHTTP = "http://gateway.example.com", true },
		"localhost":           func(o *nimhttp.Options) { o.GatewayURL = "http://localhost:7788" },
		"private deployment":  func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr = "https://lbs.example.com", "link.example.com:443" },
		"link on IPv6":        func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr = "https://lbs.example.com", "[2001:db8::1]:443" },
		"plain link to us":    func(o *nimhttp.Options) { o.LBSURL, o.LinkAddr, o.LinkPlain = "http://[::1]:1", "localhost:2", true },
		"slot with all kinds": func(o *nimhttp.Options) { o.Slot = "aZ09_.-" },
	} {
		o := nimhttp.Options{AppKey: "app1", GatewayURL: "http://127.0.0.1:7788", GatewaySecret: stubSecret}
		change(&o)
		b, err := nimhttp.New(o)
		if err != nil {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if err := b.Close(); err != nil {
			t.Errorf("%s: Close: %v", name, err)
		}
	}
}

// NewIM refuses a transport that gives up before the gateway must answer.
func TestIMHeaderTimeout(t *testing.T) {
	o := nimhttp.Options{AppKey: "app1", GatewayURL: "http://127.0.0.1:1", GatewaySecret: stubSecret}
	for limit, want := range map[time.Duration]error{5 * time.Second: engine.ErrArgument, 15 * time.Second: nil} {
		o.HTTPClient = &http.Client{Timeout: time.Second, Transport: &http.Transport{ResponseHeaderTimeout: limit}}
		im, err := nimhttp.NewIM(o)
		if !errors.Is(err, want) {
			t.Errorf("%v: got %v, want %v", limit, err, want)
		}
		if im != nil {
			im.Close()
		}
	}
}
