package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/urfave/cli/v3"

	"github.com/imreuse/imreuse/backends/nimhttp/nimhttptest"
)

const sandboxDoc = `The kit server answers kit login, anonymous login and token checks as the
vendor's does, to any client in any language, browsers among them. The first
line of its output is JSON, and "kit" in it is the server's URL:

   {"kit":"http://127.0.0.1:40000"}

Others cannot reach it: it listens on loopback only. It runs until it is
interrupted. Without -accounts it has those of the vendor's guides:

   {"appKey": "` + nimhttptest.AppKey + `", "appSecret": "secret1",
    "im":  [{"accid": "` + nimhttptest.Accid + `", "token": "` + nimhttptest.IMToken + `"}],
    "kit": [{"userUuid": "` + nimhttptest.UserUUID + `", "userToken": "` + nimhttptest.UserToken + `", "accid": "` + nimhttptest.Accid + `"}]}

That is what the file looks like, too. appSecret may be left out: nothing here
asks for it yet. The vendor's web kit wants the userUuid of a kit account to be
the accid that it is bound to.`

func sandboxCommand() *cli.Command {
	return &cli.Command{
		Name:        "sandbox",
		Usage:       "serve the vendor's kit server on this machine, to develop against offline",
		Description: sandboxDoc,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "addr", Value: "127.0.0.1:0", Usage: "listen on this loopback `ADDRESS`; port 0 takes a free one"},
			&cli.StringFlag{Name: "accounts", Usage: "read the accounts from this JSON `FILE`"},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Present() {
				return fmt.Errorf("sandbox takes no arguments, only -addr and -accounts")
			}
			options := nimhttptest.Options{Addr: c.String("addr")}
			if c.IsSet("accounts") {
				var err error
				if options.World, options.AppKey, err = readAccounts(c.String("accounts")); err != nil {
					return err
				}
			}
			return serveSandbox(ctx, c.Root().Writer, options)
		},
	}
}

// serveSandbox serves until ctx ends.
func serveSandbox(ctx context.Context, out io.Writer, o nimhttptest.Options) error {
	server, err := nimhttptest.Start(o)
	if err != nil {
		return err
	}
	defer server.Close()
	first := struct {
		Kit string `json:"kit"`
	}{server.KitURL()}
	if err := json.NewEncoder(out).Encode(first); err != nil {
		return err
	}
	<-ctx.Done()
	return server.Close()
}
