package nimhttp

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/google/uuid"

	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/call"
	"github.com/imreuse/imreuse/backends/nimhttp/internal/gatewayprocess"
	"github.com/imreuse/imreuse/internal/loopback"
)

// GatewayOptions are the choices for one gateway. The zero value is useful.
type GatewayOptions struct {
	Dir    string    // the gateway's folder with its node_modules; default: where "imreuse gateway install" put it
	Addr   string    // where to listen, on loopback; default 127.0.0.1:0, which takes a free port
	Secret string    // what callers have to show, 16 characters at least; default: a new one
	Node   string    // default "node"; older than gateway.OldestNode is an error
	Stderr io.Writer // what the gateway and the SDK say, without tokens; nil: discarded
}

// A Gateway is an IM gateway that runs as a child of this process. It is safe
// for concurrent use.
type Gateway struct {
	process *gatewayprocess.Process
	secret  func() string // fmt does not look into functions
}

// StartGateway starts the IM gateway with Node, and stops it as Close does when
// ctx ends. It installs nothing, and does not restart a gateway that has ended.
// It fails with engine.ErrArgument for an address that is not on loopback or an
// unusable secret, and with engine.ErrState if Node is missing or too old, or if
// the gateway is not installed or others could have changed it (gateway.Check).
//
// Node gets little of this process's environment: package gateway lists what,
// and has the gateway's own settings IMREUSE_GATEWAY_LOG and NIM_SDK. Node may be
// a wrapper script, which must not put Node into the background.
//
// The gateway counts as a Web client of the IM service, and as a new device at
// each start. Under a policy of one device, or of desktop clients that kick
// each other, it and a desktop app evict each other.
func StartGateway(ctx context.Context, o GatewayOptions) (*Gateway, error) {
	g, err := startGateway(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("nimhttp: StartGateway: %w", err)
	}
	return g, nil
}

func startGateway(ctx context.Context, o GatewayOptions) (*Gateway, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	if err := gateway.CheckNode(ctx, o.Node); err != nil {
		return nil, err
	}
	if err := gateway.Check(o.Dir); err != nil {
		return nil, err
	}
	p, err := gatewayprocess.Start(ctx, gatewayprocess.Options(o))
	if err != nil {
		return nil, err
	}
	return &Gateway{process: p, secret: func() string { return o.Secret }}, nil
}

func (o GatewayOptions) complete() (GatewayOptions, error) {
	o.Node = cmp.Or(o.Node, "node")
	o.Addr = cmp.Or(o.Addr, "127.0.0.1:0")
	o.Secret = cmp.Or(o.Secret, uuid.NewString()+uuid.NewString())
	host, _, err := net.SplitHostPort(o.Addr)
	if err != nil || !loopback.Is(host) {
		return o, call.Argument("Addr %q is not a loopback address and a port", o.Addr)
	}
	if err := checkSecret(o.Secret); err != nil {
		return o, err
	}
	if o.Dir == "" {
		if o.Dir, err = gateway.Dir(); err != nil {
			return o, err
		}
	}
	return o, nil
}

// checkSecret refuses what callers could not send in a header as it is.
func checkSecret(secret string) error {
	switch {
	case len(secret) < 16:
		return call.Argument("Secret has less than 16 characters")
	case len(secret) > call.MaxToken:
		return call.Argument("Secret is longer than %d characters", call.MaxToken)
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return call.Argument("Secret has a space, a control character or one that is not ASCII")
	}
	return nil
}

// URL is where the gateway listens, such as http://127.0.0.1:7788.
func (g *Gateway) URL() string {
	if g.process == nil {
		return "" // a zero Gateway, which only print can meet
	}
	return g.process.URL()
}

// Secret is what its callers have to show.
func (g *Gateway) Secret() string { return g.secret() }

// Pid is the process of Node.
func (g *Gateway) Pid() int { return g.process.Pid() }

// Wait waits until the gateway has ended, whoever ended it, and returns nil if
// it did so by itself without an error.
func (g *Gateway) Wait() error { return g.process.Wait() }

// Close ends the gateway and waits for that, 5 s at most. It closes the
// gateway's stdin, upon which the gateway logs its slots out and ends. If it has
// not done so after 3 s, Close sends SIGTERM to its process group, and after one
// more second SIGKILL; then Close returns an error. The group includes a Node
// that a wrapper script started. On Windows, where there are no such groups,
// only the process that was started is killed. Once the gateway has ended, Close
// does nothing.
func (g *Gateway) Close() error { return g.process.Close() }
