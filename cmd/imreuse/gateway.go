package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp"
	"github.com/imreuse/imreuse/backends/nimhttp/gateway"
)

const gatewayDoc = `The gateway holds the IM long connection for Go programs, with the vendor's own
SDK in Node, which has to be there: 20 or newer. "imreuse gateway install" puts
it into your cache directory and lets npm fetch the SDK, once.

The first line of its output is JSON:

   {"url":"http://127.0.0.1:40000","secret":"…"}

Both go to the programs that use it. It listens on loopback only, and logs out
everybody that it holds when it is interrupted.

The IM service sees a Web client, and a new device at each start. Under a policy
of one device, it and another client of the same account evict each other.`

func gatewayCommand() *cli.Command {
	return &cli.Command{
		Name:        "gateway",
		Usage:       "hold real IM logins for Go programs, with the vendor's own SDK",
		Description: gatewayDoc,
		Flags: []cli.Flag{
			addrFlag(),
			&cli.StringFlag{Name: "dir", Usage: "run the gateway in this `FOLDER`, in place of the installed one"},
		},
		Commands: []*cli.Command{{
			Name:        "install",
			Usage:       "install the gateway and the vendor's SDK into your cache directory",
			Description: "It needs Node 20 or newer, npm, and npm's registry. Installed already, it does nothing.",
			Action: func(ctx context.Context, c *cli.Command) error {
				if c.Args().Present() {
					return errors.New("gateway install takes no arguments")
				}
				_, err := gateway.Install(ctx, c.Root().Writer)
				return err
			},
		}},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return fmt.Errorf("there is no command %q; see imreuse gateway -h", c.Args().First())
			}
			o := nimhttp.GatewayOptions{Addr: c.String("addr"), Dir: c.String("dir"), Stderr: c.Root().ErrWriter}
			return runGateway(ctx, c.Root().Writer, o)
		},
	}
}

// runGateway runs until ctx ends, or the gateway does.
func runGateway(ctx context.Context, out io.Writer, o nimhttp.GatewayOptions) error {
	g, err := nimhttp.StartGateway(ctx, o)
	if err != nil {
		return takenPort(err, o.Addr)
	}
	first := struct {
		URL    string `json:"url"`
		Secret string `json:"secret"`
	}{g.URL(), g.Secret()}
	if err := json.NewEncoder(out).Encode(first); err != nil {
		return errors.Join(err, g.Close())
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}
