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

var gatewayDoc = fmt.Sprintf(`The gateway keeps IM connections open for Go programs. It runs the vendor's own SDK
in Node %d or newer, which you install yourself. "imreuse gateway install" unpacks
the gateway into your cache directory and fetches the SDK with npm. Run it once,
and again after each update of imreuse.

The first line of output is JSON:

   {"url":"http://127.0.0.1:40000","secret":"…"}

Give both to the programs that use the gateway. It listens on loopback only. When
it is interrupted, it logs out every account that is logged in through it.

Settings come from the environment:

   IMREUSE_GATEWAY_SECRET  the secret: at least 16 visible ASCII characters. By
                           default each start makes a new one. With a fixed
                           secret and -addr, clients survive a restart of the
                           gateway. The first line then omits the secret, so
                           that it does not end up in a log.
   IMREUSE_GATEWAY_LOG     what the SDK prints on stderr: off, error (the
                           default), warn or log; never a token
   NIM_SDK                 another build of the vendor's SDK: its path, or the
                           name of a package in the gateway's node_modules

From your environment, Node gets only these variables, PATH, HOME, TMPDIR, TZ,
LANG, LC_ALL and the ones that name certificates.

The gateway refuses to start if another user could have written its files. When
it stops, all its processes end within 5 seconds.

The IM service sees the gateway as a Web client, and as a new device at each start.
If the app allows an account only one device, the gateway and other clients of the
same account kick each other.`, gateway.OldestNode())

func gatewayCommand() *cli.Command {
	return &cli.Command{
		Name:        "gateway",
		Usage:       "hold real IM logins for Go programs, in the vendor's own SDK",
		Description: gatewayDoc,
		Flags: []cli.Flag{
			addrFlag(),
			&cli.StringFlag{Name: "dir", Usage: "the `FOLDER` to install the gateway into, or to run it from; default: one in your cache directory"},
		},
		Commands: []*cli.Command{{
			Name:        "install",
			Usage:       "install the gateway and the vendor's SDK",
			Description: fmt.Sprintf("It needs Node %d or newer, npm, and access to npm's registry. It does nothing if this version is already installed.", gateway.OldestNode()),
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

// runGateway runs a gateway until ctx ends or the gateway does. It prints the
// secret only if it made a new one.
func runGateway(ctx context.Context, out io.Writer, o nimhttp.GatewayOptions) error {
	secret, given := os.LookupEnv(secretVariable)
	if given && secret == "" { // StartGateway would make a new one
		return fmt.Errorf("%w: %s is empty; unset it to get a new secret at each start", engine.ErrArgument, secretVariable)
	}
	o.Secret = secret
	if err := takenPort(o.Addr); err != nil {
		return err
	}
	g, err := nimhttp.StartGateway(ctx, o)
	if err != nil {
		if ctx.Err() != nil { // stopped before it listened: no account is logged in yet
			return nil
		}
		if given && errors.Is(err, engine.ErrArgument) {
			return fmt.Errorf("the secret in %s: %w", secretVariable, err)
		}
		return err
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
