package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
	"github.com/imreuse/imreuse/engine"
)

const secretVariable = "IMREUSE_GATEWAY_SECRET"

var gatewayDoc = fmt.Sprintf(`The gateway holds the IM long connection for Go programs. It runs the vendor's
own SDK in Node %d or newer, which you install yourself. "imreuse gateway
install" puts the gateway into your cache directory and lets npm fetch the SDK,
once.

The first line of its output is JSON:

   {"url":"http://127.0.0.1:40000","secret":"…"}

Both go to the programs that use it. It listens on loopback only, and logs out
every account that it holds when it is interrupted.

Settings come from the environment:

   IMREUSE_GATEWAY_SECRET  the secret to use in place of a new one: 16 visible
                           ASCII characters or more. With it and a fixed -addr, a
                           gateway that is restarted keeps its clients. The first
                           line then leaves the secret out, so that no service
                           manager's log keeps it.
   IMREUSE_GATEWAY_LOG     what the SDK prints on stderr: off, error (the
                           default), warn or log; never a token
   NIM_SDK                 another build of the vendor's SDK: its path, or the
                           name of a package in the gateway's node_modules

Node gets these, PATH, HOME, TMPDIR, TZ, LANG, LC_ALL and the variables that
name certificates, and nothing else from your environment.

The gateway does not start from files that another user could have written. It
ends within 5 seconds, with every process that it has started.

The IM service sees a Web client, and a new device at each start. Under a policy
of one device, it and another client of the same account evict each other.`, gateway.OldestNode())

func gatewayCommand() *cli.Command {
	return &cli.Command{
		Name:        "gateway",
		Usage:       "hold real IM logins for Go programs, with the vendor's own SDK",
		Description: gatewayDoc,
		Flags: []cli.Flag{
			addrFlag(),
			&cli.StringFlag{Name: "dir", Usage: "install to this `FOLDER`, or run the gateway that is there; by default it is in your cache directory"},
		},
		Commands: []*cli.Command{{
			Name:        "install",
			Usage:       "install the gateway and the vendor's SDK",
			Description: fmt.Sprintf("It needs Node %d or newer, npm, and npm's registry. If the gateway is installed already, it does nothing.", gateway.OldestNode()),
			Action: func(ctx context.Context, c *cli.Command) error {
				return installGateway(ctx, c.String("dir"), c.Root().Writer)
			},
		}},
		Action: func(ctx context.Context, c *cli.Command) error {
			o := nimhttp.GatewayOptions{Addr: c.String("addr"), Dir: c.String("dir"), Stderr: c.Root().ErrWriter}
			return runGateway(ctx, c.Root().Writer, o)
		},
	}
}

func installGateway(ctx context.Context, dir string, progress io.Writer) error {
	if dir != "" {
		return gateway.InstallIn(ctx, dir, progress)
	}
	_, err := gateway.Install(ctx, progress)
	return err
}

// runGateway runs until ctx ends, or the gateway does. A secret from the
// environment is not printed.
func runGateway(ctx context.Context, out io.Writer, o nimhttp.GatewayOptions) error {
	secret, given := os.LookupEnv(secretVariable)
	if given && secret == "" { // it would stand for a new one
		return fmt.Errorf("%w: %s is empty; unset it for a new secret at each start", engine.ErrArgument, secretVariable)
	}
	o.Secret = secret
	g, err := nimhttp.StartGateway(ctx, o)
	if err != nil {
		if given && errors.Is(err, engine.ErrArgument) {
			return fmt.Errorf("with the secret from %s: %w", secretVariable, err)
		}
		return takenPort(err, o.Addr)
	}
	first := struct {
		URL    string `json:"url"`
		Secret string `json:"secret,omitempty"`
	}{URL: g.URL()}
	if !given {
		first.Secret = g.Secret()
	}
	if err := json.NewEncoder(out).Encode(first); err != nil {
		return errors.Join(err, g.Close())
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}
