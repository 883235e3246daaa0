// Package nimhttp is a backend that reaches NetEase's servers over HTTP.
//
// [Kit] is a client of a kit server (roomkit), either the vendor's or one of a
// private deployment. It logs a kit account in, checks its token, and makes
// temporary accounts. [IM] is a client of an IM gateway, in which the vendor's
// own SDK holds the long connection to IM: see [StartGateway]. [New] joins the
// two. If your app already has an IM client, pass the Kit and that client to
// engine.Join; backends/hostim helps with the client's side. Package
// nimhttptest and the command "imreuse sandbox" run the same servers for tests
// and for development without an account.
//
// # The gateway's secret
//
// On each new connection the gateway first proves that it knows the secret: it
// signs a fresh nonce (GET /healthz in gateway/openapi.yaml). IM sends the
// secret and tokens only over a connection with that proof. So a program that
// takes over the port after a gateway has ended learns nothing, even if it
// replays an earlier answer.
//
// Some risks remain on a machine with hostile local users:
//
//   - The connection is not encrypted. The proof does not name an address, so
//     that a TCP forwarder may stand in front of a gateway. A program that
//     listens at GatewayURL while the gateway runs elsewhere can therefore
//     relay the proof and read everything after it. Set GatewayURL to the
//     gateway's own address.
//   - Root, and programs of the same user, can read the secret in the memory
//     and the environment of both processes.
//   - Anybody on the machine can ask for proofs and test guesses against them,
//     so the secret must be random, like the one that StartGateway makes.
//   - Anybody on the machine can use up the gateway's 256 connections.
//
// Kit sends the same requests as the vendor's own web kit (RoomKit 1.31.0): see
// docs/vendor/http.md#kit-login and docs/vendor/kits.md#what-the-web-kit-does.
//
// # In a web page
//
// Under GOOS=js, Kit sends its requests with the page's fetch, without cookies.
// The kit server must allow the page's origin (CORS), as the vendor's does. A
// browser does not say why a request failed, so a server that refuses the
// origin looks like one that cannot be reached; the console of the browser
// shows the difference. Each request is bounded by 15 s as elsewhere.
//
// A page has no sockets and no child processes. So Options.HTTPClient must be
// nil, and New, NewIM and StartGateway fail with errors.ErrUnsupported: join
// the Kit with the page's own IM client by engine.Join. None of the gateway's
// code is linked into the page.
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

// defaultKitURL is the vendor's public kit server: docs/vendor/http.md#hosts.
const defaultKitURL = "https://roomkit.netease.im"

// AuthType is the kind of token that a kit account has.
type AuthType uint8

const (
	AuthStatic  AuthType = iota // the kit account's userToken
	AuthDynamic                 // a dynamic IM token; sent with the header authType: 1
)

// A ServerError is a server's own answer to a call that failed: its code and
// its message. The error chain also has the engine.Code that the answer stands
// for, if there is one.
type ServerError = call.ServerError

// Options configure the clients of this package. AppKey is required; IM also
// requires GatewayURL and GatewaySecret. The other fields have defaults.
//
// Options print without the secret and without the contents of HTTPClient and
// Logger. That holds for a value, a pointer, exported fields, slices and maps,
// and for package fmt, log/slog and JSON. It cannot hold for an unexported
// field, because fmt does not call methods there: do not keep Options in an
// unexported field of a type that you print.
//
// Keep one DeviceID for each installation of your program. Without one, each
// client is a new device to the kit server, so every start adds a device to the
// account. The sessions of earlier starts stay open, because the server is
// never told that their devices are gone.
//
// A fleet, one process with many logins, should share one HTTPClient. Without a
// shared client, each login has connections of its own. We measured 200 kit
// logins over plain HTTP: each took 26 kB and 2 goroutines until its connection
// had been idle for 30 s; with a shared client, each took 2.5 kB and no
// goroutine. TLS adds to that, and so does the IM gateway, where each login
// holds a read open. If all logins go to one server, raise MaxIdleConnsPerHost
// of the client's Transport; its default is 2.
//
// A proxy from the environment (HTTP_PROXY) is never used for localhost or a
// loopback address. The default client uses none for names that end in
// .localhost, either. Other names of this machine, for example those in
// /etc/hosts, need NO_PROXY. A proxy that HTTPClient's own Transport names is
// used for any kit server, but never for an IM gateway. A RoundTripper that is
// not an *http.Transport decides about proxies itself.
type Options struct {
	AppKey     string
	KitURL     string       // base URL of the kit server, with the path prefix of a private deployment; default: the vendor's public server
	DeviceID   string       // keep one for each installation, see above; default: a new UUID for each client
	ClientType string       // the kind of client, as the vendor's kits name it; default "web"
	Language   string       // accept-language; default "en-US"
	AuthType   AuthType     // the kind of token for the kit login
	PlainHTTP  bool         // allow http to hosts other than loopback; otherwise such a URL is refused
	Logger     *slog.Logger // gets a Debug line for each request; nil: nothing is logged

	// HTTPClient is optional, and must be nil in a web page. The default has
	// timeouts, requires TLS 1.2 or later, and keeps connections alive. No client
	// follows redirects. A fleet shares one client, see above.
	//
	// For the IM gateway the client's Timeout is ignored, because reads wait
	// there. Its Transport must be an *http.Transport or nil: otherwise NewIM
	// and New fail with engine.ErrArgument, because a connection can be proved
	// only as it is opened. IM uses a copy of the Transport that keeps its
	// dialers and limits, but speaks HTTP/1.1 and uses no proxy. IMs with the
	// same Transport, GatewayURL and GatewaySecret share one copy and its
	// connections; the last IM to be closed closes them.
	HTTPClient *http.Client

	// Only IM uses the following fields.
	GatewayURL    string // URL of the IM gateway, for example http://127.0.0.1:7788; see StartGateway
	GatewaySecret string // the gateway's secret; it is sent only after the gateway has proved that it knows the secret
	Slot          string // name of the slot in the gateway, 1 to 64 of A-Z a-z 0-9 _ . -; default: a new UUID. If you choose a name, your next process or another client of the gateway can adopt the login
	LBSURL        string // the address service of a private IM deployment, https or on loopback; set LinkAddr too
	LinkAddr      string // the link server of that deployment, as host:port; set LBSURL too
	LinkPlain     bool   // the link is plain ws; refused unless LBSURL and LinkAddr are on loopback
}

// complete fills in the defaults and refuses values that cannot be sent.
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
		return o, call.Argument("AppKey %q would change the path of the request", o.AppKey)
	}
	if o.AuthType > AuthDynamic {
		return o, call.Argument("there is no AuthType %d", o.AuthType)
	}
	return o, nil
}

var slotName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// checkIM refuses values that the gateway would refuse.
func (o Options) checkIM() error {
	if o.GatewayURL == "" {
		return call.Argument("GatewayURL is empty; start a gateway with StartGateway or: imreuse gateway")
	}
	if err := call.CheckHeader("GatewaySecret", o.GatewaySecret, call.MaxToken); err != nil {
		return err
	}
	if !slotName.MatchString(o.Slot) {
		return call.Argument("Slot %.80q must be 1 to 64 of A-Z a-z 0-9 _ . -", o.Slot)
	}
	if o.LBSURL == "" && o.LinkAddr == "" && !o.LinkPlain {
		return nil
	}
	// If one of them were missing, the SDK would ask the vendor's public cloud.
	if o.LBSURL == "" || o.LinkAddr == "" {
		return call.Argument("set both LBSURL and LinkAddr or neither; LinkPlain needs both")
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
		return call.Argument("LinkPlain would send tokens over the network in the clear; use it only if LBSURL and LinkAddr are on loopback")
	}
	return nil
}

// errInPage is the error of everything that needs an IM gateway, under GOOS=js.
var errInPage = fmt.Errorf("%w: a web page cannot use an IM gateway; join the Kit with the page's own IM client: engine.Join(im, kit)", errors.ErrUnsupported)

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// Backend joins a Kit and an IM. It is an engine.Backend, an engine.IMAdopter and
// an engine.KitRenewer. Make one with New.
type Backend struct {
	*Kit
	*IM
}

// New makes a backend from a kit server and an IM gateway. It sends nothing. If
// an option is invalid, it fails with an engine.ErrArgument that names the
// option.
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

// Close closes the Kit and then the IM, and returns the errors of both.
func (b *Backend) Close() error { return errors.Join(b.Kit.Close(), b.IM.Close()) }
