// Package nimhttp talks to the real thing over HTTP.
//
// [Kit] is a client of the kit server (roomkit), the vendor's or one of
// a private deployment: it logs a kit account in, checks its token, and makes
// temporary accounts. Give it to engine.Join with an IM of your own, such as
// one of backends/hostim. For tests and for development without an account, nimhttptest
// and "imreuse sandbox" are such a server.
//
// What goes over the wire is what the vendor's own web kit sends (RoomKit
// 1.31.0), as research/vendor-oracle.md and research/http-api.md found it.
package nimhttp

import (
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
)

// defaultKitURL is the vendor's public kit server (http-api.md 2.1).
const defaultKitURL = "https://roomkit.netease.im"

// AuthType says what the token of a kit account is.
type AuthType uint8

const (
	AuthStatic  AuthType = iota // the userToken of the kit account
	AuthDynamic                 // a dynamic token of IM: header authType: 1
)

// A ServerError is what a server answered, in its own words and numbers. It is
// in the chain of an error, beside the engine.Code that it comes to.
type ServerError = call.ServerError

// Options are what the clients of this package need to know. AppKey is
// required; all else has a default.
type Options struct {
	AppKey     string
	KitURL     string       // of the kit server, with the path prefix of a private deployment; default: the vendor's public one
	DeviceID   string       // default: a new UUID, the same for the life of the client
	ClientType string       // as the vendor's kits name themselves; default "web"
	Language   string       // accept-language; default "en-US"
	AuthType   AuthType     // of the kit login
	PlainHTTP  bool         // allow http to hosts other than loopback; without it such a URL is refused
	HTTPClient *http.Client // default: one with timeouts and TLS 1.2 or better, kept alive. Redirects are never followed
	Logger     *slog.Logger // a Debug line per request; nil: silent
}

// complete fills in the defaults, and refuses what cannot be sent.
func (o Options) complete() (Options, error) {
	setDefault(&o.KitURL, defaultKitURL)
	setDefault(&o.ClientType, "web")
	setDefault(&o.Language, "en-US")
	if o.DeviceID == "" {
		o.DeviceID = uuid.NewString()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, f := range []struct{ name, value string }{
		{"AppKey", o.AppKey}, {"DeviceID", o.DeviceID}, {"ClientType", o.ClientType}, {"Language", o.Language},
	} {
		if err := call.CheckHeader(f.name, f.value, call.MaxField); err != nil {
			return o, err
		}
	}
	if o.AppKey == "." || o.AppKey == ".." {
		return o, call.Argument("AppKey %q is a path of its own", o.AppKey)
	}
	if o.AuthType > AuthDynamic {
		return o, call.Argument("there is no AuthType %d", o.AuthType)
	}
	return o, nil
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}
