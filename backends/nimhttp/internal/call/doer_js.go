package call

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall/js"
)

// InPage says that the program runs in a web page, which can make HTTP requests
// but cannot dial, listen or start programs.
const InPage = true

// NewDoer returns what sends the requests, and a func that does nothing. It
// fails with engine.ErrArgument unless own is nil, because the page's fetch
// sends them.
func NewDoer(own *http.Client) (Doer, func(), error) {
	if own != nil {
		return nil, nil, Argument("HTTPClient cannot be used in a web page, where fetch sends the requests; leave it nil")
	}
	return fetch{}, func() {}, nil
}

// fetch is the page's fetch. An http.Transport would use that, too, but brings
// its own TLS and HTTP/2 along, which no page can use: a third of the wasm.
type fetch struct{}

// Do sends r and reads the whole reply, up to one byte more than a reply may
// have. If only the body cannot be read, the error comes from Response.Body.
func (fetch) Do(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if js.Global().Get("fetch").Type() != js.TypeFunction {
		return nil, errors.New("this JavaScript environment has no fetch")
	}
	options, err := fetchOptions(r)
	if err != nil {
		return nil, err
	}
	abort := js.Global().Get("AbortController").New()
	options["signal"] = abort.Get("signal")
	stop := context.AfterFunc(ctx, func() { abort.Call("abort") })
	defer stop()

	res, err := await(js.Global().Call("fetch", r.URL.String(), options))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil: // browsers say nothing more, so that pages cannot look into the network
		return nil, fmt.Errorf("%w; it cannot be reached, or does not allow this page's origin (CORS)", err)
	case res.Get("type").String() == "opaqueredirect":
		return nil, errors.New("the server redirects the request")
	}
	body, err := readAll(res.Get("body"))
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		abort.Call("abort")
	}
	return &http.Response{
		StatusCode: res.Get("status").Int(),
		Header:     headerOf(res.Get("headers")),
		Body:       io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err})),
		Request:    r,
	}, nil
}

// fetchOptions returns the options of fetch for r. A redirect is not followed,
// because it could take the token to another server, and no cookie is sent.
func fetchOptions(r *http.Request) (map[string]any, error) {
	headers := map[string]any{}
	for name, values := range r.Header {
		if len(values) > 0 {
			headers[name] = byteString(strings.Join(values, ", "))
		}
	}
	options := map[string]any{
		"method": r.Method, "headers": headers,
		"redirect": "manual", "credentials": "omit", "cache": "no-store", "referrerPolicy": "no-referrer",
	}
	if r.Body == nil {
		return options, nil
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 {
		return options, err
	}
	array := js.Global().Get("Uint8Array").New(len(body))
	js.CopyBytesToJS(array, body)
	options["body"] = array
	return options, nil
}

// byteString returns a string with one character for each byte of s. Fetch sends
// each character of a header as one byte, so the server gets the bytes of s, as
// from net/http.
func byteString(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

func headerOf(headers js.Value) http.Header {
	h := http.Header{}
	for entries := headers.Call("entries"); ; {
		next := entries.Call("next")
		if next.Get("done").Bool() {
			return h
		}
		h.Add(next.Get("value").Index(0).String(), next.Get("value").Index(1).String())
	}
}

// readAll reads a ReadableStream, or null, up to one byte more than a reply may
// have.
func readAll(stream js.Value) ([]byte, error) {
	if !stream.Truthy() {
		return nil, nil
	}
	reader := stream.Call("getReader")
	var body []byte
	for len(body) <= maxReply {
		chunk, err := await(reader.Call("read"))
		if err != nil {
			return body, err
		}
		if chunk.Get("done").Bool() {
			return body, nil
		}
		value := chunk.Get("value")
		part := make([]byte, value.Get("byteLength").Int())
		js.CopyBytesToGo(part, value)
		body = append(body, part...)
	}
	_, err := await(reader.Call("cancel"))
	return body[:maxReply+1], err
}

// await waits for a promise. Those of fetch settle at the latest when their
// request is aborted.
func await(promise js.Value) (js.Value, error) {
	type result struct {
		value js.Value
		err   error
	}
	settled := make(chan result, 1)
	fulfilled := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- result{value: args[0]}
		return nil
	})
	defer fulfilled.Release()
	rejected := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- result{err: fmt.Errorf("fetch: %s", js.Global().Call("String", args[0]).String())}
		return nil
	})
	defer rejected.Release()
	promise.Call("then", fulfilled, rejected)
	r := <-settled
	return r.value, r.err
}

// failing is a reader that fails with err, or is at its end if err is nil.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}
