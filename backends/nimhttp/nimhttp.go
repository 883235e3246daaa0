// Package nimhttp talks to the real thing over HTTP.
//
// [Kit] is a client of the kit server (roomkit), the vendor's or one of
// a private deployment: it logs a kit account in, checks its token, and makes
// temporary accounts. [IM] is a client of an IM gateway, in which the vendor's
// own SDK holds the IM long connection: see [StartGateway]. [New] joins both. A
// host that has an IM client of its own gives the Kit to engine.Join with that,
// such as one of backends/hostim. For tests and for development without an account,
// nimhttptest and "imreuse sandbox" are such servers.
//
// # The gateway's secret
//
// On each connection the gateway first proves that it knows the secret: it signs
// a new nonce (GET /healthz in gateway/openapi.yaml). An IM sends the secret and
// tokens on no other connection. So a program that takes the port of a gateway
// that has ended, or repeats what it once answered, learns nothing.
//
// Some risks remain on a machine with hostile local users. The connection is not
// encrypted, and the proof does not name an address, because a TCP forwarder may
// stand in front of a gateway. A program that listens at GatewayURL while the
// gateway runs elsewhere can therefore pass the proof on and read what follows;
// so give GatewayURL the gateway's own address. Root, and programs of the same
// user, can read the secret in the memory and the environment of both processes.
// Everybody on the machine can ask for proofs and test guesses against them, so
// the secret has to be random, as the one that StartGateway makes is. And
// everybody can use up the gateway's 256 connections.
//
// What goes over the wire is what the vendor's own web kit sends (RoomKit
// 1.31.0), as research/vendor-oracle.md and research/http-api.md found it.
package nimhttp

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/internal/loopback"
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
// required, and for IM also GatewayURL and GatewaySecret; all else has a default.
//
// They print without the secret and without what is in HTTPClient and Logger:
// as a value, behind a pointer, in exported fields, slices and maps, with
// package fmt, with log/slog and as JSON. Package fmt calls no methods on what
// is in an unexported field, so print no type that keeps them in one.
//
// DeviceID should stay the same from one start of your program to the next: make
// one per installation and keep it. Without one, every client is a new device to
// the kit server. The session of the last start then stays open there, because
// nothing tells the server that its device is gone, and whoever looks at the
// account's devices sees one more for each start.
//
// A fleet, one process with many logins, should share one HTTPClient. A client
// that makes its own has its own connections: with 200 kit logins over plain
// HTTP, each took 26 kB and 2 goroutines until its connection had been idle for
// 30 s, and 2.5 kB and no goroutine with a shared client. TLS and the IM gateway,
// which holds a read open for each login, add to both. If all logins are to one
// server, raise the MaxIdleConnsPerHost of its Transport, which is 2 by default.
//
// A proxy of the environment (HTTP_PROXY) is never used for a server on
// loopback, however its name is spelled. A proxy that the HTTPClient's own
// Transport names is used for the kit server wherever that is, but never for an
// IM gateway. If HTTPClient has a RoundTripper that is no *http.Transport, what
// it does with proxies is up to it.
type Options struct {
	AppKey     string
	KitURL     string       // of the kit server, with the path prefix of a private deployment; default: the vendor's public one
	DeviceID   string       // keep one for each installation, see above; default: a new UUID, the same for the life of the client
	ClientType string       // as the vendor's kits name themselves; default "web"
	Language   string       // accept-language; default "en-US"
	AuthType   AuthType     // of the kit login
	PlainHTTP  bool         // allow http to hosts other than loopback; without it such a URL is refused
	Logger     *slog.Logger // a Debug line per request; nil: silent

	// HTTPClient is optional; the default has timeouts, needs TLS 1.2 or better and
	// keeps connections alive. Redirects are never followed. For the IM gateway its
	// Timeout does not count, because reads wait there, and its Transport has to be
	// an *http.Transport or nil: anything else is engine.ErrArgument, since
	// connections can be proved only where they are opened. Of that Transport a
	// copy is used, with its dialers and limits, over HTTP/1.1 and without a proxy.
	// A fleet shares one, see above. IMs with the same Transport, GatewayURL and GatewaySecret share the copy and
	// its connections; the last one to be closed closes them.
	HTTPClient *http.Client

	// Of the IM role.
	GatewayURL    string // the IM gateway, such as http://127.0.0.1:7788: see StartGateway
	GatewaySecret string // what the gateway was started with; it proves that it knows it before it is sent
	Slot          string // of the gateway, 1 to 64 of A-Z a-z 0-9 _ . -; default: a new UUID. With a name of your own, your next process or another client of the gateway can adopt the login
	LBSURL        string // of a private deployment of IM: its address service, https or on loopback; with LinkAddr or not at all
	LinkAddr      string // and its link server, as host:port
	LinkPlain     bool   // the link is plain ws; refused unless both are on loopback
}

// complete fills in the defaults, and refuses what cannot be sent.
func (o Options) complete() (Options, error) {
	setDefault(&o.KitURL, defaultKitURL)
	setDefault(&o.ClientType, "web")
	setDefault(&o.Language, "en-US")
	if o.DeviceID == "" {
		o.DeviceID = uuid.NewString()
	}
	if o.Slot == "" {
		o.Slot = uuid.NewString()
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

var slotName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// checkIM refuses what the gateway would refuse.
func (o Options) checkIM() error {
	if o.GatewayURL == "" {
		return call.Argument("GatewayURL is empty; start a gateway with StartGateway or: imreuse gateway")
	}
	if err := call.CheckHeader("GatewaySecret", o.GatewaySecret, call.MaxToken); err != nil {
		return err
	}
	if !slotName.MatchString(o.Slot) {
		return call.Argument("Slot %.80q is not 1 to 64 of A-Z a-z 0-9 _ . -", o.Slot)
	}
	if o.LBSURL == "" && o.LinkAddr == "" && !o.LinkPlain {
		return nil
	}
	// With one of them missing, the SDK would ask the vendor's public cloud.
	if o.LBSURL == "" || o.LinkAddr == "" {
		return call.Argument("LBSURL and LinkAddr come together, and LinkPlain with both")
	}
	lbs, err := call.CheckURL("LBSURL", o.LBSURL, false)
	if err != nil {
		return err
	}
	return checkLink(o, lbs)
}

func checkLink(o Options, lbs *url.URL) error {
	host, port, err := net.SplitHostPort(o.LinkAddr)
	if number, e := strconv.ParseUint(port, 10, 16); err != nil || host == "" || e != nil || number == 0 {
		return call.Argument("LinkAddr %.80q is not host:port", o.LinkAddr)
	}
	if o.LinkPlain && !(loopback.Is(host) && loopback.Is(lbs.Hostname())) {
		return call.Argument("LinkPlain would show tokens to the network: it is for LBSURL and LinkAddr on loopback")
	}
	return nil
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// Backend is the kit server and the IM gateway, joined. It is an engine.Backend
// and an engine.IMAdopter. Make one with New.
type Backend struct {
	*Kit
	*IM
}

// New makes a backend of a kit server and an IM gateway. It sends nothing. It
// fails with engine.ErrArgument, naming the option.
func New(o Options) (*Backend, error) {
	kit, err := newKit(o)
	if err != nil {
		return nil, fmt.Errorf("nimhttp: New: %w", err)
	}
	im, err := newIM(o)
	if err != nil {
		return nil, fmt.Errorf("nimhttp: New: %w", err)
	}
	return &Backend{kit, im}, nil
}

// Close closes the kit, and then IM.
func (b *Backend) Close() error { return errors.Join(b.Kit.Close(), b.IM.Close()) }
