package flat

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/imreuse/imreuse/backends/hostim"
	"github.com/imreuse/imreuse/backends/mockim"
	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/engine"
)

// A Client has the functions of the host's IM client, as hostim.Client has them.
// Each may be nil: then the host does that itself. The account of Login always
// has an AppKey.
type Client struct {
	Init   func(appKey string, r *Request) (end func(gaveUp bool))
	Login  func(a engine.IMAccount, r *Request) (end func(gaveUp bool))
	Logout Ask
}

// Reports are what the host tells about its IM client. They are the methods of
// hostim.IM, which has the rules for them.
type Reports interface {
	LoggingIn()
	LoggedIn(engine.IMAccount)
	LoggedOut(cause error) // see [Cause]
	Link(online bool)
}

// An IM is the IM role. Several engines may share it. The zero IM is none.
type IM struct {
	Reports
	role engine.IM
}

// NewIM makes an IM from the host's client.
func NewIM(c Client) *IM {
	reports := &clientReports{}
	var h hostim.Client
	if c.Init != nil {
		h.Init = func(ctx context.Context, appKey string) error {
			_, err := wait(ctx, laneOf(ctx), newRequest(""), func(r *Request) func(bool) { return c.Init(appKey, r) })
			return err
		}
	}
	if c.Login != nil {
		h.Login = func(ctx context.Context, a engine.IMAccount) error {
			if call := callOf(ctx); a.AppKey == "" && call != nil {
				a.AppKey = call.engine.appKey // the one that Init got
			}
			reports.given.keep(a.Token)
			_, err := wait(ctx, laneOf(ctx), newRequest(a.Token), func(r *Request) func(bool) { return c.Login(a, r) })
			return err
		}
	}
	if c.Logout != nil {
		h.Logout = func(ctx context.Context) error {
			_, err := wait(ctx, laneOf(ctx), newRequest(""), c.Logout)
			return err
		}
	}
	reports.IM = hostim.Wrap(h)
	return &IM{Reports: reports, role: reports.IM}
}

// clientReports removes the tokens that the client was given from the host's
// reports.
type clientReports struct {
	*hostim.IM
	given givenTokens
}

func (r *clientReports) LoggedOut(cause error) {
	r.IM.LoggedOut(withoutTokens(cause, r.given.all()...))
}

// givenTokens remembers the tokens of the last two logins, because a late report
// may be about the older one.
type givenTokens struct {
	mu   sync.Mutex
	last [2]func() string // functions, because fmt does not print their results
}

func (g *givenTokens) keep(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = [2]func() string{func() string { return token }, g.last[0]}
}

func (g *givenTokens) all() (tokens []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, token := range g.last {
		if token != nil {
			tokens = append(tokens, token())
		}
	}
	return tokens
}

// MockIM makes an IM from a device of a mock cloud. Its reports act on the
// device: LoggedIn logs the account in as the host would, with the token that
// the cloud has for it, and LoggedOut and Link take effect, too.
func MockIM(d *mockim.Device, cloud *mockim.Service) *IM {
	return &IM{Reports: mockReports{d, cloud}, role: d}
}

type mockReports struct {
	device *mockim.Device
	cloud  *mockim.Service
}

// LoggingIn has no effect: the device announces its logins itself.
func (m mockReports) LoggingIn() {}

func (m mockReports) LoggedIn(a engine.IMAccount) {
	known, ok := m.cloud.FindIM(a.Accid)
	if ok && m.device.HostInit(context.Background()) == nil {
		_ = m.device.HostLogin(context.Background(), known) // the cloud knows the account and its token
	}
}

func (m mockReports) LoggedOut(cause error) {
	if accid := m.device.LoggedIn(); cause != nil && accid != "" {
		m.cloud.EndIM(accid, cause)
		return
	}
	_ = m.device.HostLogout(context.Background()) // it cannot fail
}

// Link does not block: it would fetch a token only if the account's had run out,
// and no skin lets an IM token run out.
func (m mockReports) Link(online bool) { m.device.Link(online) }

// A Kit is the kit role. It serves one engine.
type Kit struct {
	role  engine.Kit
	taken atomic.Bool
}

// KitOptions configure a client of a kit server. Empty fields have the defaults
// of nimhttp.Options.
type KitOptions struct {
	AppKey, KitURL, DeviceID string
	DynamicToken, PlainHTTP  bool
}

// NewKit makes a client of a kit server over HTTP. It sends nothing. It fails
// with engine.ErrArgument if an option is invalid.
func NewKit(o KitOptions) (*Kit, error) {
	options := nimhttp.Options{AppKey: o.AppKey, KitURL: o.KitURL, DeviceID: o.DeviceID, PlainHTTP: o.PlainHTTP}
	if o.DynamicToken {
		options.AuthType = nimhttp.AuthDynamic
	}
	kit, err := nimhttp.NewKit(options)
	if err != nil {
		return nil, err
	}
	return &Kit{role: kit}, nil
}

// MockKit makes a Kit from a device of a mock cloud.
func MockKit(d *mockim.Device) *Kit { return &Kit{role: d} }

// Release closes the client if no engine has it. An engine closes its own.
func (k *Kit) Release() {
	if c, ok := k.role.(interface{ Close() error }); ok && k.take() == nil {
		_ = c.Close() // a client without a session has nothing to fail at
	}
}

func (k *Kit) take() error {
	if !k.taken.CompareAndSwap(false, true) {
		return fmt.Errorf("%w: the kit belongs to another engine, or was released", engine.ErrArgument)
	}
	return nil
}
