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

// GatewayOptions configure one gateway. The zero value is ready to use.
type GatewayOptions struct {
	Dir    string    // the gateway's folder with its node_modules; default: the one that "imreuse gateway install" makes
	Addr   string    // the loopback address to listen on; default 127.0.0.1:0, which takes a free port
	Secret string    // the secret that clients must send, at least 16 characters; default: a new one
	Node   string    // the program to run; default "node"; older than gateway.OldestNode is an error
	Stderr io.Writer // gets the output of the gateway and the SDK, without tokens; nil: discarded
}

// A Gateway is an IM gateway that runs as a child of this process. It is safe
// for concurrent use.
type Gateway struct {
	process *gatewayprocess.Process
	secret  func() string // a func, because fmt does not print its result
}

// StartGateway starts the IM gateway in Node. When ctx ends, it stops the
// gateway as Close does. It installs nothing, and does not restart a gateway
// that has ended.
//
// It fails with engine.ErrArgument if the address is not on loopback or the
// secret is unusable, and with engine.ErrState if Node is missing or too old,
// or if the gateway is not installed or others could have changed it (see
// gateway.Check).
//
// Node gets only a few variables of this process's environment, among them the
// gateway's settings IMREUSE_GATEWAY_LOG and NIM_SDK; package gateway lists
// them. Node may be a wrapper script, if the script does not put Node into the
// background.
//
// To the IM server the gateway is a Web client, and a new device at each start.
// If the app's policy allows one device, or lets desktop clients kick each
// other, the gateway and a desktop app with the same account kick each other.
func StartGateway(ctx context.Context, o GatewayOptions) (*Gateway, error) {
	g, err := startGateway(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("nimhttp: StartGateway: %w", err)
	}
	return g, nil
}

func startGateway(ctx context.Context, o GatewayOptions) (*Gateway, error) {
	if call.InPage {
		return nil, errInPage
	}
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

// checkSecret refuses a secret that clients could not send in a header
// unchanged.
func checkSecret(secret string) error {
	switch {
	case len(secret) < 16:
		return call.Argument("Secret has fewer than 16 characters")
	case len(secret) > call.MaxToken:
		return call.Argument("Secret is longer than %d characters", call.MaxToken)
	case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
		return call.Argument("Secret has a space, a control character or a character outside ASCII")
	}
	return nil
}

// URL returns the gateway's address, for example http://127.0.0.1:7788. It is
// the GatewayURL for Options.
func (g *Gateway) URL() string {
	if g.process == nil {
		return "" // a zero Gateway, which only Format can meet
	}
	return g.process.URL()
}

// Secret returns the gateway's secret. It is the GatewaySecret for Options.
func (g *Gateway) Secret() string { return g.secret() }

// Pid returns the process id of Node.
func (g *Gateway) Pid() int { return g.process.Pid() }

// Wait waits until the gateway has ended. It returns nil if the gateway ended
// without an error, by itself or because of Close.
func (g *Gateway) Wait() error { return g.process.Wait() }

// Close ends the gateway and waits until it has ended, for at most 5 s. It
// closes the gateway's stdin; the gateway then logs its slots out and ends. If
// the gateway is still running after 3 s, Close sends SIGTERM to its process
// group, and after another second SIGKILL, and returns an error. The group
// includes a Node that a wrapper script started. Windows has no such groups, so
// there Close kills only the process that it started. Once the gateway has
// ended, Close has no effect.
func (g *Gateway) Close() error { return g.process.Close() }
