//go:build !js

package call

import "net/http"

// InPage says that the program runs in a web page, which can make HTTP requests
// but cannot dial, listen or start programs.
const InPage = false

// NewDoer returns what sends the requests, and a func that closes its idle
// connections: HTTPClient(own). In a page it fails unless own is nil.
func NewDoer(own *http.Client) (Doer, func(), error) {
	client, closeIdle := HTTPClient(own)
	return client, closeIdle, nil
}
