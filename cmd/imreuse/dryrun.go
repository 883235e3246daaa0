package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// A dryRun is an http.RoundTripper that prints the first request and ends the
// call, so that nothing is sent.
type dryRun struct {
	out     io.Writer
	secrets secrets
	asJSON  bool
	end     context.CancelFunc
	shown   bool
	err     error
}

func newDryRun(ctx context.Context, out io.Writer, s secrets, asJSON bool) (context.Context, *dryRun) {
	ctx, end := context.WithCancel(ctx)
	return ctx, &dryRun{out: out, secrets: s, asJSON: asJSON, end: end}
}

func (d *dryRun) RoundTrip(r *http.Request) (*http.Response, error) {
	d.end()
	if !d.shown {
		d.shown = true
		d.err = d.show(r)
	}
	return nil, context.Canceled
}

func (d *dryRun) show(r *http.Request) error {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
	}
	body = d.mask(body)
	if d.asJSON {
		return d.printJSON(r, body)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
	shown := shownHeader(r)
	for _, name := range slices.Sorted(maps.Keys(shown)) {
		fmt.Fprintf(&b, "%s: %s\n", name, shown[name])
	}
	fmt.Fprintf(&b, "\n%s\n", body)
	_, err := io.WriteString(d.out, b.String())
	return err
}

func (d *dryRun) printJSON(r *http.Request, body []byte) error {
	if len(body) == 0 {
		body = []byte("null")
	}
	return json.NewEncoder(d.out).Encode(struct {
		Method string            `json:"method"`
		URL    string            `json:"url"`
		Header map[string]string `json:"header"`
		Body   json.RawMessage   `json:"body"` // every server API takes JSON
	}{r.Method, r.URL.String(), shownHeader(r), body})
}

// shownHeader returns the header without the signature.
func shownHeader(r *http.Request) map[string]string {
	shown := map[string]string{}
	for name := range r.Header {
		shown[name] = r.Header.Get(name)
		if strings.EqualFold(name, "CheckSum") {
			shown[name] = "***"
		}
	}
	return shown
}

// mask hides the secrets in a JSON body. Each is a whole value there, so it
// appears exactly as JSON quotes it.
func (d *dryRun) mask(body []byte) []byte {
	for _, secret := range []string{d.secrets.IMToken, d.secrets.UserToken, d.secrets.AppSecret} {
		if secret == "" {
			continue
		}
		quoted, err := json.Marshal(secret)
		if err != nil {
			continue
		}
		body = bytes.ReplaceAll(body, quoted, []byte(`"***"`))
	}
	return body
}
