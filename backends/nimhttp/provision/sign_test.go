package provision_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/provision"
)

// The vectors of docs/vendor/http.md#signing. The vendor prints the first one.
func TestCheckSum(t *testing.T) {
	tests := []struct {
		name, secret, nonce string
		curTime             int64
		want                string
	}{
		{"the vendor's", "abcdefghigk", "ABCDEFG1234567abcdefg7654321GFEDCBA", 1234567890123, "0990f3d1615b5fa19fcbcea6b105270053fdf6a7"},
		{"short nonce", "0123456789ab", "12345678", 1594639036, "b153d90404d0c8c58241c9394dbe691c30edb859"},
		{"nonce of an SDK", "fedcba987654", "0f8fad5bd9cb469fa16570867728950e", 1700000000, "aca13ffebd69a3cb4e6a07218a36287420fc0ae5"},
		{"not ASCII", "密钥secret", "随机nonce", 1700000000, "7006921b5017e1f72c1084a907a697685fb22c38"},
	}
	for _, test := range tests {
		if got := provision.CheckSum(test.secret, test.nonce, time.Unix(test.curTime, 999_999_999)); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

var hex32 = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Each attempt has a new signature; the trace id stays the same for a whole
// call.
func TestSignature(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.faults["POST"] = []fault{{body: `{"code":449}`}, {body: `{"code":416}`}}
		c := newClient(t, provision.Options{HTTPClient: &http.Client{Transport: w}, Now: func() time.Time { return time.Unix(1700000000, 0) }})
		if _, err := c.CreateIMAccount(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		if _, err := c.CreateRoomAccount(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		nonces, traces := map[string]bool{}, map[string]int{}
		for _, r := range w.requests {
			h := r.header
			nonce := h.Get("Nonce")
			nonces[nonce] = true
			traces[h.Get("X-custom-traceid")]++
			if !hex32.MatchString(nonce) || !hex32.MatchString(h.Get("X-custom-traceid")) {
				t.Errorf("got nonce %q and trace id %q", nonce, h.Get("X-custom-traceid"))
			}
			if h.Get("AppKey") != "app1" || h.Get("CurTime") != "1700000000" || h.Get("Content-Type") != "application/json;charset=UTF-8" {
				t.Errorf("got headers %v", h)
			}
			if got, want := h.Get("CheckSum"), provision.CheckSum(secret, nonce, time.Unix(1700000000, 0)); got != want {
				t.Errorf("got CheckSum %s, want %s", got, want)
			}
		}
		if len(nonces) != 4 || len(traces) != 2 || traces[w.requests[0].header.Get("X-custom-traceid")] != 3 {
			t.Errorf("got %d nonces in %d requests and trace ids %v, want 4 in 4, and two ids, three times and once", len(nonces), len(w.requests), traces)
		}
	})
}

// A query after an unknown outcome is a new request, with its own trace id.
func TestTraceOfQuery(t *testing.T) {
	w := newWorld()
	w.faults["POST"] = []fault{{works: true, cut: true}}
	if _, err := w.client(t).CreateRoomAccount(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	create, query := w.requests[0].header, w.requests[1].header
	if create.Get("X-custom-traceid") == query.Get("X-custom-traceid") || query.Get("Content-Type") != "" || query.Get("CheckSum") == "" {
		t.Errorf("got headers %v and then %v", create, query)
	}
}

func TestSignHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.faults["POST"] = []fault{{body: `{"code":449}`}}
		n := 0
		c := newClient(t, provision.Options{HTTPClient: &http.Client{Transport: w}, Sign: func(r *http.Request) error {
			n++
			body, err := io.ReadAll(r.Body) // Sign may read it
			if !strings.Contains(string(body), "user01") || r.Header.Get("Nonce") == "" || r.Header.Get("CurTime") == "" || r.URL.Path != "/im/v2/accounts" {
				t.Errorf("got %s with %q, headers %v", r.URL, body, r.Header)
			}
			r.URL.RawQuery += "signed"
			r.Header.Set("Nonce", "n")
			r.Header.Set("CheckSum", fmt.Sprintf("signature %d", n))
			return err
		}})
		if _, err := c.CreateIMAccount(t.Context(), wanted); err != nil {
			t.Fatal(err)
		}
		for i, r := range w.requests {
			if got, want := r.header.Get("CheckSum"), fmt.Sprintf("signature %d", i+1); got != want || r.header.Get("Nonce") != "n" ||
				r.path != "/im/v2/accounts?signed" || !strings.Contains(r.body, "user01") {
				t.Errorf("request %d: got %s with CheckSum %q, body %q", i+1, r.path, got, r.body)
			}
		}
		if len(w.requests) != 2 {
			t.Errorf("got %d requests, want 2", len(w.requests))
		}
	})
}

// If Sign fails, the caller gets its error, and nothing is sent.
func TestSignHookFails(t *testing.T) {
	w, n := newWorld(), 0
	locked := errors.New("the vault is locked")
	c := newClient(t, provision.Options{HTTPClient: &http.Client{Transport: w}, Sign: func(*http.Request) error { n++; return locked }})
	if _, err := c.CreateRoomAccount(t.Context(), wanted); !errors.Is(err, locked) {
		t.Errorf("got %v, want Sign's error", err)
	}
	if n != 1 || len(w.requests) != 0 {
		t.Errorf("got %d calls of Sign and %d requests, want 1 and 0", n, len(w.requests))
	}
}

// The error of a refused signature tells whether the clock explains it.
func TestRefusedSignature(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	date := func(at time.Time) http.Header { return http.Header{"Date": {at.Format(http.TimeFormat)}} }
	tests := []struct {
		name   string
		create string
		fault  fault
		clock  string // in the error
	}{
		{"IM, our clock is slow", "IM", fault{body: `{"code":403,"msg":"auth"}`, header: date(now.Add(7 * time.Minute))}, "7m0s ahead"},
		{"IM, our clock is fast", "IM", fault{body: `{"code":403}`, header: date(now.Add(-6 * time.Hour))}, "6h0m0s behind"},
		{"IM 414", "IM", fault{body: `{"code":414,"msg":"Bad CheckSum"}`, header: date(now.Add(2 * time.Minute))}, "2m0s ahead"},
		{"IM 414 for the time", "IM", fault{body: `{"code":414,"msg":"curTime must be 10 digits"}`, header: date(now)}, "the clocks agree"},
		{"IM, HTTP", "IM", fault{status: 403, body: "<html>", header: http.Header{"Content-Type": {"text/html"}}}, "check the AppKey, the AppSecret and the clock"},
		{"room", "room", fault{body: `{"code":401,"msg":"Unauthorized"}`, header: date(now.Add(time.Hour))}, "1h0m0s ahead"},
		{"room, HTTP", "room", fault{status: 401, body: "no", header: date(now.Add(-time.Hour))}, "1h0m0s behind"},
		{"meeting", "meeting", fault{body: `{"code":401}`, header: date(now.Add(30 * time.Second))}, "the clocks agree"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.faults["POST"] = []fault{test.fault}
			c := newClient(t, provision.Options{HTTPClient: &http.Client{Transport: w}, Now: func() time.Time { return now }})
			_, _, err := createNamed(test.create)(t.Context(), c, wanted)
			var refused *nimhttp.ServerError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v, want a ServerError", err)
			}
			if text := err.Error(); !strings.Contains(text, "the signature was refused") || !strings.Contains(text, test.clock) {
				t.Errorf("got %q, want a refused signature, %q", text, test.clock)
			}
			if len(w.requests) != 1 {
				t.Errorf("got %d requests, want 1", len(w.requests))
			}
			wantNoSecrets(t, err)
		})
	}
	w := newWorld()
	w.faults["POST"] = []fault{{body: `{"code":414,"msg":"account_id is too long"}`}}
	if _, err := w.client(t).CreateIMAccount(t.Context(), wanted); err == nil || strings.Contains(err.Error(), "signature") {
		t.Errorf("got %v, want a refusal that does not blame the signature", err)
	}
}
